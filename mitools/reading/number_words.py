"""Numbers in words: ``twenty-one``, ``two thirds``, ``a dozen``, ``四十二``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fractions import Fraction

__all__ = [
    "CHINESE",
    "PARTS",
    "SCALES",
    "SMALL",
    "chinese_number",
    "spelled_number",
    "with_eastern_scales",
]


def _words(text: str) -> list[str]:
    return text.split()


SMALL = {
    word: number
    for number, word in enumerate(
        _words(
            "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen"
            " fifteen sixteen seventeen eighteen nineteen"
        )
    )
} | {
    word: 10 * number
    for number, word in enumerate(
        _words("twenty thirty forty fifty sixty seventy eighty ninety"), start=2
    )
}
SMALL["fourty"] = 40
"""Numbers below a hundred."""

SCALES = {
    "hundred": 10**2,
    "thousand": 10**3,
    "lakh": 10**5,
    "million": 10**6,
    "mn": 10**6,
    "crore": 10**7,
    "billion": 10**9,
    "bn": 10**9,
    "trillion": 10**12,
    "tn": 10**12,
    "quadrillion": 10**15,
    "dozen": 12,
}
SCALES |= {f"{word}s": number for word, number in SCALES.items() if len(word) > 2}
"""Words that multiply the number before them."""

PARTS = {
    "half": 2,
    "halves": 2,
    **{
        f"{word}{ending}": number
        for word, number in (
            ("third", 3), ("quarter", 4), ("fourth", 4), ("fifth", 5), ("sixth", 6),
            ("seventh", 7), ("eighth", 8), ("ninth", 9), ("tenth", 10), ("twelfth", 12),
            ("sixteenth", 16), ("twentieth", 20), ("hundredth", 100), ("thousandth", 1000),
        )
        for ending in ("", "s")
    },
}  # fmt: skip
"""Words that divide the number before them. ``second`` is a unit of time or a place in a row."""


def spelled_number(words: Sequence[str]) -> Fraction | None:
    """Read a number that is written in words alone, such as ``two hundred and five``.

    Args:
        words: in lower case, without hyphens.

    Returns:
        The value; None where the words are not exactly one number.
    """
    if not words or len(words) > 20:
        return None
    if words[0] == "half" and len(words) > 2 and words[1] in ("a", "an"):
        whole = spelled_number(words[1:])  # half a dozen
        return None if whole is None else whole / 2
    if words[0] in ("a", "an") and len(words) > 1 and words[1] in SCALES.keys() | PARTS.keys():
        words = ["one", *words[1:]]
    if words[-1] in PARTS:
        return _with_part(words)
    total = _whole_number(words)
    return None if total is None else Fraction(total)


def _with_part(words: Sequence[str]) -> Fraction | None:
    """Read ``two thirds``, ``half``, ``one and a half``."""
    size = PARTS[words[-1]]
    before = list(words[:-1])
    if not before:
        return Fraction(1, 2) if size == 2 else None  # "third" alone is a place in a row
    if "and" in before:
        split = len(before) - 1 - before[::-1].index("and")
        whole = _whole_number(before[:split])
        count = _count(before[split + 1 :])
        return None if whole is None or count is None else whole + Fraction(count, size)
    count = _count(before)
    return None if count is None else Fraction(count, size)


def _count(words: Sequence[str]) -> int | None:
    return 1 if list(words) in (["a"], ["an"]) else _whole_number(words)


def _whole_number(words: Sequence[str]) -> int | None:
    total = group = 0
    last = None  # the size of the last small word: "five twenty" is not a number
    for place, word in enumerate(words):
        if word == "and":
            if not 0 < place < len(words) - 1 or words[place - 1] not in SCALES:
                return None
            continue
        if word in SMALL:
            number = SMALL[word]
            is_unit_behind_ten = (
                last is not None and last % 10 == 0 and last >= 20 > 9 >= number > 0
            )
            if last is not None and not is_unit_behind_ten:
                return None
            group, last = group + number, number
        elif word in SCALES:
            if group == 0:
                return None
            scale = SCALES[word]
            if scale in (12, 100):
                group *= scale
            else:
                total, group = total + group * scale, 0
            last = None
        else:
            return None
    return total + group if words and (total or group or list(words) == ["zero"]) else None


_CHINESE_DIGITS = {
    digit: number
    for number, digit in enumerate("\u96f6\u4e00\u4e8c\u4e09\u56db\u4e94\u516d\u4e03\u516b\u4e5d")
} | {"\u3007": 0, "\u4e24": 2, "\u5169": 2}
_CHINESE_UNITS = {"\u5341": 10, "\u767e": 100, "\u5343": 1000}
_CHINESE_GROUPS = {"\u4e07": 10**4, "\u842c": 10**4, "\u4ebf": 10**8, "\u5104": 10**8}
CHINESE = re.compile(f"[{''.join((*_CHINESE_DIGITS, *_CHINESE_UNITS, *_CHINESE_GROUPS))}]{{1,20}}")
"""A run of the characters that Chinese and Japanese numbers are written with."""


_EAST_SCALES = {
    "\u5341": 10, "\u767e": 100, "\u5343": 1000, "\u4e07": 10**4, "\u842c": 10**4, "\u4ebf": 10**8,
    "\u5104": 10**8, "\ubc31": 100, "\ucc9c": 1000, "\ub9cc": 10**4, "\uc5b5": 10**8,
}  # fmt: skip
_EAST_SCALED = re.compile(rf"(\d{{1,15}}(?:\.\d{{1,9}})?)([{''.join(_EAST_SCALES)}])")


def with_eastern_scales(text: str) -> str:
    """Write ``3.5\u4e07`` as ``35000``, and likewise for other powers of ten behind digits."""
    if text.isascii():
        return text

    def scaled(match: re.Match[str]) -> str:
        value = Fraction(match[1]) * _EAST_SCALES[match[2]]
        return str(value) if value.denominator == 1 else match[0]

    return _EAST_SCALED.sub(scaled, text)


def chinese_number(text: str) -> int | None:
    """Read a number such as ``四十二``; None where the characters are not one."""
    total = group = 0
    digit: int | None = None
    for character in text:
        if character in _CHINESE_DIGITS:
            if digit:
                return None
            digit = _CHINESE_DIGITS[character]
        elif character in _CHINESE_UNITS:
            group += (1 if digit is None else digit) * _CHINESE_UNITS[character]
            digit = None
        else:
            total = (total + group + (digit or 0)) * _CHINESE_GROUPS[character]
            group, digit = 0, None
    return total + group + (digit or 0)
