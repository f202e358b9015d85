"""Parse the tokens of a statement into one expression, and check its value.

Words between numbers are skipped. Two numbers without an operator between them, a dash that may
mean a range, and an equation with different sides are unclear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction

from mitools.expressions import MAX_LENGTH, parse_expression
from mitools.reading.answer import UNCLEAR, Found
from mitools.reading.characters import word_set
from mitools.reading.tokens import Token, number_text

__all__ = ["expression_of"]

_IS = word_set("is are equals equal makes gives was yields")
_OPERATORS = {
    ("plus",): "+", ("minus",): "-", ("times",): "*", ("multiplied", "by"): "*",
    ("divided", "by"): "/", ("out", "of"): "/",
}  # fmt: skip


def expression_of(tokens: Sequence[Token]) -> Found:
    """Read the one expression that tokens give.

    Returns:
        Its text, as :func:`~mitools.expressions.parse_expression` writes it; or that it is unclear;
        or None where there is no number.
    """
    return _Statement(_with_operators(tokens)).value()


def _with_operators(tokens: Sequence[Token]) -> list[Token]:
    """Turn words between numbers into signs: ``plus``, ``out of``, ``is``."""
    done: list[Token] = []
    place = 0
    while place < len(tokens):
        token = tokens[place]
        word = token.text.lower() if token.kind == "word" else ""
        for words, sign in _OPERATORS.items():
            end = place + len(words)
            is_said = tuple(one.text.lower() for one in tokens[place:end]) == words
            if is_said and end < len(tokens) and tokens[end].kind in ("number", "("):
                done.append(Token(sign, sign, False))
                place = end
                break
        else:
            is_next = place + 1 < len(tokens) and tokens[place + 1].kind in ("number", "(")
            if word in ("percent", "percentage", "pct") and done and done[-1].kind == "number":
                done.append(Token("%", "%", True))
            elif word in ("squared", "cubed") and done and done[-1].kind == "number":
                done += [
                    Token("power", "^", True),
                    Token("number", "2" if word[0] == "s" else "3", True),
                ]
            elif word in _IS and is_next and any(one.kind in "+-*/" for one in done):
                done.append(Token("=", "=", False))
            elif word == "negative" and is_next:
                done.append(Token("-", "-", False))
            else:
                done.append(token)
            place += 1
    return done


class _UnclearError(Exception):
    pass


@dataclass
class _Statement:
    """Parser state: the tokens of one statement."""

    tokens: list[Token]
    out: list[str] = field(default_factory=list)
    depth: int = 0
    is_closed: bool = False

    def value(self) -> Found:
        """Read the expression.

        Returns:
            Its text; or that it is unclear; or None where there is no number.
        """
        try:
            place = 0
            while place < len(self.tokens):
                place = self._take(place)
        except _UnclearError:
            return UNCLEAR
        if self.out[:1] == ["("] and len(self.out) == 5 and self._kind(0) == "number":
            self.out = self.out[1:-1]  # a mixed number or a power alone
        return _checked(self.out)

    def _take(self, place: int) -> int:
        """Consume the token at a position; return the next position."""
        token = self.tokens[place]
        kind = token.kind
        if kind == "number":
            return self._number(place)
        if kind in ("+", "-", "*", "/", "\u2013"):
            return self._operator(place)
        if kind == "power":
            return self._power(place)
        if kind == "unclear":
            raise _UnclearError
        if kind == "(":
            self._open(token)
        elif kind == ")":
            self._close()
        elif kind == "%":
            if self._ends_operand():
                self.out.append("%")
        elif kind == "=":
            self._equal()
        elif kind in (",", ";", ":", "\u2014"):
            self.is_closed = self._has_number()
            if kind == "\u2014" and self.is_closed:
                return len(self.tokens)
        elif kind == "word" and self.out and self.out[-1] in ("+", "*", "/"):
            raise _UnclearError  # an operand that is not a number
        elif self._is_variable(place):
            raise _UnclearError  # "(1/2)x"
        return place + 1

    def _is_variable(self, place: int) -> bool:
        token = self.tokens[place]
        is_letter = token.kind == "word" and len(token.text) == 1
        return is_letter and token.is_tight and self._kind(place - 1) == ")"

    def _has_number(self) -> bool:
        return any(part[0].isdigit() for part in self.out)

    def _ends_operand(self) -> bool:
        return bool(self.out) and (self.out[-1][0].isdigit() or self.out[-1] in (")", "%"))

    def _kind(self, place: int) -> str:
        return self.tokens[place].kind if 0 <= place < len(self.tokens) else ""

    def _number(self, place: int) -> int:
        token = self.tokens[place]
        if self.is_closed:
            raise _UnclearError
        if self._ends_operand():
            if self.out[-1] == ")" and token.is_tight and self._kind(place - 1) == ")":
                self.out += ["*", token.text]
                return place + 1
            return self._mixed(place)
        self.out.append(token.text)
        return place + 1

    def _mixed(self, place: int) -> int:
        """Read the fraction of a mixed number: ``1 1/2``, ``1 and 1/2``."""
        is_behind_whole = self._kind(place - 1) == "number" or (
            self._kind(place - 2) == "number" and self.tokens[place - 1].text.lower() == "and"
        )
        fraction = self.tokens[place : place + 3]
        kinds = [token.kind for token in fraction]
        if not is_behind_whole or kinds != ["number", "/", "number"] or not self.out[-1].isdigit():
            raise _UnclearError
        top, below = fraction[0].text, fraction[2].text
        if not (top.isdigit() and below.isdigit() and 0 < int(top) < int(below)):
            raise _UnclearError
        value = int(self.out.pop()) + Fraction(int(top), int(below))
        self.out += _parts_of(value)
        return place + 3

    def _operator(self, place: int) -> int:
        token = self.tokens[place]
        sign = "-" if token.kind == "\u2013" else token.kind
        after = self._kind(place + 1)
        if self._ends_operand() and not self.is_closed:
            return self._binary(place, sign, after)
        is_tight_next = place + 1 < len(self.tokens) and self.tokens[place + 1].is_tight
        is_behind_word = self._kind(place - 1) == "word"
        if sign == "/" and (is_behind_word or after == "word"):
            return place + 2  # a unit such as km/h
        if is_behind_word and token.is_tight and is_tight_next:
            raise _UnclearError  # "b+2"
        if is_behind_word and not is_tight_next:
            if self._has_number() and after == "word":
                return len(self.tokens)
            raise _UnclearError  # "some - 8"
        if sign in "*/" or after not in ("number", "(", "-"):
            if sign == "-" and after in ("word", ""):
                return place + 1
            raise _UnclearError
        if sign == "-":
            self.out.append("-")
        return place + 1

    def _binary(self, place: int, sign: str, after: str) -> int:
        token = self.tokens[place]
        if after in ("word", "", "other", ",", ":"):
            if sign == "/" and after == "word":
                return place + 2
            if sign == "-":
                return len(self.tokens) if not self.depth else self._refuse()
            return self._refuse()
        self._check_range(place, token)
        self.out.append(sign)
        return place + 1

    def _refuse(self) -> int:
        raise _UnclearError

    def _check_range(self, place: int, token: Token) -> None:
        """Refuse ``5-7``, a phone number or a score, where a dash may not be a minus."""
        if token.kind not in ("-", "\u2013") or any(one.kind == "=" for one in self.tokens):
            return
        if self._kind(place + 1) != "number" or self._kind(place - 1) != "number":
            return
        following = self.tokens[place + 1]
        is_tight = token.is_tight and following.is_tight
        is_ascending = Fraction(self.tokens[place - 1].text) <= Fraction(following.text)
        others = sum(one.kind in ("+", "*", "/") for one in self.tokens)
        if is_tight and not others and (is_ascending or not self.depth):
            raise _UnclearError
        if token.kind == "\u2013" and is_ascending and not others:
            raise _UnclearError

    def _power(self, place: int) -> int:
        """Raise a number to a small whole power; a power of a unit does not change the value."""
        if self._kind(place - 1) == "word":
            return place + 2
        sign = 1
        end = place + 1
        if self._kind(end) in ("-", "+"):
            sign = -1 if self._kind(end) == "-" else 1
            end += 1
        is_raised = bool(self.out) and self.out[-1][0].isdigit()
        if not is_raised or self._kind(place - 1) != "number" or self._kind(end) != "number":
            raise _UnclearError
        base, exponent = self.out[-1], self.tokens[end].text
        is_small = exponent.isdigit() and int(exponent) <= 99 and len(base) * int(exponent) <= 150
        if not is_small or "/" in base or self._kind(end + 1) == "power":
            raise _UnclearError
        number = Fraction(base)
        if not number and sign < 0:
            raise _UnclearError
        if self.out[-2:-1] == ["-"]:
            raise _UnclearError  # -5^2: two readings
        self.out.pop()
        self.out += _parts_of(number ** (sign * int(exponent)))
        return end + 1

    def _open(self, token: Token) -> None:
        if self.is_closed:
            raise _UnclearError
        if self._ends_operand():
            if not token.is_tight:
                raise _UnclearError
            self.out.append("*")
        self.depth += 1
        self.out.append("(")

    def _close(self) -> None:
        if not self.depth:
            raise _UnclearError
        self.depth -= 1
        if self.out[-1] == "(":
            raise _UnclearError
        self.out.append(")")

    def _equal(self) -> None:
        if self._has_number():
            self.out.append("=")
        elif not self.depth:
            self.out.clear()


def _parts_of(value: Fraction) -> list[str]:
    if value.denominator == 1:
        return [number_text(value)]
    return ["(", str(value.numerator), "/", str(value.denominator), ")"]


def _checked(out: list[str]) -> Found:
    """Read the expression, and compare the sides of an equals sign."""
    if not any(part[0].isdigit() for part in out):
        return None
    if len(out) == 3 and out[0] == "(":
        out = out[1:2]
    text = " ".join(out)
    if len(text) > MAX_LENGTH:
        text = text.replace(" ", "")
    found = parse_expression(text)
    if found is None:
        return UNCLEAR
    if "=" in out:
        inner = out[1:-1] if out[0] == "(" and out[-1] == ")" and out.count("(") == 1 else out
        sides = [parse_expression(side) for side in " ".join(inner).split("=")]
        if any(side is not None and not _is_same(found.value, side.text) for side in sides):
            return UNCLEAR
    return found.text


def _is_same(value: Fraction, shown: str) -> bool:
    """Return whether a side has the value, rounded to the places that it shows."""
    side = parse_expression(shown)
    assert side is not None
    if side.operators or "." not in shown:
        return side.value == value
    places = len(shown.rstrip("%").partition(".")[2])
    return abs(side.value - value) < Fraction(1, 10**places)
