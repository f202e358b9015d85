"""Views as small JSON rows, safe inside a ``<script>`` element.

A row has only what the page shows of a record. Absent and empty values are left out, so that 10,000
rows stay small; but not an empty id or label. The script reads the same keys.
"""

from __future__ import annotations

import json
from typing import Any

from mitools.explain.view import (
    LITTLE_MASS,
    ChoiceBar,
    Side,
    StepView,
    SupportedAnswer,
    View,
    WayAnswer,
    Who,
    other_key,
)

__all__ = ["MAX_BARS", "MAX_LABEL", "MAX_STEPS", "MAX_TEXT", "letters", "row_of", "safe_json"]

MAX_TEXT = 20_000
MAX_LABEL = 1_000
"""Most characters of an input or rationale, and of a label, choice, id or error. The number left
out is shown; a degenerate student can output very long texts."""

MAX_BARS = 40
MAX_STEPS = 60

_LETTERS: dict[Who, str] = {"gold": "g", "teacher": "t", "student": "s"}
_LETTERS |= {other_key(index): letter for index, letter in enumerate("23456789ABCDEFGHIJKLMNOPQR")}
"""One letter for each answer; more students than that are left out of the owners of a choice."""

_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":"))
_UNSAFE = str.maketrans({c: f"\\u{ord(c):04x}" for c in "<>&\u2028\u2029"})


def safe_json(value: Any) -> str:
    """Return a value as JSON without anything that an HTML parser could read as a tag.

    ``<``, ``>``, ``&`` and line separators are escaped; in JSON they occur only inside strings.
    Lone surrogates, which UTF-8 cannot encode, are escaped as well.
    """
    text = _ENCODER.encode(value)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            text = json.dumps(value, allow_nan=False, separators=(",", ":"))
    return text.translate(_UNSAFE)


def letters() -> dict[str, Who]:
    """Return whose answer each letter in the rows stands for."""
    return {letter: who for who, letter in _LETTERS.items()}


def row_of(view: View) -> dict[str, Any]:
    """Return the row of a view."""
    bars = any(side.bars for side in view.sides)
    found = _present(
        {
            **_text("input", view.input),
            "split": view.split,
            "task": view.task,
            "choices": [] if bars else [choice[:MAX_LABEL] for choice in view.choices[:MAX_BARS]],
            **{side.who: _side(side) for side in view.sides},
            "flags": [flag.name for flag in view.flags],
            "right": view.is_right,
            "consistent": view.is_consistent,
            "changed": view.is_changed,
        }
    )
    return {"n": view.position, "id": view.id[:MAX_LABEL], **found}


def _side(side: Side) -> dict[str, Any]:
    likeliest = sorted(range(len(side.bars)), key=lambda index: -side.bars[index].probability)
    drawn = [side.bars[index] for index in sorted(likeliest[:MAX_BARS])]
    found = _present(
        {
            **_text("rationale", side.rationale),
            "right": side.is_right,
            "confidence": side.confidence,
            "bars": [_bar(bar) for bar in drawn],
            "bars_left": len(side.bars) - len(drawn),
            "mass": _little(side.in_set_mass),
            "decoded": side.decoded[:MAX_LABEL],
            "support": None if side.support is None else _support(side.support, side.rationale),
            "supports": side.supports,
            "steps": [_step(step) for step in side.steps[:MAX_STEPS]],
            "steps_left": max(0, len(side.steps) - MAX_STEPS),
            "error": side.error[:MAX_LABEL],
            "origin": side.origin[:MAX_LABEL],
            "ways": [_way(answer) for answer in side.ways],
            "change": side.change,
            "changed": side.is_changed,
        }
    )
    # An empty label is an answer; without one, there is none.
    return found if side.label is None else {"label": side.label[:MAX_LABEL], **found}


def _way(answer: WayAnswer) -> list[Any]:
    label = None if answer.label is None else answer.label[:MAX_LABEL]
    return [answer.way, label, answer.confidence, answer.is_right, int(answer.is_chosen)]


def _little(mass: float | None) -> float | None:
    return mass if mass is not None and mass < LITTLE_MASS else None


def _text(name: str, text: str) -> dict[str, Any]:
    return {name: text[:MAX_TEXT], f"{name}_left": max(0, len(text) - MAX_TEXT)}


def _bar(bar: ChoiceBar) -> list[Any]:
    return [bar.choice[:MAX_LABEL], bar.probability, _of(bar.of)]


def _support(support: SupportedAnswer, rationale: str) -> list[Any]:
    label = None if support.label is None else support.label[:MAX_LABEL]
    place = support.place
    is_shown = place is not None and place[1] <= MAX_TEXT
    # JavaScript counts units of UTF-16.
    units = [_units(rationale[:end]) for end in place] if place is not None and is_shown else []
    return [label, _of(support.of), *units]


def _units(text: str) -> int:
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def _step(step: StepView) -> list[Any]:
    return [step.text, int(step.is_right), step.value]


def _of(names: tuple[Who, ...]) -> str:
    return "".join(_LETTERS.get(name, "") for name in names)


def _present(row: dict[str, Any]) -> dict[str, Any]:
    """Drop absent values: None, "", empty containers and counts of 0, but not False or 0.0."""
    return {
        name: value
        for name, value in row.items()
        if value is not None and value not in ("", [], {}) and not _is_zero_count(name, value)
    }


def _is_zero_count(name: str, value: Any) -> bool:
    return name.endswith("_left") and value == 0
