"""Where what ``mitools explain`` found goes: the terminal and its pager, a file, or records."""

from __future__ import annotations

import contextlib
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from typing import IO, TYPE_CHECKING

from mitools.cli._explain_options import Options
from mitools.cli._stage import Stage, stdout
from mitools.files import STDIN, STDOUT, atomic_output, output_errors
from mitools.records import Record

if TYPE_CHECKING:
    from mitools.explain.filters import Item
    from mitools.explain.run import Explanation
    from mitools.explain.terminal import Terminal

__all__ = ["awaits_pipe", "report", "showing", "shows_to_terminal"]

MAX_AUTO_WIDTH = 180
"""Cells; longer lines are hard to read, however wide the terminal is."""

Show = Callable[["Item"], None]


@contextlib.contextmanager
def showing(stage: Stage, options: Options) -> Iterator[Show]:
    """Open the place where items go: records, a file, the pager or stdout."""
    if options.json:
        with stage.writing() as out:
            yield lambda item: out.write(_record(item))
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


def _record(item: Item) -> Record:
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
    return sys.stdout.isatty() and stage.output in (None, STDOUT) and not options.json


def awaits_pipe(stage: Stage, options: Options) -> bool:
    """Tell whether a pager would open while the stages before this one still speak."""
    from_pipe = stage.files in ((), (STDIN,)) and options.text is None
    return from_pipe and options.pager and not options.json and sys.stdout.isatty()


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
    console.note(f"{name} against the first: {explanation.comparison}{part}")
