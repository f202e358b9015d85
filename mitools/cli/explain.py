"""``mitools explain``: look at gold, teacher and student side by side."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mitools.cli._explain_options import Options, Probability, compile_pattern
from mitools.cli._explain_output import awaits_pipe, report, showing, shows_to_terminal
from mitools.cli._places import OutputPath, RecipePath, TypedOption
from mitools.cli._stage import Stage, seed_option, stage
from mitools.errors import UsageError
from mitools.files import STDIN
from mitools.gold import label_set, with_known_labels
from mitools.records import Record, Reject, raise_fault
from mitools.schema import SPLITS, TASKS

if TYPE_CHECKING:
    from mitools.evaluate.run import Opened
    from mitools.explain.filters import ViewedRecord
    from mitools.explain.versus import Versus

__all__ = ["command"]

READ_AHEAD = 1000
"""Records awaited from a pipe before the pager opens: it must not meet the progress bars of the
stages before it, and a long input must not be waited for."""


GROUPS = {
    "Filters": "--wrong --right --inconsistent --consistent --low-conf --high-conf-wrong "
    "--supports --teacher-wrong --disagree --grep --label --id --split",
    "Second student": "--vs --fixed --broken --changed",
    "Order": "--sort --reverse --limit --sample",
    "Student": "--student --text --choices --task --batch-size --device",
    "Input and output": "--json --html --summary --vs-summary",
    "Terminal": "--width --color --pager",
}


@stage("explain", rewrites=False, groups=GROUPS)
@click.option("--wrong", is_flag=True, help="Only where the student's label is not gold.")
@click.option("--right", is_flag=True, help="Only where the student's label is gold.")
@click.option(
    "--inconsistent",
    is_flag=True,
    help="Only where the student's rationale supports another answer than its label.",
)
@click.option(
    "--consistent", is_flag=True, help="Only where the student's rationale supports its label."
)
@click.option(
    "--low-conf",
    type=Probability(),
    metavar="P",
    help="Only where the student's confidence is below P.",
)
@click.option(
    "--high-conf-wrong",
    type=Probability(),
    is_flag=False,
    flag_value=0.9,
    metavar="[P]",
    help="Only where the student is wrong at a confidence of P or more. [0.9 if P is left out]",
)
@click.option(
    "--supports",
    type=click.Choice(["student", "gold", "other", "none"]),
    multiple=True,
    help="Only where the student's rationale supports the student's own answer; else gold; "
    "else another answer; or none.",
)
@click.option("--teacher-wrong", is_flag=True, help="Only where the teacher's label is not gold.")
@click.option(
    "--disagree", is_flag=True, help="Only where teacher and student give different labels."
)
@click.option(
    "--grep",
    metavar="REGEX",
    callback=compile_pattern,
    help='Only where this occurs in the input, a label or a rationale; "(?i)…" ignores case.',
)
@click.option("--label", multiple=True, help="Only where gold is this label.")
@click.option("--id", multiple=True, help="Only the record with this id.")
@click.option(
    "--split", type=click.Choice(SPLITS), multiple=True, help="Only records of this split."
)
@click.option(
    "--vs",
    type=RecipePath(),
    metavar="FILE",
    help="Lay a second student's answers to the same records, found by id, beside the first's.",
)
@click.option(
    "--fixed",
    is_flag=True,
    help="Only where the student is wrong and the second one right; with --broken, either.",
)
@click.option(
    "--broken", is_flag=True, help="Only where the student is right and the second one wrong."
)
@click.option("--changed", is_flag=True, help="Only where the second student gives another label.")
@click.option(
    "--sort",
    type=click.Choice(["confidence", "id", "length"]),
    help="Order by confidence, id or length of the input, smallest first. Reads everything first.",
)
@click.option("--reverse", is_flag=True, help="Largest first.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Stop after N records.")
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="Draw N of the matching records at random. Reads everything first.",
)
@seed_option
@click.option(
    "--json",
    is_flag=True,
    help="Pass the matching records on instead of showing them; with --vs, the second student's "
    'answer in "second".',
)
@click.option(
    "--html",
    cls=TypedOption,
    type=OutputPath(),
    metavar="FILE",
    help="Write one page for a browser, with figures, plots and the matching records, instead of "
    "showing them.",
)
@click.option(
    "--summary",
    type=RecipePath(),
    metavar="FILE",
    help='Show the figures that "mitools eval --summary" wrote, those of probes and a judge among '
    "them: on the page, or before the records.",
)
@click.option(
    "--vs-summary",
    type=RecipePath(),
    metavar="FILE",
    help="Put those of the second student on the page, too.",
)
@click.option(
    "--student",
    type=RecipePath(),
    metavar="DIR",
    help="Ask this student where a record holds no student's answer.",
)
@click.option("--text", help="Ask the student about this text; no input is read.")
@click.option("--choices", metavar="A,B,…", help="The possible answers to --text.")
@click.option(
    "--task", type=click.Choice(TASKS), help="Compare labels so, whatever the records say."
)
@click.option(
    "--batch-size",
    type=click.IntRange(min=1),
    default=32,
    show_default=True,
    help="Hand the student this many records at once.",
)
@click.option("--device", help='Run the student on this device, for example "cpu" or "cuda:1".')
@click.option(
    "--width",
    type=click.IntRange(min=40),
    metavar="N",
    help="Columns to use. [default: the terminal's, or 80]",
)
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Use colours; auto: on a terminal, unless NO_COLOR is set.",
)
@click.option("--pager/--no-pager", default=True, help="On a terminal, page (PAGER, or less).")
def command(stage: Stage, **options: Any) -> None:
    """Look at gold, teacher and student side by side.

    Each record is shown with its verdicts (✓ and ✗), what is odd about it (!), and which answer
    each rationale supports. All filters given must hold; one that may be repeated holds if any of
    its values does. Nothing matching is no failure: the status is 0, and stderr says so.

    \b
    mitools explain judged.jsonl --wrong --sort confidence --reverse
    mitools explain judged.jsonl --inconsistent --json | jq .id
    mitools explain judged.jsonl --vs other.jsonl --fixed --broken
    mitools explain judged.jsonl --summary figures.json --html page.html
    mitools explain --student runs/cqa --text "Where do fish live?" --choices "sea,tree"
    """
    from mitools.explain.run import Explanation, read_ahead

    asked = Options(**options)
    asked.check(stage.output)
    opener = _opener(asked) if asked.student else None
    settings, versus = asked.settings(), _versus(stage, asked)
    explanation = Explanation(settings, opener, stage.console.warn, versus)
    with (
        _records(stage, asked, opener) as (records, reject),
        showing(stage, asked, explanation) as show,
    ):
        items = explanation.run(records, reject)
        if asked.student or asked.html:
            items = _progressing(stage, asked, items)
        if awaits_pipe(stage, asked):
            items = read_ahead(items, READ_AHEAD)
        for item in items:
            try:
                show(item)
            except Exception as exc:  # reject raises again what is not about the record
                reject(item.record, exc)
    report(stage, explanation, asked)


def _opener(options: Options) -> Callable[[], Opened]:
    import functools

    if options.device is not None:  # a wrong one is a wrong command: say so before reading
        from mitools.student.devices import choose_device

        choose_device(options.device)

    @functools.cache
    def opener() -> Opened:
        from mitools.evaluate.opening import open_student

        return open_student(Path(options.student or ""), options.device)

    return opener


def _versus(stage: Stage, options: Options) -> Versus | None:
    if options.vs is None:
        return None
    if options.text is not None:
        raise UsageError("--text asks one student", hint="drop --text or --vs")
    if options.vs == STDIN and (not stage.files or STDIN in stage.files):
        raise UsageError("both students cannot come from stdin", hint="name a file")
    from mitools.explain.versus import Versus

    with replace(stage, files=(options.vs,)).reading() as records:
        return Versus(records, options.vs)


@contextlib.contextmanager
def _records(
    stage: Stage, options: Options, opener: Callable[[], Opened] | None
) -> Iterator[tuple[Iterable[Record], Reject]]:
    """Open the input, or make a record of ``--text``; and say how to reject a record of it."""
    if options.text is None:
        if options.choices is not None:
            raise UsageError("--choices goes with --text", hint='add --text "…"')
        with stage.reading("input") as records:
            metadata = None if opener is None else lambda: opener().student.metadata
            yield with_known_labels(records, metadata, options.task), records.reject
        return
    if opener is None:
        raise UsageError("--text needs a student to ask", hint="add --student DIR")
    if stage.files:
        raise UsageError("--text reads no files", hint="drop --text, or the files")
    record: Record = {"id": "text", "input": options.text}
    choices = [choice.strip() for choice in (options.choices or "").split(",")]
    task = opener().student.metadata.get("task")
    if options.choices is not None:
        record["choices"] = [choice for choice in choices if choice]
        task = task if task == "labels" else "choice"
    elif known := label_set(opener().student.metadata):
        record["choices"] = known
    elif "labels" in (options.task, None if options.task else task):
        message = "the student does not say which labels it learned"
        raise UsageError(message, hint='name them: "--choices A,B,C"')
    yield [{**record, "task": task} if task in TASKS else record], raise_fault


def _progressing(
    stage: Stage, options: Options, items: Iterator[ViewedRecord]
) -> Iterator[ViewedRecord]:
    """Show progress while a person waits: throughout, or until there is something to see."""
    to_terminal = shows_to_terminal(stage, options)
    held: list[ViewedRecord] = []
    what = "asking the student" if options.student else "reading"
    with stage.console.progress(what) as update:
        for item in islice(items, 1) if to_terminal else items:
            if to_terminal:
                held.append(item)
            else:
                yield item
                update(1, "")
    yield from held
    yield from items
