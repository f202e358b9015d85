"""``mitools explain``: look at gold, teacher and student side by side."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from mitools.cli._stage import RecipePath, Stage, seed_option, stage, stdout
from mitools.errors import UsageError
from mitools.files import STDIN, STDOUT, atomic_output, output_errors
from mitools.records import Record
from mitools.schema import SPLITS, TASKS

if TYPE_CHECKING:
    from mitools.evaluate.run import Opened
    from mitools.explain.filters import Criteria, Item, Selection
    from mitools.explain.run import Explanation, Settings
    from mitools.explain.terminal import Terminal

__all__ = ["command"]

MAX_AUTO_WIDTH = 180
"""Cells; longer lines are hard to read, however wide the terminal is."""

READ_AHEAD = 1000
"""Records awaited from a pipe before the pager opens: it must not meet the progress bars of the
stages before it, and a long input must not be waited for."""

Show = Callable[["Item"], None]


@dataclass(frozen=True)
class Options:
    """The command's own options."""

    wrong: bool
    right: bool
    inconsistent: bool
    consistent: bool
    low_conf: float | None
    high_conf_wrong: float | None
    supports: tuple[str, ...]
    teacher_wrong: bool
    disagree: bool
    grep: re.Pattern[str] | None
    label: tuple[str, ...]
    id: tuple[str, ...]
    split: tuple[str, ...]
    sort: str | None
    reverse: bool
    limit: int | None
    sample: int | None
    seed: int
    json: bool
    student: str | None
    text: str | None
    choices: str | None
    task: str | None
    batch_size: int
    device: str | None
    width: int | None
    color: str
    pager: bool

    def settings(self) -> Settings:
        from mitools.explain.run import Settings
        from mitools.explain.view import HIGH_CONFIDENCE, LOW_CONFIDENCE, Thresholds

        low = LOW_CONFIDENCE if self.low_conf is None else self.low_conf
        high = HIGH_CONFIDENCE if self.high_conf_wrong is None else self.high_conf_wrong
        return Settings(
            self._criteria(), self._selection(), Thresholds(low, high), self.task, self.batch_size
        )

    def _criteria(self) -> Criteria:
        from mitools.explain.filters import Criteria

        return Criteria(
            is_right=_either(self, "right", "wrong"),
            is_consistent=_either(self, "consistent", "inconsistent"),
            low_confidence=self.low_conf,
            confidently_wrong=self.high_conf_wrong,
            supports=frozenset(self.supports),  # type: ignore[arg-type]
            teacher_wrong=self.teacher_wrong,
            disagrees=self.disagree,
            pattern=self.grep,
            labels=self.label,
            ids=frozenset(self.id),
            splits=frozenset(self.split),
        )

    def _selection(self) -> Selection:
        from mitools.explain.filters import Selection

        return Selection(self.sample, self.seed, self.sort, self.reverse, self.limit)  # type: ignore[arg-type]


def _either(options: Options, yes: str, no: str) -> bool | None:
    if getattr(options, yes) and getattr(options, no):
        raise UsageError(f"no record is both {yes} and {no}", hint=f"drop --{yes} or --{no}")
    return True if getattr(options, yes) else False if getattr(options, no) else None


class _Probability(click.FloatRange):
    """A number from 0 to 1; says how to write it where it may be left out."""

    name = "probability"

    def __init__(self) -> None:
        super().__init__(0, 1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            name = param.opts[0] if param else ""
            self.fail(f'"{value}" is no number from 0 to 1; write "{name}=0.9"', param, ctx)


def _compile(
    _ctx: click.Context, _param: click.Parameter, value: str | None
) -> re.Pattern[str] | None:
    try:
        return None if value is None else re.compile(value)
    except re.error as exc:
        raise click.BadParameter(f'"{value}" is no regular expression ({exc})') from exc


@stage("explain")
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
    type=_Probability(),
    metavar="P",
    help="Only where the student's confidence is below P.",
)
@click.option(
    "--high-conf-wrong",
    type=_Probability(),
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
    callback=_compile,
    help='Only where this occurs in the input, a label or a rationale; "(?i)…" ignores case.',
)
@click.option("--label", multiple=True, help="Only where gold is this label.")
@click.option("--id", multiple=True, help="Only the record with this id.")
@click.option(
    "--split", type=click.Choice(SPLITS), multiple=True, help="Only records of this split."
)
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
@click.option("--json", is_flag=True, help="Pass the matching records on instead of showing them.")
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
    mitools explain --student runs/cqa --text "Where do fish live?" --choices "sea,tree"
    """
    from mitools.explain.run import Explanation, read_ahead

    asked = Options(**options)
    opener = _opener(asked) if asked.student else None
    explanation = Explanation(asked.settings(), opener, stage.console.warn)
    with _records(stage, asked, opener) as records, _showing(stage, asked) as show:
        items = explanation.run(records)
        if asked.student:
            items = _asking(stage, asked, items)
        if _awaits_pipe(stage, asked):
            items = read_ahead(items, READ_AHEAD)
        for item in items:
            show(item)
    _report(stage, explanation, asked)


def _opener(options: Options) -> Callable[[], Opened]:
    import functools

    @functools.cache
    def open_student() -> Opened:
        from mitools.evaluate.provenance import hash_student, name_student
        from mitools.evaluate.run import Opened
        from mitools.student import load_student

        folder = Path(options.student or "")
        student = load_student(folder, options.device)
        digest = hash_student(folder)
        return Opened(student, name_student(folder, digest), digest)

    return open_student


@contextlib.contextmanager
def _records(
    stage: Stage, options: Options, opener: Callable[[], Opened] | None
) -> Iterator[Iterable[Record]]:
    """Open the input, or make a record of ``--text``."""
    if options.text is None:
        if options.choices is not None:
            raise UsageError("--choices goes with --text", hint='add --text "…"')
        with stage.reading("input") as records:
            yield records
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
    yield [{**record, "task": task} if task in TASKS else record]


@contextlib.contextmanager
def _showing(stage: Stage, options: Options) -> Iterator[Show]:
    """Open the place where items go: records, a file, the pager or stdout."""
    if options.json:
        with stage.writing() as out:
            yield lambda item: out.write(item.record)
        return
    terminal = _terminal(stage, options)
    with contextlib.ExitStack() as stack:
        stream: IO[str] | None = None

        def show(item: Item) -> None:
            nonlocal stream
            # Not before there is something to show: an error needs no pager.
            stream = stream or stack.enter_context(_stream(stage, options))
            stream.write(terminal.render(item.view))
            stream.flush()

        yield show


def _stream(stage: Stage, options: Options) -> contextlib.AbstractContextManager[IO[str]]:
    from mitools.explain.pager import pager_command, paging

    if stage.output not in (None, STDOUT):
        return atomic_output(str(stage.output))
    pager = pager_command() if options.pager and sys.stdout.isatty() else []
    return paging(pager) if pager else _plain_stdout()


@contextlib.contextmanager
def _plain_stdout() -> Iterator[IO[str]]:
    with output_errors("<stdout>"):
        yield stdout()


def _terminal(stage: Stage, options: Options) -> Terminal:
    from mitools.explain.terminal import Terminal

    is_terminal = stage.output in (None, STDOUT) and sys.stdout.isatty()
    has_styles = is_terminal and os.environ.get("TERM") != "dumb"
    has_color = has_styles and not os.environ.get("NO_COLOR")
    if options.color != "auto":
        has_styles = has_color = options.color == "always"
    # A file is as wide as any other: what it holds must not depend on the terminal at hand.
    found = min(shutil.get_terminal_size().columns, MAX_AUTO_WIDTH) if is_terminal else 80
    return Terminal(options.width or found, has_styles, has_color, options.grep)


def _awaits_pipe(stage: Stage, options: Options) -> bool:
    from_pipe = stage.files in ((), (STDIN,)) and options.text is None
    return from_pipe and options.pager and not options.json and sys.stdout.isatty()


def _asking(stage: Stage, options: Options, items: Iterator[Item]) -> Iterator[Item]:
    """Show progress while the student answers: throughout, or until there is something to see."""
    to_terminal = sys.stdout.isatty() and stage.output in (None, STDOUT) and not options.json
    held: list[Item] = []
    with stage.console.progress("asking the student") as update:
        for item in islice(items, 1) if to_terminal else items:
            if to_terminal:
                held.append(item)
            else:
                yield item
                update(1, "")
    yield from held
    yield from items


def _report(stage: Stage, explanation: Explanation, options: Options) -> None:
    tally = explanation.tally
    if options.text is not None:
        return
    if not tally.matching:
        stage.console.note(f"none of {tally.read:,} records matches")
        if explanation.settings.criteria.needs_student and not (
            tally.with_student or options.student
        ):
            stage.console.warn('no record holds a student\'s answer; add "--student DIR"')
        return
    if not explanation.is_complete:
        tail = "; stopped where the pager was left"
    elif not explanation.settings.selection.reads_all and tally.shown == options.limit:
        tail = "; stopped at --limit"
    else:
        tail = ""
    stage.console.note(f"{tally}{tail}")
