"""``mitools explain``: show gold, teacher and student side by side."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import fields, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from mitools.cli._explain_output import (
    Outputs,
    Show,
    awaits_pipe,
    report,
    showing,
    shows_to_terminal,
    write_folder_index,
)
from mitools.cli._options import (
    answer_options,
    batch_size_option,
    device_option,
    seed_option,
    student_option,
    task_option,
)
from mitools.cli._places import OutputPath, RecipePath, TypedOption
from mitools.cli._stage import Stage, stage
from mitools.errors import UsageError
from mitools.explain.options import SORT_KEYS, SUPPORTS, ExplainOptions
from mitools.explain.view import HIGH_CONFIDENCE
from mitools.files import STDIN
from mitools.records import Record, Reject, raise_fault
from mitools.schema import SPLITS

if TYPE_CHECKING:
    from mitools.explain.filters import ViewedRecord
    from mitools.explain.second_student import SecondStudent

__all__ = ["command"]

READ_AHEAD = 1000
"""Records to read from a pipe before the pager opens: enough to let the progress bars of earlier
stages end, and few enough to keep the wait short."""

GROUPS = {
    "Filters": "--wrong --right --inconsistent --consistent --low-conf --high-conf-wrong "
    "--supports --teacher-wrong --disagree --suspects --sure --unsure --grep --label --id --split",
    "Other students": "--vs --fixed --broken --changed",
    "Order": "--sort --reverse --limit --sample --overview",
    "Student": "--student --text --choices --answer --draws --answer-weight --task --batch-size "
    "--device",
    "Input and output": "--json --html --summary --vs-summary --journal",
    "Terminal": "--full --diff --width --color --pager",
}


class _Probability(click.FloatRange):
    """A number from 0 to 1; the error says how to write one that may be omitted."""

    name = "probability"

    def __init__(self) -> None:
        super().__init__(0, 1)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            name = param.opts[0] if param else ""
            self.fail(f'"{value}" is not a number from 0 to 1; write "{name}=0.9"', param, ctx)


def _compile_pattern(
    _ctx: click.Context, _param: click.Parameter, value: str | None
) -> re.Pattern[str] | None:
    try:
        return None if value is None else re.compile(value)
    except re.error as exc:
        raise click.BadParameter(f'"{value}" is not a regular expression ({exc})') from exc


@stage("explain", rewrites=False, groups=GROUPS)
@click.option("--wrong", is_flag=True, help="Records whose student label is not gold.")
@click.option("--right", is_flag=True, help="Records whose student label is gold.")
@click.option(
    "--inconsistent",
    is_flag=True,
    help="Records whose student rationale supports another answer than the student's label.",
)
@click.option(
    "--consistent",
    is_flag=True,
    help="Records whose student rationale supports the student's label.",
)
@click.option(
    "--low-conf",
    type=_Probability(),
    metavar="P",
    help="Records with a student confidence below P.",
)
@click.option(
    "--high-conf-wrong",
    type=_Probability(),
    is_flag=False,
    flag_value=HIGH_CONFIDENCE,
    metavar="[P]",
    help=f"Records with a wrong label and a confidence of P or more. [{HIGH_CONFIDENCE} without P]",
)
@click.option(
    "--supports",
    type=click.Choice(SUPPORTS),
    multiple=True,
    help="Records by the answer that the student's rationale supports: the student's label, "
    "else gold, else another one, or none.",
)
@click.option("--teacher-wrong", is_flag=True, help="Records whose teacher label is not gold.")
@click.option("--disagree", is_flag=True, help="Records with different teacher and student labels.")
@click.option(
    "--suspects",
    is_flag=True,
    help="Records to check by hand: the student is sure, and the known labels are not all equal.",
)
@click.option(
    "--sure", is_flag=True, help="Records with a confidence at or above the operating point."
)
@click.option(
    "--unsure",
    is_flag=True,
    help="Records with a confidence below the operating point, left to the teacher.",
)
@click.option(
    "--grep",
    metavar="REGEX",
    callback=_compile_pattern,
    help='Records with a match in the input, a label or a rationale; "(?i)…" ignores case.',
)
@click.option("--label", multiple=True, help="Records with this gold label.")
@click.option("--id", multiple=True, help="The record with this id.")
@click.option("--split", type=click.Choice(SPLITS), multiple=True, help="Records of this split.")
@click.option(
    "--vs",
    type=RecipePath(),
    multiple=True,
    metavar="FILE",
    help="File with another student's answers to the same records, matched by id; may be repeated.",
)
@click.option(
    "--fixed",
    is_flag=True,
    help="Records that another student has right and the first has not; with --broken, either.",
)
@click.option(
    "--broken", is_flag=True, help="Records that the first student has right and another has not."
)
@click.option("--changed", is_flag=True, help="Records with different labels of two students.")
@click.option(
    "--sort",
    type=click.Choice(SORT_KEYS),
    help="Order by confidence, id or input length, ascending. Reads all records first.",
)
@click.option("--reverse", is_flag=True, help="Descending order.")
@click.option("--limit", type=click.IntRange(min=1), metavar="N", help="Most records to show.")
@click.option(
    "--sample",
    type=click.IntRange(min=1),
    metavar="N",
    help="Number of matching records to draw at random. Reads all records first.",
)
@click.option(
    "--overview",
    is_flag=True,
    help="Without filters: a right, a wrong and an inconsistent record; on a terminal also the "
    "main figures and next commands.",
)
@seed_option
@click.option(
    "--json",
    is_flag=True,
    help="Write the matching records instead of text; with --vs, with the fields "
    '"second", "third" and so on.',
)
@click.option(
    "--html",
    cls=TypedOption,
    type=OutputPath(),
    metavar="FILE",
    help="File for an HTML page with records and figures, instead of text. If FILE is a folder: an "
    "index of the runs in it; if this is a folder too, with a page for each.",
)
@click.option(
    "--summary",
    type=RecipePath(),
    metavar="FILE",
    help='Summary of "mitools eval --summary", shown on the page or before the records.',
)
@click.option(
    "--vs-summary",
    type=RecipePath(),
    multiple=True,
    metavar="FILE",
    help="Summary of the student of a --vs, in the same order, for the page.",
)
@click.option(
    "--journal",
    type=RecipePath(),
    metavar="FILE",
    help='Journal of "mitools annotate", whose replies the page shows with each record.',
)
@student_option
@click.option("--text", help="Input for the student, instead of records.")
@click.option("--choices", metavar="A,B,…", help="Possible answers to --text.")
@answer_options("the student's; 0.5 if it has none")
@task_option
@batch_size_option(ExplainOptions.batch_size)
@device_option
@click.option("--full", is_flag=True, help="Long texts whole; otherwise their middle is left out.")
@click.option(
    "--diff",
    is_flag=True,
    help="Also differences of the rationales by words: of the students with --vs, otherwise of "
    "teacher and student.",
)
@click.option(
    "--width",
    type=click.IntRange(min=40),
    metavar="N",
    help="Columns of the text.  [default: COLUMNS, the terminal's, or 80]",
)
@click.option(
    "--color",
    type=click.Choice(["auto", "always", "never"]),
    default="auto",
    show_default=True,
    help="Colours; auto: on a terminal, unless NO_COLOR is set.",
)
@click.option(
    "--pager/--no-pager",
    default=True,
    help="Pager (PAGER, or less) on a terminal; in less, n and N jump to another record.",
)
def command(stage: Stage, **params: Any) -> None:
    """Show gold, teacher and student side by side.

    Each record is shown with its verdicts (✓, ✗), its flags (!) and the answer that each rationale
    supports. All given filters must match; of a filter given several times, one must match. No
    matching record is not an error. --student answers only records without a student's answer.

    \b
    mitools explain judged.jsonl --wrong --sort confidence --reverse
    mitools explain judged.jsonl --inconsistent --json | jq .id
    mitools explain judged.jsonl --vs other.jsonl --fixed --broken
    mitools explain judged.jsonl --summary figures.json --html page.html
    mitools explain runs/ --html index.html
    mitools explain --student runs/cqa --text "Where do fish live?" --choices "sea,tree"
    """
    from mitools.explain.pager import read_ahead
    from mitools.explain.run import ExplanationRun

    outputs = Outputs(**{field.name: params.pop(field.name) for field in fields(Outputs)})
    options = ExplainOptions(**params)
    if any(map(os.path.isdir, stage.files)):
        write_folder_index(stage, outputs)
        return
    if not outputs.has_text:
        options = replace(options, overview=False)  # a page and records are of all records
    options.check()
    outputs.check(options, stage.output)
    others = list(_other_students(stage, options))
    run = ExplanationRun(options, others=others, warn=stage.console.warn)
    with _records(stage, options) as (records, reject), showing(stage, outputs, run) as show:
        items = run.run(records, reject)
        if options.student or outputs.html:
            items = _progressing(stage, outputs, options, items)
        if awaits_pipe(stage, outputs, options):
            items = read_ahead(items, READ_AHEAD)
        _show_each(items, show, reject)
    report(stage, run)


def _show_each(items: Iterable[ViewedRecord], show: Show, reject: Reject) -> None:
    """Show the records one after the other; reject one that fails by its own content."""
    for item in items:
        try:
            show(item)
        except Exception as exc:  # reject raises again what is not about the record
            reject(item.record, exc)


def _other_students(stage: Stage, options: ExplainOptions) -> Iterator[SecondStudent]:
    """Read the other students' answers, with the same handling of invalid lines as the input."""
    files = options.other_files
    if STDIN in files and (not stage.files or STDIN in stage.files or files.count(STDIN) > 1):
        raise UsageError("two students cannot come from stdin", hint="name a file")
    from mitools.explain.second_student import SecondStudent

    for path in files:
        with replace(stage, files=(path,)).reading() as records:
            yield SecondStudent(records, path)


@contextlib.contextmanager
def _records(stage: Stage, options: ExplainOptions) -> Iterator[tuple[Iterable[Record], Reject]]:
    """Open the input, unless a text is given; yield the records, and how to reject one."""
    if options.text is None:
        with stage.reading("input") as records:
            yield records, records.reject
        return
    if stage.files:
        raise UsageError("--text reads no files", hint="drop --text, or the files")
    yield (), raise_fault


def _progressing(
    stage: Stage, outputs: Outputs, options: ExplainOptions, items: Iterator[ViewedRecord]
) -> Iterator[ViewedRecord]:
    """Show progress: until the first record on a terminal, otherwise until the end."""
    to_terminal = shows_to_terminal(stage, outputs)
    held: list[ViewedRecord] = []
    what = "asking the student" if options.student else "reading"
    with stage.console.progress(what) as update:
        for item in islice(items, 1) if to_terminal else items:
            if to_terminal:
                held.append(item)
            else:
                yield item
                update(1)
    yield from held
    yield from items
