"""The only owner of stderr: messages, tables and progress for people.

On a terminal it uses rich; elsewhere it writes plain lines, so that a log stays readable. Domain
code never imports this module: it reports through callbacks that the command line makes.

All text is escaped here: ids, file names, messages of servers. Messages stay on one line.
:func:`guard_stderr` does the same for the output of libraries.

The stages of a pipe share a terminal. Its last line is the live line of one of them
(:mod:`mitools.terminal_lock`); the cursor stays in it. A message of any stage first clears that
line, in the same write, and the stage that owns the line draws it again below the message.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any

from mitools.escape import on_one_line, visible
from mitools.progress import Progress
from mitools.terminal_lock import TerminalLock

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.console import RenderableType

__all__ = ["Console", "Update", "claim_terminal", "guard_stderr"]

CLEAR = "\r\x1b[2K"
DRAW_SECONDS = 0.5
PLAIN_SECONDS = 30.0
"""Between plain lines; twice as long each time while nothing changes, up to ``IDLE_SECONDS``."""
IDLE_SECONDS = 600.0

# Held while something is written; reentrant, as a signal handler may write a warning.
_writing = threading.RLock()
_running: list[Update] = []
"""The loops of this process that are shown; the last one is inside the others."""

_PLAIN_BARS = str.maketrans("━╌", "=-")


class Console:
    """Writes messages, tables and progress of one command.

    Attributes:
        name: prefix of messages, for example ``mitools train``.
        quiet: write errors only.
    """

    def __init__(self, name: str, *, quiet: bool = False) -> None:
        self.name = on_one_line(name)
        self.quiet = quiet

    def error(self, text: str) -> None:
        self._say(text, style="bold red")

    def warn(self, text: str) -> None:
        if not self.quiet:
            self._say(f"warning: {text}", style="yellow")

    def note(self, text: str) -> None:
        if not self.quiet:
            self._say(text, style="dim")

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show a table; as plain aligned text if stderr is not a terminal."""
        if self.quiet:
            return
        title, columns = on_one_line(title), [on_one_line(column) for column in columns]
        rows = [[on_one_line(cell) for cell in row] for row in rows]
        if not _is_terminal():
            self._write("\n".join([f"{self.name}: {title}", *_align([columns, *rows])]))
            return
        from rich.table import Table
        from rich.text import Text

        # Not the table's own title, which is wrapped to the width of the table.
        heading = _rendered(Text(f"{self.name}: {title}", style="italic"))
        table = Table(header_style="bold", box=None)
        for index, column in enumerate(columns):
            table.add_column(Text(column), justify="left" if index == 0 else "right")
        for row in rows:
            table.add_row(*map(Text, row))
        _print(heading + _rendered(table, soft_wrap=False))

    @contextlib.contextmanager
    def progress(
        self,
        what: str = "",
        total: int | None = None,
        unit: str = "records",
        *,
        log: str | None = None,
    ) -> Iterator[Update]:
        """Show the progress of a loop, from the first update on.

        On a terminal this is a live line, if no other stage has one. Elsewhere it is a plain line
        every 30 seconds, and more rarely while nothing changes.

        Args:
            what: what the loop does, such as ``reading``; empty for the work of the stage itself.
            total: how many there are, if known.
            unit: what is counted; empty if nothing is.
            log: a file with more figures, which the first plain line names.
        """
        stage = self.name.rpartition(" ")[2]
        update = Update(self, Progress(stage, what, unit, total, log=log))
        try:
            yield update
        finally:
            update.close()

    def _say(self, text: str, style: str) -> None:
        self._write(on_one_line(f"{self.name}: {text}"), style)

    def _write(self, text: str, style: str = "") -> None:
        text = visible(text)
        if style and _is_terminal() and not os.environ.get("NO_COLOR"):
            from rich.text import Text

            _print(_rendered(Text(text, style=style)))
        else:
            _print(text + "\n")


class Update:
    """Shows one loop while it runs; call it with how many more are done, and figures to show.

    Nothing is shown before the first call.
    """

    def __init__(self, console: Console, progress: Progress) -> None:
        self._console = console
        self._progress = progress
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._said_at = 0.0
        self._said: tuple[object, ...] | None = None
        self._pause = PLAIN_SECONDS
        self._is_drawn = False

    def __call__(self, advance: int, *figures: str) -> None:
        self._progress.count += advance
        if figures:
            self._progress.figures = tuple(figure for figure in figures if figure)
        if self._thread is None and not self._console.quiet:
            with _writing:  # the first calls may come from two threads
                if self._thread is None:
                    self._start()

    def skip(self, count: int) -> None:
        """Count what was done before this run; it does not change the speed."""
        self._progress.skip(count)

    def report(self) -> None:
        """Write a plain line now, where progress is plain lines."""
        if not (self._console.quiet or _draws_lines()):
            self._say()

    def close(self) -> None:
        """Remove the live line."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        with _writing:
            if self in _running:
                _running.remove(self)
            if self._is_drawn:
                self._is_drawn = False
                _emit(CLEAR)
                if (lock := _lock()) is not None:
                    lock.stop_drawing()

    def _start(self) -> None:
        self._progress.start()
        self._said_at = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)
        _running.append(self)
        self.show()
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(min(DRAW_SECONDS, PLAIN_SECONDS)):
            self.show()

    def redraw(self) -> None:
        """Draw the live line again below a message."""
        if self._is_drawn:
            self.show()

    def show(self) -> None:
        """Draw the live line, or write a plain line if one is due."""
        with _writing:
            if not _running or _running[-1] is not self:
                return  # a loop inside this one is shown
            if _draws_lines():
                lock = _lock()
                self._is_drawn = lock is None or lock.may_draw()
                if self._is_drawn:
                    line = _rendered(self._progress.line(_width()), end="")
                    _emit(CLEAR + (line if _has_bars() else line.translate(_PLAIN_BARS)))
            elif time.monotonic() - self._said_at >= (
                self._pause if self._said == self._state() else PLAIN_SECONDS
            ):
                self._say()

    def _state(self) -> tuple[object, ...]:
        return (self._progress.count, self._progress.figures)

    def _say(self) -> None:
        is_same = self._said == self._state()
        self._pause = min(2 * self._pause, IDLE_SECONDS) if is_same else PLAIN_SECONDS
        self._said_at, self._said = time.monotonic(), self._state()
        self._console.note(self._progress.plain())


class _Guard:
    """A stderr that escapes all text: warnings, logs and tracebacks of libraries."""

    def __init__(self, stream: IO[str]) -> None:
        self.unguarded = stream
        self._is_at_start = True

    def write(self, text: str) -> int:
        # A progress bar begins with a carriage return; inside a text one could hide its start.
        start = "\r" if text.startswith("\r") else ""
        with _writing:
            if self._is_at_start and text and _draws_lines() and _lock():
                start = CLEAR
            self.unguarded.write(start + visible(text.removeprefix("\r")))
            self._is_at_start = text.endswith("\n")
        return len(text)

    def writelines(self, lines: Sequence[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.unguarded, name)


def guard_stderr() -> None:
    """Escape everything that this process writes to stderr and that could control a terminal."""
    if not isinstance(sys.stderr, _Guard):
        sys.stderr = _Guard(sys.stderr)


def _unguarded() -> IO[str]:
    """Return the original stderr: this console escapes its text itself and may set colours."""
    stream: IO[str] = getattr(sys.stderr, "unguarded", sys.stderr)
    return stream


def _abandon_stderr() -> None:
    """Keep the interpreter from flushing a broken stderr on its way out, with status 120."""
    with contextlib.suppress(OSError, ValueError):
        number = sys.stderr.fileno()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, number)
        os.close(null)


def claim_terminal() -> None:
    """Keep every stage of this pipe from drawing, as this one writes records to the terminal."""
    with _writing:
        if _draws_lines() and (lock := _lock()) is not None:
            lock.claim_for_writing()
            _emit(CLEAR)


def _print(text: str) -> None:
    """Write whole lines, above the live line."""
    with _writing:
        _emit((CLEAR if _draws_lines() and _lock() else "") + text)
        if _running:
            _running[-1].redraw()


def _emit(text: str) -> None:
    """Write at once, so that what several processes write is not mixed."""
    with _writing:
        try:
            stream = _unguarded()
            stream.write(text)
            stream.flush()
        except (OSError, ValueError):  # closed, or full: this must not stop the stage
            _abandon_stderr()


def _is_terminal() -> bool:
    with contextlib.suppress(ValueError):  # closed
        return sys.stderr.isatty()
    return False


def _draws_lines() -> bool:
    """Return whether the live line of a pipe can be on this stderr."""
    if not _is_terminal() or os.environ.get("TERM", "dumb") in ("dumb", "unknown"):
        return False
    lock = _lock()
    return lock is None or (lock.is_usable and lock.in_foreground)


def _has_bars() -> bool:
    try:
        "━╌".encode(getattr(_unguarded(), "encoding", None) or "utf-8")
    except UnicodeEncodeError:
        return False
    return True


@functools.cache
def _lock_of(terminal: int) -> TerminalLock:
    return TerminalLock(terminal)


def _lock() -> TerminalLock | None:
    """Return the locks of the terminal that stderr is; None where it has no descriptor."""
    try:
        return _lock_of(sys.stderr.fileno())
    except (OSError, ValueError):
        return None


def _width() -> int:
    """Return the width of the terminal now, in cells; it may have been resized."""
    with contextlib.suppress(OSError, ValueError):
        if columns := os.get_terminal_size(sys.stderr.fileno()).columns:
            return columns
    return shutil.get_terminal_size().columns


def _rich() -> RichConsole:
    from rich.console import Console as RichConsole

    return RichConsole(file=_unguarded(), stderr=True, highlight=False)


def _rendered(content: RenderableType, end: str = "\n", *, soft_wrap: bool = True) -> str:
    """Return what rich would write; with ``soft_wrap`` the terminal breaks long lines."""
    console = _rich()
    with console.capture() as capture:
        console.print(content, end=end, soft_wrap=soft_wrap)
    return capture.get()


def _align(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  "
        + "  ".join(
            cell.ljust(width) if index == 0 else cell.rjust(width)
            for index, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
