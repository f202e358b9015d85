"""The outputs of ``mitools explain``: the terminal with its pager, a file, records, or a page."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import click

from mitools.cli._options import typed
from mitools.cli._stage import Stage, stdout
from mitools.console import claim_terminal
from mitools.errors import UsageError
from mitools.files import STDIN, STDOUT, atomic_output, output_errors

if TYPE_CHECKING:
    from mitools.explain.filters import ViewedRecord
    from mitools.explain.options import ExplainOptions
    from mitools.explain.overview import Overview
    from mitools.explain.pager import Sink
    from mitools.explain.run import ExplanationRun
    from mitools.explain.summary_file import Summary
    from mitools.explain.terminal import Terminal
    from mitools.explain.view import Who

__all__ = [
    "Outputs",
    "awaits_pipe",
    "report",
    "showing",
    "shows_to_terminal",
    "write_folder_index",
]

MAX_AUTO_WIDTH = 180
"""Cells; longer lines are hard to read on any terminal."""

LARGE_PAGE_MB = 50

_OF_AN_INDEX = ("files", "html", "config", "quiet", "debug")
"""The parameters that the index of a folder has a use for."""

_OF_TEXT = ("full", "diff", "width")
"""The parameters that only text has a use for."""

_OF_STUDENT = ("batch_size", "device")
"""The parameters that only a student has a use for."""

Show = Callable[["ViewedRecord"], None]


@dataclass(frozen=True)
class Outputs:
    """What the command writes, and how text looks."""

    json: bool
    html: str | None
    summary: str | None
    vs_summary: tuple[str, ...]
    full: bool
    diff: bool
    journal: str | None
    width: int | None
    color: str
    pager: bool

    @property
    def has_text(self) -> bool:
        """Whether records are shown as text."""
        return not self.json and self.html is None

    def check(self, options: ExplainOptions, output: str | None) -> None:
        """Raise :class:`UsageError` if two outputs do not fit together."""
        if self.vs_summary and (not options.vs or self.html is None):
            message = "--vs-summary needs a page of two students"
            raise UsageError(message, hint="add --vs FILE and --html FILE")
        if len(self.vs_summary) > len(options.other_files):
            message = "there are more --vs-summary than --vs"
            raise UsageError(message, hint="give one for each --vs FILE, in the same order")
        if self.summary is not None and self.html is None and self.json:
            message = "--summary has no effect with --json alone"
            raise UsageError(message, hint="add --html FILE, or drop one")
        if options.student is None:
            for name in typed(_OF_STUDENT):
                message = f"--{name.replace('_', '-')} needs a student"
                raise UsageError(message, hint="add --student DIR")
        if not self.has_text:
            for name in typed(_OF_TEXT):
                message = f"--{name} has no effect without text"
                raise UsageError(message, hint=f"drop it, or {'--json' if self.json else '--html'}")
        if self.html is None:
            if self.journal is not None:
                raise UsageError("--journal is for a page", hint="add --html FILE")
            return
        if self.json and self.html == (output or STDOUT):
            message = "a page and records cannot go to the same output"
            raise UsageError(message, hint="name two")
        if not self.json and output is not None:
            raise UsageError("with --html, -o is for records", hint="add --json, or drop -o")


@contextlib.contextmanager
def showing(stage: Stage, outputs: Outputs, run: ExplanationRun) -> Iterator[Show]:
    """Open all outputs of the records."""
    shows: list[Show] = []
    with contextlib.ExitStack() as stack:
        if outputs.html is not None:
            shows.append(stack.enter_context(_page(stage, outputs, run)))
        if outputs.json:
            out = stack.enter_context(stage.writing())
            shows.append(lambda item: out.write(item.as_record()))
        if outputs.has_text:
            shows.append(stack.enter_context(_text(stage, outputs, run)))

        def show(item: ViewedRecord) -> None:
            for show_there in shows:
                show_there(item)

        yield show


@contextlib.contextmanager
def _text(stage: Stage, outputs: Outputs, run: ExplanationRun) -> Iterator[Show]:
    terminal = _terminal(stage, outputs, run.options)
    summary = _summary(outputs.summary)
    figures = "" if run.overview else _figures(terminal, summary)
    with contextlib.ExitStack() as stack:
        stream: Sink | None = None

        def show(text: str) -> None:
            nonlocal stream
            # Opened with the first text: an error needs no pager.
            if stream is None:
                stream = stack.enter_context(_stream(stage, outputs, run.options))
                stream.write(figures)
            stream.write(text)
            stream.flush()

        yield lambda item: show(terminal.render(item.view))
        if run.overview is not None and shows_to_terminal(stage, outputs):
            show(_overview(stage, terminal, run.overview, run.options, outputs.summary))
        elif stream is None and figures:
            show("")


def _overview(
    stage: Stage,
    terminal: Terminal,
    overview: Overview,
    options: ExplainOptions,
    given: str | None,
) -> str:
    from mitools.explain.terminal_figures import render_overview

    summary = _summary(given) or overview.summary(options.seed)
    commands = overview.next_commands(stage.files, options, given)
    return render_overview(terminal, summary, commands)


def _figures(terminal: Terminal, summary: Summary | None) -> str:
    if summary is None:
        return ""
    from mitools.explain.terminal_figures import render_figures

    return render_figures(terminal, summary)


@contextlib.contextmanager
def _page(stage: Stage, outputs: Outputs, run: ExplanationRun) -> Iterator[Show]:
    """Collect a page, and write it after the last record."""
    from mitools.explain.page.teacher_replies import TeacherReplies
    from mitools.explain.page.write import Page
    from mitools.explain.view import other_key

    path = str(outputs.html)
    named = [("student", outputs.summary)]
    named += [(other_key(index), name) for index, name in enumerate(outputs.vs_summary)]
    summaries = {who: found for who, name in named if (found := _summary(name)) is not None}
    # Opened at the start: a wrong path must fail before the student answers.
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(_plain_stdout() if path == STDOUT else atomic_output(path))
        replies = TeacherReplies(outputs.journal) if outputs.journal is not None else None
        page = stack.enter_context(Page(run.options.seed, summaries, replies))
        yield page.add
        page.finish(stream, run, _sources(stage, run.options), stage.console.warn)
    if path != STDOUT:
        _report_size(stage, path, page.count)


def write_folder_index(stage: Stage, outputs: Outputs) -> None:
    """Write the index of a folder of runs.

    Raises:
        UsageError: something else is asked for as well.
    """
    from mitools.explain.page.write_index import write_index

    folder, *more = stage.files
    if more:
        raise UsageError("an index is of one folder", hint="name the folder alone")
    if outputs.html is None or outputs.html == STDOUT:
        raise UsageError(f"{folder} is a folder", hint="add --html index.html, and drop the rest")
    params = {param.name or "": param for param in click.get_current_context().command.params}
    for name in typed(params):
        if name not in _OF_AN_INDEX:
            message = f"{params[name].opts[-1]} has no effect on the index of a folder"
            raise UsageError(message, hint="leave it out, or name a file of records in the folder")
    with stage.console.progress("reading", unit="runs") as update:
        count = write_index(
            folder,
            outputs.html,
            warn=stage.console.warn,
            progress=lambda done: update(done, ""),
        )
    stage.console.note(f"{outputs.html}: {count:,} run{'s' * (count != 1)}")


def _summary(path: str | None) -> Summary | None:
    if path is None:
        return None
    from mitools.explain.summary_file import read_summary

    return read_summary(path)


def _sources(stage: Stage, options: ExplainOptions) -> list[str]:
    names = [options.text] if options.text is not None else stage.files or (STDIN,)
    return ["stdin" if name == STDIN else name for name in names]


def _report_size(stage: Stage, path: str, count: int) -> None:
    size = os.stat(path).st_size / 1e6
    records = f"{count:,} record{'s' * (count != 1)}"
    if size < LARGE_PAGE_MB:
        stage.console.note(f"{path}: {records}, {size:.1f} MB")
        return
    stage.console.warn(
        f"{path}: {records}, {size:.0f} MB, which is slow in a browser; "
        "filters, --limit or --sample N make it smaller"
    )


def _stream(
    stage: Stage, outputs: Outputs, options: ExplainOptions
) -> contextlib.AbstractContextManager[Sink]:
    from mitools.explain.pager import pager_command, paging, paging_if_long, quits_if_short
    from mitools.explain.terminal import RECORD_START

    if stage.output not in (None, STDOUT):
        return atomic_output(str(stage.output))
    # An overview is short, and its commands are to be copied.
    wants_pager = outputs.pager and not options.is_overview
    pager = pager_command() if wants_pager and sys.stdout.isatty() else []
    if not pager:
        return _plain_stdout()
    claim_terminal()
    if quits_if_short(pager):
        screen = shutil.get_terminal_size().lines
        return paging_if_long(pager, _plain_stdout, screen, RECORD_START)
    return paging(pager, RECORD_START)


@contextlib.contextmanager
def _plain_stdout() -> Iterator[IO[str]]:
    with output_errors("<stdout>"):
        yield stdout()


def _terminal(stage: Stage, outputs: Outputs, options: ExplainOptions) -> Terminal:
    from mitools.explain.terminal import Terminal

    is_terminal = stage.output in (None, STDOUT) and sys.stdout.isatty()
    has_styles = is_terminal and os.environ.get("TERM") != "dumb"
    has_color = has_styles and not os.environ.get("NO_COLOR")
    if outputs.color != "auto":
        has_styles = has_color = outputs.color == "always"
    return Terminal(
        outputs.width or _width(is_terminal=is_terminal),
        has_styles,
        has_color,
        options.pattern,
        is_full=outputs.full,
        has_differences=outputs.diff,
        names=_names(stage, options),
    )


def _width(*, is_terminal: bool) -> int:
    """Return the columns: ``COLUMNS``, else those of the terminal; 80 in a file or a pipe."""
    columns = shutil.get_terminal_size().columns
    if not is_terminal:
        # The text must not depend on the terminal that happens to be there.
        typed = os.environ.get("COLUMNS", "")
        columns = int(typed) if typed.isascii() and typed.isdigit() and int(typed) else 80
    return min(columns, MAX_AUTO_WIDTH)


def _names(stage: Stage, options: ExplainOptions) -> dict[Who, str]:
    """Return the names of the students: their files, or the folder of the one that is asked."""
    from mitools.explain.run_names import names_of_students

    first = options.student or next(iter(stage.files), STDIN)
    return names_of_students(first, options.other_files)


def shows_to_terminal(stage: Stage, outputs: Outputs) -> bool:
    """Return whether records are shown on a terminal."""
    is_shown = stage.output in (None, STDOUT) and outputs.has_text
    return is_shown and sys.stdout.isatty()


def awaits_pipe(stage: Stage, outputs: Outputs, options: ExplainOptions) -> bool:
    """Return whether a pager would open while earlier stages of the pipe still run."""
    from_pipe = stage.files in ((), (STDIN,)) and options.text is None
    return from_pipe and outputs.pager and outputs.has_text and sys.stdout.isatty()


def report(stage: Stage, run: ExplanationRun) -> None:
    """Print the messages about a run."""
    from mitools.explain.report import run_messages

    for message in run_messages(run):
        (stage.console.warn if message.is_warning else stage.console.note)(message.text)
