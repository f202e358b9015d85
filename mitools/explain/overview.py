"""How the figures of a summary look on a terminal, or as plain text.

The same cards and panels as on the page, a line each. Texts come from anybody's file: they are made
harmless as those of records are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mitools.explain.cards import Figure, Missing, by_reason, cards
from mitools.explain.panels import Panel, Row, panels
from mitools.explain.summaries import Summary, told_of
from mitools.explain.terminal import Terminal, rule_above
from mitools.explain.visible import on_one_line

__all__ = ["render_figures"]

NAME_WIDTH = 30
"""As many cells as the longest name has."""

_QUIET, _CAUTION, _HEAD = "dim", "yellow", "bold"


def render_figures(terminal: Terminal, summary: Summary) -> str:
    """Render what a summary says; the text ends in an empty line."""
    shown, unknown = cards({"student": summary})
    blocks, unknown_blocks = panels({"student": summary})
    parts: list[RenderableType] = [rule_above(("figures",), told_of(summary), terminal.width)]
    rows = [Row(card.title, card.figures) for card in shown]
    if rows:
        parts.append(_table(rows, terminal.width))
    for panel in blocks:
        parts += [Text(), *_panel(panel, terminal.width)]
    parts += _missing([*unknown, *unknown_blocks])
    return terminal.draw(Group(*parts))


def _panel(panel: Panel, width: int) -> Iterator[RenderableType]:
    yield Text(panel.title, style=_HEAD)
    yield Padding(Text(panel.about, style=_QUIET), (0, 0, 0, 2))
    yield Padding(_table(panel.rows, width - 2), (0, 0, 0, 2))
    notes = list(panel.notes)
    if panel.counts:
        notes.append(f"scores 1 to 5: {', '.join(f'{n:,}' for n in panel.counts)} times")
    for note in notes:
        yield Padding(Text(on_one_line(note), style=_QUIET, overflow="fold"), (0, 0, 0, 2))


def _table(rows: Sequence[Row], width: int) -> Table:
    """Lay figures out in columns: what, how much, between what and on how many."""
    table = Table.grid(padding=(0, 2, 0, 0), pad_edge=False)
    table.add_column(width=min(NAME_WIDTH, width * 2 // 5), overflow="fold")
    table.add_column(min_width=8, no_wrap=True, overflow="ellipsis", justify="right")
    table.add_column(overflow="fold")
    for row in rows:
        for place, figure in enumerate(row.figures):
            value = Text(
                on_one_line(figure.value or "undefined"), style="" if figure.value else _CAUTION
            )
            name = Text("" if place else row.name, overflow="fold")
            table.add_row(name, value, _around(figure))
        if row.beside:
            table.add_row("", "", Text(on_one_line(row.beside), style=_QUIET, overflow="fold"))
    return table


def _around(figure: Figure) -> Text:
    if not figure.value:
        return Text(on_one_line(figure.reason), style=_QUIET, overflow="fold")
    between = on_one_line(figure.between)
    return Text(f"{between} · {figure.n}" if between else figure.n, style=_QUIET, overflow="fold")


def _missing(missing: Sequence[Missing]) -> Iterator[RenderableType]:
    told = by_reason(one for one in missing if not one.is_unasked)
    unasked = [one.name for one in missing if one.is_unasked]
    if told or unasked:
        yield Text()
    for names, reason in told:
        yield Text.assemble(
            (f"{on_one_line(names)}: ", _CAUTION), (on_one_line(reason), _QUIET), overflow="fold"
        )
    if unasked:
        yield Text(f"nobody asked for: {' · '.join(unasked)}", style=_QUIET, overflow="fold")
