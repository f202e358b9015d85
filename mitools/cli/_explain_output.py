"""Where what ``mitools explain`` found goes: the terminal and its pager, a file, or records."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING, Any

from mitools.cli._explain_options import Options
from mitools.cli._stage import Stage, stdout
from mitools.files import (
    STDIN,
    STDOUT,
    atomic_output,
    input_errors,
    open_input,
    output_errors,
)
from mitools.records import Record

if TYPE_CHECKING:
    from mitools.explain.filters import ViewedRecord
    from mitools.explain.page.write import About
    from mitools.explain.run import Explanation
    from mitools.explain.terminal import Terminal

__all__ = ["awaits_pipe", "report", "showing", "shows_to_terminal"]

MAX_AUTO_WIDTH = 180
"""Cells; longer lines are hard to read, however wide the terminal is."""

LARGE_PAGE_MB = 50

Show = Callable[["ViewedRecord"], None]


@contextlib.contextmanager
def showing(stage: Stage, options: Options, explanation: Explanation) -> Iterator[Show]:
    """Open the places where items go: a page, records, a file, the pager or stdout."""
    shows: list[Show] = []
    with contextlib.ExitStack() as stack:
        if options.html is not None:
            shows.append(stack.enter_context(_page(stage, options, explanation)))
        if options.json:
            out = stack.enter_context(stage.writing())
            shows.append(lambda item: out.write(_record(item)))
        if options.is_for_terminal:
            shows.append(stack.enter_context(_text(stage, options)))

        def show(item: ViewedRecord) -> None:
            for one in shows:
                one(item)

        yield show


@contextlib.contextmanager
def _text(stage: Stage, options: Options) -> Iterator[Show]:
    terminal = _terminal(stage, options)
    summary = _summary(options.summary)
    with contextlib.ExitStack() as stack:
        stream: IO[str] | None = None

        def show(text: str) -> None:
            nonlocal stream
            # Not before there is something to show: an error needs no pager.
            if stream is None:
                stream = stack.enter_context(_stream(stage, options))
                stream.write(_figures(terminal, summary))
            stream.write(text)
            stream.flush()

        yield lambda item: show(terminal.render(item.view))
        if stream is None and summary is not None:
            show("")


def _figures(terminal: Terminal, summary: dict[str, Any] | None) -> str:
    if summary is None:
        return ""
    from mitools.explain.terminal_figures import render_figures

    return render_figures(terminal, summary)


@contextlib.contextmanager
def _page(stage: Stage, options: Options, explanation: Explanation) -> Iterator[Show]:
    """Collect a page, and write it when the last item was shown."""
    from mitools.explain.page.write import Page

    path = str(options.html)
    summaries = {
        who: summary
        for who, name in (("student", options.summary), ("second", options.vs_summary))
        if (summary := _summary(name)) is not None
    }
    # Opened at the start: a wrong path must not cost an hour of a student's answers.
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(_plain_stdout() if path == STDOUT else atomic_output(path))
        page = stack.enter_context(Page(options.seed, summaries))
        yield page.add
        doubts = tuple(page.doubts())
        for doubt in doubts:
            stage.console.warn(doubt)
        page.write(stream, _about(stage, options, explanation, doubts))
    if path != STDOUT:
        _report_size(stage, path, page.count)


def _summary(path: str | None) -> dict[str, Any] | None:
    if path is None:
        return None
    from mitools.explain.summaries import load_summary

    with input_errors(path), open_input(path) as stream:
        return load_summary(stream.read(), path)


def _about(
    stage: Stage, options: Options, explanation: Explanation, notes: tuple[str, ...]
) -> About:
    from importlib.metadata import version

    from mitools.explain.page.write import About

    names = [options.text] if options.text is not None else stage.files or (STDIN,)
    source = ", ".join("stdin" if name == STDIN else name for name in names)
    versus = explanation.versus
    return About(
        source=source,
        version=version("mitools"),
        read=explanation.tally.read,
        selection=options.selection(),
        second_source=versus.name if versus else "",
        comparison=explanation.comparison if versus else None,
        notes=notes,
    )


def _report_size(stage: Stage, path: str, count: int) -> None:
    size = os.stat(path).st_size / 1e6
    records = f"{count:,} record{'s' * (count != 1)}"
    if size < LARGE_PAGE_MB:
        stage.console.note(f"{path}: {records}, {size:.1f} MB")
        return
    stage.console.warn(
        f"{path}: {records}, {size:.0f} MB, over which a browser takes long; "
        "filters, --limit or --sample N make it smaller"
    )


def _record(item: ViewedRecord) -> Record:
    """Pass a record on as it came, beside it what a second student said."""
    if item.second is None:
        return item.record
    said = {name: item.second[name] for name in ("student", "scores") if item.second.get(name)}
    return {**item.record, "second": said}


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


def shows_to_terminal(stage: Stage, options: Options) -> bool:
    """Tell whether a person watches the records being shown."""
    is_shown = stage.output in (None, STDOUT) and options.is_for_terminal
    return is_shown and sys.stdout.isatty()


def awaits_pipe(stage: Stage, options: Options) -> bool:
    """Tell whether a pager would open while the stages before this one still speak."""
    from_pipe = stage.files in ((), (STDIN,)) and options.text is None
    return from_pipe and options.pager and options.is_for_terminal and sys.stdout.isatty()


def report(stage: Stage, explanation: Explanation, options: Options) -> None:
    """Say what was shown, and what a second student changed."""
    tally = explanation.tally
    if options.text is not None:
        return
    _report_versus(stage, explanation)
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


def _report_versus(stage: Stage, explanation: Explanation) -> None:
    versus, tally, console = explanation.versus, explanation.tally, stage.console
    if versus is None:
        return
    name, read = versus.name, versus.read
    for count, total, what in (
        (tally.unanswered, tally.read, f"without an answer in {name}"),
        (versus.again, tally.read, "with an id seen before; all are compared"),
        (versus.silent, read, f"of {name} without an answer"),
        (versus.repeated, read, f"of {name} with an id seen before, left out"),
        (versus.differing, tally.read, f"with another input, gold, choices or task in {name}"),
    ):
        if count:
            console.warn(f"{count:,} of {total:,} record{'s' * (total != 1)} {what}")
    if explanation.has_read_all and versus.unmet:
        many = versus.unmet
        console.warn(f"{many:,} answer{'s' * (many != 1)} in {name} to records not read")
    part = "" if explanation.has_read_all else f", of the {tally.read:,} read"
    console.note(f"{name} against the first: {explanation.comparison.told()}{part}")
