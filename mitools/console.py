"""The only owner of stderr: messages, tables and progress for people.

On a terminal it speaks through rich; elsewhere it writes plain lines, so that a log stays readable.
Domain code never imports this module: it reports through callbacks that the command line makes.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console as RichConsole

__all__ = ["Console", "Update"]

Update = Callable[[int, str], None]
"""Advance a progress bar by so many, and show this text beside it."""


class Console:
    """Speak to the person at the terminal on behalf of one command.

    Attributes:
        name: what messages begin with, for example ``mitools train``.
        quiet: keep everything back but errors.
    """

    def __init__(self, name: str, *, quiet: bool = False) -> None:
        self.name = name
        self.quiet = quiet

    def error(self, text: str) -> None:
        self._write(f"{self.name}: {text}", style="bold red")

    def warn(self, text: str) -> None:
        if not self.quiet:
            self._write(f"{self.name}: warning: {text}", style="yellow")

    def note(self, text: str) -> None:
        if not self.quiet:
            self._write(f"{self.name}: {text}", style="dim")

    def table(self, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show a table; plain aligned text where stderr is no terminal."""
        if self.quiet:
            return
        if not sys.stderr.isatty():
            self._write("\n".join([f"{self.name}: {title}", *_align([columns, *rows])]))
            return
        from rich.table import Table
        from rich.text import Text

        table = Table(title=title, title_justify="left", header_style="bold", box=None)
        for index, column in enumerate(columns):
            table.add_column(column, justify="left" if index == 0 else "right")
        for row in rows:
            table.add_row(*map(Text, row))
        _rich().print(table)

    @contextlib.contextmanager
    def progress(
        self, what: str, total: int | None = None, unit: str = "records"
    ) -> Iterator[Update]:
        """Show how far a loop is; nothing where stderr is no terminal."""
        if self.quiet or not sys.stderr.isatty():
            yield lambda _advance, _text: None
            return
        from rich import progress

        columns = [
            progress.TextColumn("{task.description}"),
            progress.BarColumn() if total is not None else progress.SpinnerColumn(),
            progress.MofNCompleteColumn()
            if total
            else progress.TextColumn("{task.completed:,.0f}"),
            progress.TextColumn(unit),
            progress.TextColumn("{task.fields[text]}"),
            progress.TimeElapsedColumn(),
            *([progress.TimeRemainingColumn()] if total is not None else []),
        ]
        with progress.Progress(*columns, console=_rich(), transient=True) as bar:
            task = bar.add_task(what, total=total, text="")
            yield lambda advance, text: bar.update(task, advance=advance, text=text)

    def _write(self, text: str, style: str = "") -> None:
        try:
            if style and sys.stderr.isatty() and not os.environ.get("NO_COLOR"):
                from rich.text import Text

                _rich().print(Text(text, style=style), soft_wrap=True)
            else:
                sys.stderr.write(text + "\n")
                sys.stderr.flush()
        except (OSError, ValueError):  # closed, or full: that must not bring the stage down
            _abandon_stderr()


def _abandon_stderr() -> None:
    """Keep the interpreter from flushing a broken stderr on its way out, with status 120."""
    with contextlib.suppress(OSError, ValueError):
        number = sys.stderr.fileno()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, number)
        os.close(null)


def _rich() -> RichConsole:
    from rich.console import Console as RichConsole

    return RichConsole(stderr=True, highlight=False)


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
