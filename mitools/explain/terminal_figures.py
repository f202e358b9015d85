"""The figures of a summary as text, for a terminal or a file.

The same cards and panels as on the page, one line per measure. The summary is untrusted: its texts
are escaped, as those of records are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mitools.escape import on_one_line
from mitools.explain.cards import MissingFigure, by_reason, cards, headline_cards
from mitools.explain.figure_text import Figure
from mitools.explain.next_commands import NextCommand
from mitools.explain.panels import Panel, PanelRow, panels
from mitools.explain.pieces import heading
from mitools.explain.summary_file import Summary, described
from mitools.explain.terminal import Terminal

__all__ = ["render_figures", "render_overview"]

NAME_WIDTH = 27
VALUE_WIDTH = 13
INDENT = 2
"""Cells, for the longest name and for a value such as ``-100.0 points``; panels are indented."""

MIN_BESIDE = 66
"""With less width than this, an interval is shown below its value, not beside it."""

_QUIET, _CAUTION, _HEAD = "dim", "yellow", "bold"


def render_figures(terminal: Terminal, summary: Summary) -> str:
    """Render the figures of a summary; the text ends in an empty line."""
    shown, unknown = cards({"student": summary})
    blocks, unknown_blocks = panels({"student": summary})
    parts: list[RenderableType] = [heading("figures", described(summary), terminal.width)]
    rows = [PanelRow(card.title, card.figures) for card in shown]
    if rows:
        parts.append(_table(rows, terminal.width, NAME_WIDTH + INDENT))
    for panel in blocks:
        parts += [Text(), *_panel(panel, terminal.width)]
    parts += _missing([*unknown, *unknown_blocks])
    return terminal.draw(Group(*parts))


def render_overview(
    terminal: Terminal, summary: Summary | None, commands: Sequence[NextCommand]
) -> str:
    """Render the headline of a summary, and the commands that are of use next.

    Commands are not wrapped, so that they can be copied.
    """
    parts: list[RenderableType] = []
    if summary is not None:
        about = described(summary)
        parts.append(heading("figures, 95% intervals", about, terminal.width))
        rows = [PanelRow(card.title, card.figures) for card in headline_cards(summary)]
        parts += [_table(rows, terminal.width, NAME_WIDTH + INDENT), Text()]
    if commands:
        parts.append(heading("next", "", terminal.width))
        for one in commands:
            parts.append(_quiet(one.about))
            parts.append(Text(f"  {on_one_line(one.command)}", no_wrap=True, overflow="ignore"))
    return terminal.draw(Group(*parts)) if parts else ""


def _panel(panel: Panel, width: int) -> Iterator[RenderableType]:
    yield Text(panel.title, style=_HEAD)
    inside = (0, 0, 0, INDENT)
    yield Padding(Text(panel.about, style=_QUIET), inside)
    yield Padding(_table(panel.rows, width - INDENT, NAME_WIDTH), inside)
    notes = list(panel.notes)
    if panel.counts:
        notes.append(f"scores 1 to 5: {', '.join(f'{n:,}' for n in panel.counts)} times")
    for note in notes:
        yield Padding(_quiet(note), inside)


def _table(rows: Sequence[PanelRow], width: int, name_width: int) -> Table:
    """Return a table of figures: name, value, interval and n."""
    table = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    is_narrow = width < MIN_BESIDE
    table.add_column(width=width - VALUE_WIDTH - 2 if is_narrow else name_width, overflow="fold")
    table.add_column(width=VALUE_WIDTH, no_wrap=True, overflow="ellipsis", justify="right")
    if not is_narrow:
        table.add_column(overflow="fold")
    for row in rows:
        for place, figure in enumerate(row.figures):
            style = "" if figure.value else _CAUTION
            name = Text("" if place else row.name, overflow="fold")
            value = Text(on_one_line(figure.value or "undefined"), style=style)
            _add(table, (name, value), _around(figure), is_narrow)
        if row.beside:
            _add(table, (Text(), Text()), _quiet(row.beside), is_narrow)
    return table


def _add(table: Table, cells: tuple[Text, Text], around: Text, is_narrow: bool) -> None:
    """Add a line; with little width, the interval gets a line of its own."""
    if not is_narrow:
        table.add_row(*cells, around)
        return
    if any(cell.plain for cell in cells):
        table.add_row(*cells)
    table.add_row(Padding(around, (0, 0, 0, INDENT)))


def _quiet(text: str) -> Text:
    return Text(on_one_line(text), style=_QUIET, overflow="fold")


def _around(figure: Figure) -> Text:
    if not figure.value:
        return _quiet(figure.reason)
    return _quiet(f"{figure.between} · {figure.n}" if figure.between else figure.n)


def _missing(missing: Sequence[MissingFigure]) -> Iterator[RenderableType]:
    explained = by_reason(one for one in missing if not one.is_unasked)
    unasked = [one.name for one in missing if one.is_unasked]
    if explained or unasked:
        yield Text()
    for names, reason in explained:
        yield Text.assemble(
            (f"{on_one_line(names)}: ", _CAUTION), (on_one_line(reason), _QUIET), overflow="fold"
        )
    if unasked:
        yield _quiet(f"not requested: {' · '.join(unasked)}")
