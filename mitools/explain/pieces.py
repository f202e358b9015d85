"""Small pieces of a view as styled text: verdicts, bars, ways, steps, and what is supported."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from rich.cells import cell_len
from rich.text import Text

from mitools.escape import on_one_line
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

__all__ = [
    "CAUTION",
    "GAP",
    "QUIET",
    "answer_of",
    "asides",
    "bars",
    "flow",
    "heading",
    "mark",
    "named",
    "rule_above",
    "steps",
    "support",
    "verdict",
    "verdicts",
    "ways",
]

GAP = "   "

RIGHT, WRONG = "bold green", "bold red"
CAUTION = "yellow"
QUIET = "dim"
_EIGHTHS = " ▏▎▍▌▋▊▉"

MAX_BARS = 10
MAX_STEPS = 8
MAX_ANSWER = 200
"""Most characters of an answer on one line with others."""

MIN_NOTES = 56
"""With less width than this, the notes on a way of answering are short."""

LONGEST_NAME = 24
"""Cells; a longer name of a run loses its beginning."""

_VERDICT_FLAGS = ("wrong", "confidently_wrong")

Names = Mapping[Who, str]


def named(who: Who, names: Names, width: int = LONGEST_NAME) -> str:
    """Return the name of a run on one line, its beginning cut off if it is too long."""
    name = on_one_line(names.get(who, who))
    if cell_len(name) <= width:
        return name
    while name and cell_len(name) >= width:
        name = name[1:]
    return f"…{name}"


def heading(title: str, details: str, width: int) -> Text:
    """Return a line with a whole title on the left, and on the right as many details as fit.

    Args:
        title: shown whole.
        details: separated by commas; the last ones are left out first.
        width: of the line.
    """
    parts = details.split(", ")
    room = width - cell_len(f"── {title} ───  ──")
    while cell_len(", ".join(parts)) > room and parts:
        parts.pop()
    return rule_above((title,), ", ".join(parts), width)


def rule_above(names: Sequence[str], kind: str, width: int, first: Text | None = None) -> Text:
    """Return a line with names on the left, the last of them shortened to fit, and a kind.

    Args:
        names: shown on the left.
        kind: shown on the right, if there is enough width.
        width: of the line.
        first: shown before the names.
    """
    *before, last = names
    line = Text("── ", style=QUIET, no_wrap=True, overflow="crop")
    if first is not None:
        line.append_text(first)
        line.append(" ── ")
    line.append("".join(f"{name} · " for name in before))
    name, end = (
        Text(on_one_line(last), style="not dim bold"),
        f" {on_one_line(kind)} ──" if kind else "",
    )
    room = width - cell_len(line.plain) - 4
    if room - cell_len(end) < min(12, cell_len(name.plain)):
        end = ""
    name.truncate(max(8, room - cell_len(end)), overflow="ellipsis")
    line.append_text(name)
    line.append(f" {'─' * max(2, width - cell_len(line.plain + end) - 1)}{end}")
    return line


def verdict(view: View) -> Text | None:
    """Return whether the student's label is right; None if that is unknown."""
    if view.is_right:
        return Text("✓ right", style=f"not dim {RIGHT}")
    for flag in view.flags:
        if flag.name in _VERDICT_FLAGS:
            return Text(f"✗ {flag.text}", style=f"not dim {WRONG}")
    return None


def verdicts(view: View, names: Names) -> Iterator[Text]:
    """Yield the other verdicts: serious flags, other flags, and what other students changed."""
    if view.is_consistent:
        yield Text("✓ consistent", style=RIGHT)
    flags = [flag for flag in view.flags if flag.name not in _VERDICT_FLAGS]
    for flag in sorted(flags, key=lambda flag: not flag.is_serious):
        if flag.is_serious:
            yield Text(f"✗ {flag.text}", style=WRONG)
        else:
            yield Text(f"! {flag.text}", style=CAUTION)
    for side in view.others:
        name = named(side.who, names)
        if side.change == "fixed":
            yield Text(f"✓ fixed by {name}", style=RIGHT)
        elif side.change == "broken":
            yield Text(f"✗ broken by {name}", style=WRONG)
        elif side.is_changed:
            yield Text(f"! changed by {name}", style=CAUTION)


def flow(pieces: Iterable[Text], width: int) -> Text:
    """Join pieces on lines, and break lines between pieces rather than inside one."""
    joined = Text(overflow="fold")
    used = 0
    for piece in pieces:
        size = cell_len(piece.plain)
        if used and used + len(GAP) + size > width:
            joined.append("\n")
            used = 0
        elif used:
            joined.append(GAP)
            used += len(GAP)
        joined.append_text(piece)
        used += size
    return joined


def answer_of(side: Side) -> str:
    """Return the label on one line, or why there is none."""
    if side.label is not None:
        return on_one_line(side.label)
    return f"no answer ({on_one_line(side.error)})" if side.error else "no readable answer"


def mark(is_right: bool | None) -> Text:
    """Return the mark of a verdict; empty if it is unknown."""
    if is_right is None:
        return Text()
    return Text("✓", style=RIGHT) if is_right else Text("✗", style=WRONG)


def asides(side: Side) -> Iterator[Text]:
    """Yield what label and bars do not show.

    A low probability mass, a different decoded label, and where a teacher's answer was read.
    """
    if side.in_set_mass is not None and side.in_set_mass < LITTLE_MASS:
        share = f"{side.in_set_mass:.0%}" if side.in_set_mass >= 0.005 else "less than 1%"
        yield _aside(f"the choices have {share} of the probability mass")
    if side.decoded:
        yield _aside(f"decoded label: {side.decoded[:MAX_ANSWER]}")
    if side.origin:
        yield _aside(f"read in {side.origin[:MAX_ANSWER]}")


def _aside(text: str) -> Text:
    return Text(on_one_line(text), style=QUIET, overflow="fold")


def ways(answers: Sequence[WayAnswer], width: int) -> Text:
    """Return a line for each way of answering: its name, verdict, label, confidence, consistency.

    The labels stand below each other, so that they can be compared.
    """
    shown = [
        "no readable answer" if one.label is None else on_one_line(one.label)[:MAX_ANSWER]
        for one in answers
    ]
    has_room = width >= MIN_NOTES
    notes_width = len("  100%  inconsistent  ← its answer" if has_room else "  100%  ←")
    room = max(8, width - len("conclude ✓ ") - notes_width)
    label_width = min(room, max(map(cell_len, shown), default=0))
    lines = Text(overflow="fold")
    for one, label in zip(answers, shown, strict=True):
        lines.append("\n" if lines else "")
        lines.append(f"{one.way:<8} ", QUIET)
        if one.is_right is not None:
            lines.append_text(mark(one.is_right))
            lines.append(" ")
        notes = "".join(_way_notes(one, has_room=has_room))
        lines.append(label + " " * (label_width - cell_len(label) if notes else 0))
        lines.append(notes, QUIET)
    return lines


def _way_notes(answer: WayAnswer, *, has_room: bool) -> Iterator[str]:
    if answer.confidence is not None:
        yield f"  {answer.confidence:4.0%}"
    if answer.is_consistent is not None and has_room:
        yield "  consistent" if answer.is_consistent else "  inconsistent"
    if answer.is_chosen:
        yield "  ← its answer" if has_room else "  ←"


def bars(side: Side, names: Names, width: int) -> Text:
    """Return one line per choice: its text, a bar, a percentage, and whose answer it is."""
    drawn = _likeliest(side.bars)
    choices = [on_one_line(bar.choice) for bar in drawn]
    # A narrow column has room for one word; the other answers are shown beside it anyway.
    notes = [_owners(bar.of if width >= 48 else bar.of[:1], names, width // 3) for bar in drawn]
    name_width = min(max(map(cell_len, choices)), max(8, width // 3))
    bar_width = max(5, min(24, width - name_width - max(map(cell_len, notes)) - 9))
    lines = Text(overflow="fold")
    for bar, choice, note in zip(drawn, choices, notes, strict=True):
        text = Text(choice, style="bold" if side.who in bar.of else "")
        text.truncate(name_width, overflow="ellipsis", pad=True)
        style = "green" if "gold" in bar.of else "red" if side.who in bar.of else QUIET
        share = min(1.0, max(0.0, bar.probability))
        lines.append("\n" if lines else "")
        lines.append_text(text)
        lines.append(" " + _blocks(share, bar_width), style=style)
        lines.append(f" {share:4.0%}")
        lines.append(f"  {note}" if note else "", style=QUIET)
    if left := len(side.bars) - len(drawn):
        lines.append(f"\n… and {left:,} less likely", style=QUIET)
    return lines


def _owners(owners: Sequence[Who], names: Names, width: int) -> str:
    text = Text(", ".join(named(who, names) for who in owners))
    text.truncate(max(8, width), overflow="ellipsis")
    return text.plain


def _likeliest(drawn: Sequence[ChoiceBar]) -> list[ChoiceBar]:
    """Return the bars with the highest probabilities, in their order."""
    ranked = sorted(range(len(drawn)), key=lambda index: -drawn[index].probability)
    return [drawn[index] for index in sorted(ranked[:MAX_BARS])]


def _blocks(share: float, width: int) -> str:
    eighths = round(share * width * 8)
    full, rest = divmod(eighths, 8)
    return ("█" * full + _EIGHTHS[rest]).strip().ljust(width)


def steps(stated: Sequence[StepView], width: int, *, is_full: bool) -> Text:
    """Return the arithmetic steps; of many, the wrong ones and how many are left out."""
    shown = list(stated)
    if not is_full and len(stated) > MAX_STEPS:
        wrong = [step for step in stated if not step.is_right]
        shown = wrong[:MAX_STEPS]
    pieces = [_step(step) for step in shown]
    right = sum(step.is_right for step in stated) - sum(step.is_right for step in shown)
    if right:
        pieces.append(Text.assemble(mark(True), f" {right:,} steps right"))
    if wrong_left := len(stated) - len(shown) - right:
        pieces.append(Text.assemble(mark(False), f" {wrong_left:,} more wrong"))
    return flow(pieces, width)


def _step(step: StepView) -> Text:
    if step.is_right:
        return Text.assemble(mark(True), " ", step.text)
    truth = f" ({step.value})" if step.value.startswith("≈") else f" (is {step.value})"
    return Text.assemble(mark(False), " ", step.text, (truth, QUIET))


def support(found: SupportedAnswer, who: Who, names: Names) -> Text:
    """Return which answer a rationale supports, and whose answer that is."""
    if found.label is None:
        return Text("→ supports no answer", style=CAUTION)
    if who in found.of:
        return Text("→ supports its own answer", style=QUIET)
    *first, last = [f"{named(name, names)}'s" for name in found.of] or ["no one's"]
    owners = f"{', '.join(first)} and {last}" if first else last
    text = f"→ supports {on_one_line(found.label)[:MAX_ANSWER]}, {owners} answer"
    return Text(text, style="red", overflow="fold")
