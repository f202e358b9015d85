"""The only owner of stderr: messages, tables and progress for people.

On a terminal it uses rich; elsewhere it writes plain lines, so that a log stays readable. Domain
code never imports this module: it reports through callbacks that the command line makes.

All text is escaped here: ids, file names, messages of servers. Messages stay on one line.
:func:`guard_stderr` does the same for the output of libraries.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import IO, TYPE_CHECKING, Any

from mitools.escape import on_one_line, visible

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

__all__ = ["Console", "Update", "guard_stderr"]

Update = Callable[[int, str], None]
"""Advance a progress bar by a count, and show a text beside it."""


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
        if not sys.stderr.isatty():
            self._write("\n".join([f"{self.name}: {title}", *_align([columns, *rows])]))
            return
        from rich.table import Table
        from rich.text import Text

        table = Table(title=Text(title), title_justify="left", header_style="bold", box=None)
        for index, column in enumerate(columns):
            table.add_column(Text(column), justify="left" if index == 0 else "right")
        for row in rows:
            table.add_row(*map(Text, row))
        _rich().print(table)

    @contextlib.contextmanager
    def progress(
        self, what: str, total: int | None = None, unit: str = "records"
    ) -> Iterator[Update]:
        """Show the progress of a loop, if stderr is a terminal."""
        if self.quiet or not sys.stderr.isatty():
            yield lambda _advance, _text: None
            return
        from rich import progress

        columns = [
            progress.TextColumn("{task.description}", markup=False),
            progress.BarColumn() if total is not None else progress.SpinnerColumn(),
            progress.MofNCompleteColumn()
            if total
            else progress.TextColumn("{task.completed:,.0f}"),
            progress.TextColumn(unit, markup=False),
            progress.TextColumn("{task.fields[text]}", markup=False),
            progress.TimeElapsedColumn(),
            *([progress.TimeRemainingColumn()] if total is not None else []),
        ]
        with progress.Progress(*columns, console=_rich(), transient=True) as bar:
            task = bar.add_task(on_one_line(what), total=total, text="")
            yield lambda advance, text: bar.update(task, advance=advance, text=on_one_line(text))

    def _say(self, text: str, style: str) -> None:
        self._write(on_one_line(f"{self.name}: {text}"), style)

    def _write(self, text: str, style: str = "") -> None:
        text = visible(text)
        try:
            if style and sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
                from rich.text import Text

                _rich().print(Text(text, style=style), soft_wrap=True)
            else:
                _unguarded().write(text + "\n")
                _unguarded().flush()
        except (OSError, ValueError):  # closed, or full: this must not stop the stage
            _abandon_stderr()


class _Guard:
    """A stderr that escapes all text: warnings, logs and tracebacks of libraries."""

    def __init__(self, stream: IO[str]) -> None:
        self.unguarded = stream

    def write(self, text: str) -> int:
        # A progress bar begins with a carriage return; inside a text one could hide its start.
        start = "\r" if text.startswith("\r") else ""
        self.unguarded.write(start + visible(text.removeprefix("\r")))
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


def _rich() -> RichConsole:
    from rich.console import Console as RichConsole

    return RichConsole(file=_unguarded(), stderr=True, highlight=False)


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
