"""A view as text, for a terminal or a file.

Texts from records are untrusted: control characters, which could drive a terminal, are escaped, and
no text is read as markup. No information is given by colour alone.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from rich.cells import cell_len
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from mitools.escape import on_one_line, visible
from mitools.explain.view import (
    LITTLE_MASS,
    ChoiceBar,
    Side,
    StepView,
    SupportedAnswer,
    View,
    WayAnswer,
    Who,
)

__all__ = ["Terminal", "rule_above"]

MAX_CHARACTERS = 4000
"""Most characters of a text; a degenerate student can output very long ones."""

MAX_BARS = 10

MIN_WIDTH = 40
MIN_SIDE_BY_SIDE = 100
MIN_COLUMN = 34
"""With less width than this, in total or for one column, the answers are stacked."""

GAP = "   "
GUTTER = 11

_STYLES: dict[Who, str] = {
    "gold": "bold yellow",
    "teacher": "bold cyan",
    "student": "bold magenta",
    "second": "bold blue",
}
_OTHER = _STYLES["second"]
_RIGHT, _WRONG, _CAUTION, _QUIET = "bold green", "bold red", "yellow", "dim"
_EIGHTHS = " ▏▎▍▌▋▊▉"


@dataclass(frozen=True)
class Terminal:
    """Renders views for one width.

    Attributes:
        width: in terminal cells.
        has_styles: whether bold and dim may be used; False gives plain text.
        has_color: whether colours may be used as well.
        pattern: matches are highlighted.
    """

    width: int = 80
    has_styles: bool = False
    has_color: bool = False
    pattern: re.Pattern[str] | None = None

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
            console.print(parts)
        lines = (line.rstrip() for line in capture.get().split("\n"))
        return "\n".join(lines) + "\n"

    def _view(self, view: View, width: int) -> RenderableType:
        parts: list[RenderableType] = [_rule(view, width)]
        verdicts = list(_verdicts(view))
        if verdicts:
            parts.append(_flow(verdicts, width))
        if view.input.strip():
            parts += [Text(), self._prose(view.input)]
        if _needs_choices(view):
            parts.append(
                _flow([Text(f"• {on_one_line(c)}", style=_QUIET) for c in view.choices], width)
            )
        if view.sides:
            parts += [Text(), self._sides(view, width)]
        return Group(*parts)

    def _prose(self, text: str) -> Text:
        text = visible(text.strip())
        prose = Text(text[:MAX_CHARACTERS], overflow="fold")
        if self.pattern is not None:
            prose.highlight_regex(self.pattern, "reverse")
        if (left := len(text) - MAX_CHARACTERS) > 0:
            prose.append(f" … {left:,} more characters; --json shows them", style=_QUIET)
        return prose

    def _sides(self, view: View, width: int) -> RenderableType:
        widths = _column_widths(view.sides, width)
        if widths is not None:
            return self._beside(view.sides, widths)
        # If only two fit side by side, they are the two students, which are to be compared.
        pair = [side for side in view.sides if side.who == "student" or side in view.others]
        column = (width - len(GAP)) // 2
        if len(pair) != 2 or column < MIN_COLUMN:
            return self._stacked(view.sides, width)
        others = [side for side in view.sides if side not in pair]
        above = [self._stacked(others, width), Text()] if others else []
        return Group(*above, self._beside(pair, [column, column]))

    def _beside(self, sides: Sequence[Side], widths: Sequence[int]) -> RenderableType:
        table = Table.grid(padding=(0, len(GAP), 0, 0), pad_edge=False)
        for column in widths:
            table.add_column(width=column, overflow="fold")
        table.add_row(*(_heading(side) for side in sides))
        bodies = zip(sides, widths, strict=True)
        table.add_row(*(self._body(side, column) for side, column in bodies))
        return table

    def _stacked(self, sides: Sequence[Side], width: int) -> RenderableType:
        table = Table.grid()
        table.add_column(width=GUTTER)
        table.add_column(width=width - GUTTER, overflow="fold")
        for index, side in enumerate(sides):
            heading = Text(side.who.ljust(GUTTER - 3), style=_STYLES.get(side.who, _OTHER))
            heading.append(_mark(side.is_right))
            body = self._body(side, width - GUTTER)
            table.add_row(heading, Padding(body, (0, 0, 0 if index == len(sides) - 1 else 1, 0)))
        return table

    def _body(self, side: Side, width: int) -> RenderableType:
        parts: list[RenderableType] = [self._label(side)]
        if side.bars:
            parts.append(_bars(side, width))
        parts += map(_way, side.ways)
        parts += map(_aside, _asides(side))
        if side.rationale.strip():
            parts.append(self._prose(side.rationale))
        if side.steps:
            parts.append(_flow(map(_step, side.steps), width))
        if side.support is not None:
            parts.append(_support(side.support, side.who))
        return Group(*parts)

    def _label(self, side: Side) -> Text:
        if side.label is None:
            return Text(_answer(side), style=_CAUTION, overflow="fold")
        label = self._prose(_answer(side))
        label.stylize("bold")
        if side.confidence is not None and not side.bars:
            label.append(f"{GAP}confidence {side.confidence:.0%}", style=_QUIET)
        return label


def _asides(side: Side) -> Iterator[str]:
    """Yield what the bars do not show: a low probability mass, and a different decoded label."""
    if side.in_set_mass is not None and side.in_set_mass < LITTLE_MASS:
        share = f"{side.in_set_mass:.0%}" if side.in_set_mass >= 0.005 else "less than 1%"
        yield f"the choices have {share} of the probability mass"
    if side.decoded:
        yield f"decoded label: {side.decoded}"


def _way(answer: WayAnswer) -> Text:
    """Return one line for a way of answering: its name, verdict, label and confidence."""
    label = "no readable answer" if answer.label is None else on_one_line(answer.label)
    line = Text.assemble((f"{answer.way:<8} ", _QUIET), _mark(answer.is_right), overflow="fold")
    line.append(f"{' ' if answer.is_right is not None else ''}{label[:MAX_CHARACTERS]}")
    if answer.confidence is not None:
        line.append(f"  {answer.confidence:.0%}", style=_QUIET)
    if answer.is_chosen:
        line.append("  ← its answer", style=_QUIET)
    return line


def _aside(text: str) -> Text:
    return Text(on_one_line(text), style=_QUIET, overflow="fold")


def _needs_choices(view: View) -> bool:
    """Return whether the possible answers are not shown elsewhere."""
    if view.student is not None and view.student.bars:
        return False
    return not all(choice in view.input for choice in view.choices)


def _rule(view: View, width: int) -> Text:
    """Return the line above a record: position and id on the left, split and task on the right."""
    kind = " · ".join(on_one_line(word) for word in (view.split, view.task) if word)
    return rule_above((f"{view.position:,}", view.id), kind, width)


def rule_above(names: Sequence[str], kind: str, width: int) -> Text:
    """Return a line with names on the left, the last of them shortened to fit, and a kind."""
    *first, last = names
    place = f"── {''.join(f'{name} · ' for name in first)}"
    kind = f" {on_one_line(kind)} ──"
    name = Text(on_one_line(last), style="bold")
    name.truncate(max(8, width - cell_len(place + kind) - 4), overflow="ellipsis")
    fill = "─" * max(2, width - cell_len(place + name.plain + kind) - 1)
    return Text.assemble(
        (place, _QUIET), name, (f" {fill}{kind}", _QUIET), no_wrap=True, overflow="crop"
    )


def _verdicts(view: View) -> Iterator[Text]:
    """Yield the verdicts, the serious flags, the other flags, and the second student's change."""
    if view.is_right:
        yield Text("✓ right", style=_RIGHT)
    if view.is_consistent:
        yield Text("✓ consistent", style=_RIGHT)
    for flag in sorted(view.flags, key=lambda flag: not flag.is_serious):
        if flag.is_serious:
            yield Text(f"✗ {flag.text}", style=_WRONG)
        else:
            yield Text(f"! {flag.text}", style=_CAUTION)
    if view.change == "fixed":
        yield Text("✓ fixed by the second student", style=_RIGHT)
    elif view.change == "broken":
        yield Text("✗ broken by the second student", style=_WRONG)
    elif view.is_changed:
        yield Text("! changed by the second student", style=_CAUTION)


def _flow(pieces: Iterable[Text], width: int) -> Text:
    """Join pieces on lines, and break lines between pieces rather than inside one."""
    flow = Text(overflow="fold")
    used = 0
    for piece in pieces:
        size = cell_len(piece.plain)
        if used and used + len(GAP) + size > width:
            flow.append("\n")
            used = 0
        elif used:
            flow.append(GAP)
            used += len(GAP)
        flow.append_text(piece)
        used += size
    return flow


def _column_widths(sides: Sequence[Side], width: int) -> list[int] | None:
    """Return the column widths, narrow for a label alone; None if there is too little width."""
    if len(sides) < 2 or width < MIN_SIDE_BY_SIDE:
        return None
    short = {
        side.who: min(max(24, width // 5), max(len(side.who) + 2, cell_len(_answer(side))))
        for side in sides
        if not (side.rationale.strip() or side.bars or side.error)
    }
    gaps = len(GAP) * (len(sides) - 1)
    wide = len(sides) - len(short)
    column = (width - gaps - sum(short.values())) // max(1, wide)
    if column < MIN_COLUMN:
        return None
    return [short.get(side.who, column) for side in sides]


def _answer(side: Side) -> str:
    if side.label is not None:
        return on_one_line(side.label)
    return f"no answer ({on_one_line(side.error)})" if side.error else "no readable answer"


def _heading(side: Side) -> Text:
    heading = Text(side.who, style=_STYLES.get(side.who, _OTHER))
    heading.append(" ")
    heading.append_text(_mark(side.is_right))
    return heading


def _mark(is_right: bool | None) -> Text:
    if is_right is None:
        return Text()
    return Text("✓", style=_RIGHT) if is_right else Text("✗", style=_WRONG)


def _bars(side: Side, width: int) -> Text:
    """Return one line per choice: its text, a bar, a percentage, and whose answer it is."""
    drawn = _likeliest(side.bars)
    names = [on_one_line(bar.choice) for bar in drawn]
    # A narrow column has room for one word; the other answers are shown beside it anyway.
    notes = [", ".join(bar.of if width >= 48 else bar.of[:1]) for bar in drawn]
    name_width = min(max(map(cell_len, names)), max(8, width // 3))
    bar_width = max(5, min(24, width - name_width - max(map(len, notes)) - 9))
    lines = Text(overflow="fold")
    for bar, name, note in zip(drawn, names, notes, strict=True):
        text = Text(name, style="bold" if side.who in bar.of else "")
        text.truncate(name_width, overflow="ellipsis", pad=True)
        style = "green" if "gold" in bar.of else "red" if side.who in bar.of else _QUIET
        share = min(1.0, max(0.0, bar.probability))
        lines.append("\n" if lines else "")
        lines.append_text(text)
        lines.append(" " + _blocks(share, bar_width), style=style)
        lines.append(f" {share:4.0%}")
        lines.append(f"  {note}" if note else "", style=_QUIET)
    if left := len(side.bars) - len(drawn):
        lines.append(f"\n… and {left:,} less likely", style=_QUIET)
    return lines


def _likeliest(bars: Sequence[ChoiceBar]) -> list[ChoiceBar]:
    """Return the bars with the highest probabilities, in their order."""
    ranked = sorted(range(len(bars)), key=lambda index: -bars[index].probability)
    return [bars[index] for index in sorted(ranked[:MAX_BARS])]


def _blocks(share: float, width: int) -> str:
    eighths = round(share * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + _EIGHTHS[rest]).strip().ljust(width)


def _step(step: StepView) -> Text:
    if step.is_right:
        return Text.assemble(("✓", _RIGHT), " ", step.text)
    truth = f" ({step.value})" if step.value.startswith("≈") else f" (is {step.value})"
    return Text.assemble(("✗", _WRONG), " ", step.text, (truth, _QUIET))


def _support(support: SupportedAnswer, who: Who) -> Text:
    if support.label is None:
        return Text("→ supports no answer", style=_CAUTION)
    if who in support.of:
        return Text("→ supports its own answer", style=_QUIET)
    owners = " and ".join(f"{name}'s" for name in support.of) or "no one's"
    text = f"→ supports {on_one_line(support.label)}, {owners} answer"
    return Text(text, style="red", overflow="fold")
