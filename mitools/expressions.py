"""Arithmetic expressions: parsed, never evaluated as code, and compared by exact value.

Texts from models are untrusted. A small recursive-descent parser over :class:`fractions.Fraction`
reads them within fixed bounds: there is no power operator, and a text that is too long or too
deeply nested is refused before any arithmetic.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

__all__ = [
    "MAX_DEPTH",
    "MAX_LENGTH",
    "Expression",
    "find_expressions",
    "find_placed_expressions",
    "parse_expression",
]

MAX_LENGTH = 200
"""Characters; with no power operator this also bounds every value below 10**200."""

MAX_DEPTH = 20
"""Nested parentheses and signs."""

_NUMBER = r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?(?![0-9,])|[0-9]+(?:\.[0-9]*)?|\.[0-9]+"
_TOKEN = re.compile(rf"\s*(?:(?P<number>{_NUMBER})|(?P<mark>[-+*/()=%$]))")
# Multiplication sign, dot operator, middle dot, asterisk operator; division sign and slash;
# minus sign and en dash. One character for one, so that positions stay true.
_SPELLINGS = str.maketrans("\u00d7\u22c5\u00b7\u2217\u00f7\u2215\u2212\u2013[]", "****//--()")
_TIMES = re.compile(r"(?<=[0-9)])\s*[xX]\s*(?=[0-9($.-])")
_SPAN = re.compile(r"(?:[0-9]|\.[0-9])[0-9\s.,$%()+*/xX=-]*")
# What opens a span, looked for from its first digit back: tried from each "(" of a long run, it
# takes the whole bound at each.
_OPENING = re.compile(r"(?:\( ?|[-$]){0,24}\Z")
_OPENING_LENGTH = 48
"""Characters: 24 times ``"( "``."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression.

    Attributes:
        text: as written, with one space around each operator; other signs for times, divided
            by and minus become ``* / -``, and ``$``, thousands separators and a trailing
            ``= value`` are left out.
        value: its exact value.
        operators: how many binary operators it holds; a bare number has none.
    """

    text: str
    value: Fraction
    operators: int

    def bracketed(self) -> str:
        """Return the text in one outer pair of parentheses; a number stays bare."""
        if not self.operators or _closes_at_the_end(self.text):
            return self.text
        return f"({self.text})"


def _closes_at_the_end(text: str) -> bool:
    """Return whether the last character closes the first parenthesis."""
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return position > 0 and position == len(text) - 1
    return False


class _InvalidError(ValueError):
    pass


def parse_expression(text: str) -> Expression | None:
    """Parse ``text`` as one arithmetic expression; return None if it is not one.

    Supported: numbers with decimals and thousands separators, ``+ - * /`` and their typographic
    forms, ``x`` between numbers, parentheses, signs, ``%`` (hundredths), ``$``, and an optional
    ``= value``.
    Division by zero, unbalanced parentheses and texts beyond the bounds give None.
    """
    return _parse(text) if len(text) <= MAX_LENGTH else None


# Only short texts are cached: at most a few megabytes.
@lru_cache(maxsize=16_384)
def _parse(text: str) -> Expression | None:
    if text.isascii() and text.isdigit():  # most gold labels of word problems
        return Expression(text, Fraction(int(text)), 0)
    plain = _TIMES.sub(" * ", text.translate(_SPELLINGS)).strip()
    if plain.endswith("."):
        plain = plain[:-1]
    try:
        return _Parser(plain).parse()
    except (_InvalidError, ZeroDivisionError):
        return None


class _Parser:
    """expression = term {+- term}; term = factor {*/ factor}; factor = -factor | (…) | number."""

    def __init__(self, text: str) -> None:
        self.tokens = list(_tokens(text))
        self.position = 0
        self.operators = 0

    def parse(self) -> Expression:
        text, value = self._sum(0)
        self._skip_result(0)
        if self.position != len(self.tokens):
            raise _InvalidError
        return Expression(text, value, self.operators)

    def _peek(self) -> str:
        return self.tokens[self.position] if self.position < len(self.tokens) else ""

    def _take(self) -> str:
        token = self._peek()
        self.position += 1
        return token

    def _skip_result(self, depth: int) -> None:
        counted = self.operators
        while self._peek() == "=":
            self._take()
            self._sum(depth)
        self.operators = counted

    def _sum(self, depth: int) -> tuple[str, Fraction]:
        text, value = self._product(depth)
        while self._peek() in ("+", "-"):
            operator = self._take()
            right_text, right = self._product(depth)
            value = value + right if operator == "+" else value - right
            text = f"{text} {operator} {right_text}"
            self.operators += 1
        return text, value

    def _product(self, depth: int) -> tuple[str, Fraction]:
        text, value = self._factor(depth)
        while self._peek() in ("*", "/"):
            operator = self._take()
            right_text, right = self._factor(depth)
            value = value * right if operator == "*" else value / right
            text = f"{text} {operator} {right_text}"
            self.operators += 1
        return text, value

    def _factor(self, depth: int) -> tuple[str, Fraction]:
        if depth > MAX_DEPTH:
            raise _InvalidError
        token = self._take()
        if token in ("+", "-"):
            text, value = self._factor(depth + 1)
            return (f"-{text}", -value) if token == "-" else (text, value)
        if token == "(":
            text, value = self._sum(depth + 1)
            self._skip_result(depth + 1)
            if self._take() != ")":
                raise _InvalidError
            text = f"({text})"
        elif token and (token[0].isdigit() or token[0] == "."):
            # Fraction parses a text by a regular expression, which takes five times as long as int.
            is_whole = token.isdigit()
            text = token.removesuffix(".")
            value = Fraction(int(text)) if is_whole else Fraction(text)
        else:
            raise _InvalidError
        if self._peek() == "%":
            self._take()
            return f"{text}%", value / 100
        return text, value


def _tokens(text: str) -> Iterator[str]:
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise _InvalidError
        position = match.end()
        token = match["number"] or match["mark"]
        if token != "$":
            yield token.replace(",", "")


def find_expressions(text: str) -> Iterator[Expression]:
    """Yield the expressions with an operator in running text, in order.

    ``2-3 days`` and ``24/7`` are not sums: an operator without spaces counts only where ``=`` or
    ``is`` and a number follow.
    """
    for expression, _begin, _end in find_placed_expressions(text):
        yield expression


def find_placed_expressions(text: str) -> Iterator[tuple[Expression, int, int]]:
    """Yield the expressions of :func:`find_expressions` with their begins and ends."""
    text = text.translate(_SPELLINGS)
    for match in _SPAN.finditer(text):
        is_followed = _RESULT.match(text, match.end()) is not None
        begin = _opening(text, match.start())
        for part in _PART_END.split(text[begin : match.end()]):
            start, begin = begin, begin + len(part) + 1  # _PART_END matches one character
            if len(part) > 2 * MAX_LENGTH:  # which the parser refuses
                continue
            written = _balanced(part)
            expression = parse_expression(written)
            is_written_out = _SPACED.search(part) is not None or "=" in part or is_followed
            if expression is not None and expression.operators and is_written_out:
                start += part.index(written)
                yield expression, start, start + len(written)


def _opening(text: str, begin: int) -> int:
    """Return where the parentheses and signs before ``begin`` start."""
    opening = _OPENING.search(text, max(0, begin - _OPENING_LENGTH), begin)
    return opening.start() if opening else begin


_PART_END = re.compile(r"[.,](?=\s)")
_SPACED = re.compile(r"\s[-+*/xX]\s")
_RESULT = re.compile(r"\s{0,8}(?:is|equals)\s{1,8}\$?[0-9]")


def _balanced(part: str) -> str:
    """Remove parentheses that belong to the surrounding prose."""
    part = part.strip(" .,=\n")
    surplus = part.count("(") - part.count(")")
    while surplus > 0 and "(" in (part[0], part[-1]):
        part = (part[:-1] if part[-1] == "(" else part[1:]).strip(" =")
        surplus -= 1
    while surplus < 0 and part.endswith(")"):
        part = part[:-1].strip(" =")
        surplus += 1
    return part
