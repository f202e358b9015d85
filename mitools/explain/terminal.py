"""A view as text, for a terminal or a file.

Texts from records are untrusted: control characters, which could drive a terminal, are escaped, and
no text is read as markup. No information is given by colour alone.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mitools.escape import on_one_line
from mitools.explain import pieces
from mitools.explain.pieces import CAUTION, GAP, QUIET, named
from mitools.explain.prose import INPUT, LABEL, Prose
from mitools.explain.view import Side, View, Who

__all__ = ["RECORD_START", "Terminal"]

RECORD_START = "── "
"""What the first line of each record begins with; no other line of the terminal view does."""

MIN_WIDTH = 40
MIN_SIDE_BY_SIDE = 100
MIN_COLUMN = 34
"""With less width than this, in total or for one column, the answers are stacked."""

MIN_GUTTER = 60
"""With less width than this, a stacked answer stands below its heading, not beside it."""

GUTTER = 11
INDENT = 2

_PADDING = re.compile(r"(?:[ \t]|\x1b\[[0-9;]*m)+$")

_STYLES: dict[Who, str] = {
    "gold": "bold yellow",
    "teacher": "bold cyan",
    "student": "bold magenta",
}
_OTHER = "bold blue"


@dataclass(frozen=True)
class Terminal:
    """Renders views for one width.

    Attributes:
        width: in terminal cells.
        has_styles: whether bold, underline and dim may be used; False gives plain text.
        has_color: whether colours may be used as well.
        pattern: matches are highlighted.
        is_full: show long texts whole; otherwise their middle is left out.
        has_differences: also show how the rationales differ, word by word: those of the students,
            or with one student the teacher's and its own.
        names: of the students, where there are several; otherwise the first is ``student``.
    """

    width: int = 80
    has_styles: bool = False
    has_color: bool = False
    pattern: re.Pattern[str] | None = None
    is_full: bool = False
    has_differences: bool = False
    names: Mapping[Who, str] = field(default_factory=dict)

    def render(self, view: View) -> str:
        """Render one view; the text ends in an empty line."""
        return self.draw(self._view(view, max(MIN_WIDTH, self.width)))

    def draw(self, parts: RenderableType) -> str:
        """Render anything with this width and these styles; the text ends in an empty line."""
        console = Console(
            file=io.StringIO(),
            width=max(MIN_WIDTH, self.width),
            force_terminal=self.has_styles,
            color_system="standard" if self.has_styles else None,
            no_color=not self.has_color,
            markup=False,
            emoji=False,
            highlight=False,
            legacy_windows=False,
        )
        with console.capture() as capture:
            console.print(parts, crop=False)  # what may be longer than the width says so
        lines = (_without_padding(line) for line in capture.get().split("\n"))
        return "\n".join(lines) + "\n"

    @property
    def _prose(self) -> Prose:
        return Prose(self.is_full, self.pattern)

    def _view(self, view: View, width: int) -> RenderableType:
        kind = " · ".join(word for word in (view.split, view.task) if word)
        names = (f"{view.position:,}", view.id)
        parts: list[RenderableType] = [pieces.rule_above(names, kind, width, pieces.verdict(view))]
        verdicts = list(pieces.verdicts(view, self.names))
        if verdicts:
            parts.append(pieces.flow(verdicts, width))
        if view.input.strip():
            parts += [Text(), self._prose.render(view.input, INPUT)]
        if _needs_choices(view):
            choices = [Text(f"• {on_one_line(c)}", style=QUIET) for c in view.choices]
            parts.append(pieces.flow(choices, width))
        if view.sides:
            parts += [Text(), self._sides(view, width)]
        if self.has_differences:
            parts += self._differences(view)
        return Group(*parts)

    def _sides(self, view: View, width: int) -> RenderableType:
        widths = _column_widths(view.sides, width)
        if widths is not None:
            return self._beside(view.sides, widths)
        # If not all fit side by side, the students do, which are to be compared.
        students = [side for side in view.sides if side.who == "student" or side in view.others]
        per_row = min(len(students), (width + len(GAP)) // (MIN_COLUMN + len(GAP)))
        if len(students) < 2 or per_row < 2:
            return self._stacked(view.sides, width)
        column = (width + len(GAP)) // per_row - len(GAP)
        others = [side for side in view.sides if side not in students]
        parts: list[RenderableType] = [self._stacked(others, width)] if others else []
        for start in range(0, len(students), per_row):
            parts += [Text()] if parts else []
            row = students[start : start + per_row]
            parts.append(self._beside(row, [column] * len(row)))
        return Group(*parts)

    def _beside(self, sides: Sequence[Side], widths: Sequence[int]) -> RenderableType:
        table = Table.grid(padding=(0, len(GAP), 0, 0), pad_edge=False)
        for column in widths:
            table.add_column(width=column, overflow="fold")
        headings = zip(sides, widths, strict=True)
        table.add_row(*(self._heading(side, column) for side, column in headings))
        bodies = zip(sides, widths, strict=True)
        table.add_row(*(self._body(side, column) for side, column in bodies))
        return table

    def _stacked(self, sides: Sequence[Side], width: int) -> RenderableType:
        longest = max(cell_len(named(side.who, self.names)) for side in sides)
        gutter = max(GUTTER, min(longest + 3, width // 4))
        if width < MIN_GUTTER:
            return self._below_headings(sides, width)
        table = Table.grid()
        table.add_column(width=gutter)
        table.add_column(width=width - gutter, overflow="fold")
        for index, side in enumerate(sides):
            heading = self._heading(side, gutter - 1, pad=gutter - 3)
            body = self._body(side, width - gutter)
            table.add_row(heading, Padding(body, (0, 0, 0 if index == len(sides) - 1 else 1, 0)))
        return table

    def _below_headings(self, sides: Sequence[Side], width: int) -> RenderableType:
        parts: list[RenderableType] = []
        for side in sides:
            parts += [Text()] if parts else []
            parts.append(self._heading(side, width))
            parts.append(Padding(self._body(side, width - INDENT), (0, 0, 0, INDENT)))
        return Group(*parts)

    def _heading(self, side: Side, width: int, pad: int = 0) -> Text:
        """Return whose answer follows, and whether it is right."""
        name = named(side.who, self.names, width - 2)
        heading = Text(name, style=_STYLES.get(side.who, _OTHER), no_wrap=True)
        heading.append(" " * max(1, pad - cell_len(name)))
        heading.append_text(pieces.mark(side.is_right))
        return heading

    def _body(self, side: Side, width: int) -> RenderableType:
        parts: list[RenderableType] = [self._label(side, width)]
        if side.bars:
            parts.append(pieces.bars(side, self.names, width))
        if side.ways:
            parts.append(pieces.ways(side.ways, width))
        parts += pieces.asides(side)
        if side.rationale.strip():
            decided = side.support.place if side.support else None
            parts.append(self._prose.render(side.rationale, decided=decided))
        if side.steps:
            parts.append(pieces.steps(side.steps, width, is_full=self.is_full))
        if side.support is not None:
            parts.append(pieces.support(side.support, side.who, self.names))
        return Group(*parts)

    def _label(self, side: Side, width: int) -> Text:
        """Return the label with its confidence, which has a line of its own if both need more."""
        if side.label is None:
            return Text(pieces.answer_of(side), style=CAUTION, overflow="fold")
        label = self._prose.render(pieces.answer_of(side), LABEL)
        label.stylize("bold")
        if side.confidence is not None and not side.bars:
            confidence = f"confidence {side.confidence:.0%}"
            fits = label.cell_len + len(GAP) + len(confidence) <= width
            label.append((GAP if fits else "\n") + confidence, style=QUIET)
        return label

    def _differences(self, view: View) -> Iterator[RenderableType]:
        """Yield the word differences of the rationales, each below a heading."""
        pairs: list[tuple[Side | None, Side | None]]
        pairs = [(view.student, other) for other in view.others]
        for old, new in pairs or [(view.teacher, view.student)]:
            if old is None or new is None or not (old.rationale.strip() and new.rationale.strip()):
                continue
            names = [named(side.who, self.names) for side in (old, new)]
            yield Text()
            yield Text(f"{names[0]} → {names[1]}", style="bold", overflow="fold")
            yield self._prose.difference(old.rationale, new.rationale)


def _without_padding(line: str) -> str:
    """Remove the spaces at the end of a line, also between the codes of styles."""
    return _PADDING.sub(lambda found: "".join(found[0].split()), line)


def _needs_choices(view: View) -> bool:
    """Return whether the possible answers are not shown elsewhere."""
    if view.student is not None and view.student.bars:
        return False
    return not all(choice in view.input for choice in view.choices)


def _column_widths(sides: Sequence[Side], width: int) -> list[int] | None:
    """Return the column widths, narrow for a label alone; None if there is too little width."""
    if len(sides) < 2 or width < MIN_SIDE_BY_SIDE:
        return None
    short = {
        side.who: min(max(24, width // 5), max(len(side.who) + 2, cell_len(pieces.answer_of(side))))
        for side in sides
        if not (side.rationale.strip() or side.bars or side.error or side.ways)
        and side.confidence is None
    }
    gaps = len(GAP) * (len(sides) - 1)
    wide = len(sides) - len(short)
    column = (width - gaps - sum(short.values())) // max(1, wide)
    if column < MIN_COLUMN:
        return None
    return [short.get(side.who, column) for side in sides]
