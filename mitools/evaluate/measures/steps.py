"""Arithmetic that a rationale states, such as ``12 + 7 = 19``, and whether it is right.

Works on strings only. The texts come from models: :mod:`mitools.expressions` reads them, without
evaluating code and in bounded time.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

from mitools.expressions import MAX_LENGTH, Expression, parse_expression

__all__ = ["Step", "find_steps"]

_MAX_TEXT = 20_000
"""Characters of a rationale that are read."""

_SIGNS = "×·∗÷∕−–xX"
_IS = re.compile(r"(?<=[\d)%])\s+(?:is|are|equals?|makes|gives)\s+(?=[$(\d.-])", re.IGNORECASE)
_SPAN = re.compile(rf"(?:[(\[] ?|\$){{0,20}}(?:\d|\.\d)[\d\s.,$%()\[\]+*/{_SIGNS}=-]*")
_SIGNED = re.compile(r"(?:^|[\s(=])[-−–]$")
_OPEN = re.compile(r"\S[ \t]*[-+*/×·∗÷∕−–][ \t]*$")
_BULLET = re.compile(r"^\s*[-−–]\s+")
_BREAK = re.compile(r"[.,](?=\s|$)|\n")
_DECIMAL = re.compile(r"-?\d*\.(\d+)")


@dataclass(frozen=True, slots=True)
class Step:
    """One stated equality with an operation in it.

    Attributes:
        text: as it was read, with plain operators and spaces.
        is_right: whether both sides have the same value; a decimal on the right may be rounded.
        value: of the left side.
    """

    text: str
    is_right: bool
    value: Fraction


def find_steps(rationale: str) -> Iterator[Step]:
    """Find the stated steps in order: "a op b = c", also as "a op b is c" and as a chain.

    A chain "a + b = c + d = e" is two steps. An equality that cannot be read is not a step, so it
    is not counted as wrong either.
    """
    text = _IS.sub(" = ", rationale[:_MAX_TEXT])
    if "=" not in text:
        return
    for span in _SPAN.finditer(text):
        if "=" not in span[0]:
            continue
        before = text[max(0, span.start() - 8) : span.start()]
        is_signed = _SIGNED.search(before) is not None
        is_cut = not is_signed and _OPEN.search(before) is not None
        for piece in _BREAK.split(f"-{span[0]}" if is_signed else span[0]):
            yield from _steps_in(_BULLET.sub("", piece).split("="), is_cut=is_cut)
            is_cut = False


def _steps_in(parts: list[str], *, is_cut: bool) -> Iterator[Step]:
    """Compare neighbouring sides; the first is incomplete where an operator stands before it."""
    parts[-1] = parts[-1].rstrip(f"+*/-., {_SIGNS}")  # text after the value
    sides = [parse_expression(_balanced(part)) for part in parts]
    for left, right in itertools.pairwise([None, *sides[1:]] if is_cut else sides):
        if left is not None and right is not None and left.operators + right.operators:
            text = f"{left.text} = {right.text}"
            yield Step(text, _is_same(left, right), left.value)


def _is_same(left: Expression, right: Expression) -> bool:
    decimal = _DECIMAL.fullmatch(right.text)
    if decimal is None:
        return left.value == right.value
    half_a_unit = Fraction(1, 2 * 10 ** len(decimal[1]))
    return abs(left.value - right.value) <= half_a_unit


def _balanced(part: str) -> str:
    """Remove parentheses whose other half is outside of the part."""
    if len(part) > 2 * MAX_LENGTH:  # too long for the parser
        return ""
    part = part.strip()
    while part.count("(") > part.count(")") and part.startswith("("):
        part = part[1:].strip()
    while part.count(")") > part.count("(") and part.endswith(")"):
        part = part[:-1].strip()
    return part
