"""Scripts: which write no spaces between words, and which signs belong to the letter before them.

Chinese, Japanese, Thai, Lao, Khmer and Burmese are read letter by letter: what their words are
takes a dictionary, and is often a matter of opinion.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from functools import cache

__all__ = ["UNSPACED", "count_letters", "find_words", "is_letter", "is_unspaced", "words_pattern"]

_HAN = (
    "\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    "\U00020000-\U0003ffff"
)
_OTHERS = (
    "\u3031-\u3035\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9f"  # Kana
    "\u0e01-\u0e4e\u0e81-\u0ece\u1000-\u103f\u1050-\u109f\u1780-\u17d3"  # Thai, Lao, Burmese, Khmer
)

UNSPACED = _HAN + _OTHERS
"""Letters of scripts without spaces between words, and the signs on them, as ranges."""

_UNSPACED = re.compile(f"[{UNSPACED}]")
_CHINESE = re.compile(f"[{_HAN}]")


def is_unspaced(character: str) -> bool:
    """Return whether a character is of a script without spaces; false for an empty text."""
    return not character.isascii() and _UNSPACED.match(character) is not None


def is_letter(character: str) -> bool:
    """Return whether a character is part of a word: a letter, a digit, or a sign on a letter."""
    if character.isalnum() or character == "_":
        return True
    return not character.isascii() and unicodedata.category(character)[0] == "M"


def count_letters(text: str) -> tuple[int, int, int]:
    """Count all letters and digits, those of scripts without spaces, and the Chinese ones."""
    if text.isascii():
        return sum(map(str.isalnum, text)), 0, 0
    found = _UNSPACED.findall(text)
    return sum(map(str.isalnum, text)), len(found), len(_CHINESE.findall(text))


def find_words(text: str) -> list[str]:
    """List the runs of letters and digits with the signs on them; single letters without spaces."""
    if text.isascii():
        return _ASCII_WORD.findall(text)
    return _any_word().findall(text)


_ASCII_WORD = re.compile(r"[^\W_]+")


@cache
def _any_word() -> re.Pattern[str]:
    return re.compile(words_pattern(r"[^\W_]"))


def words_pattern(letter: str) -> str:
    """Return the pattern of a word of any script.

    Args:
        letter: the pattern of one letter, such as ``[^\\W_]``.
    """
    marks = _signs()
    alone, joined = (
        f"(?={letter})[{UNSPACED}][{marks}]*",
        f"(?:(?![{UNSPACED}]){letter}[{marks}]*)+",
    )
    return f"{alone}|{joined}"


@cache
def _signs() -> str:
    """Return the signs that stand on or behind a letter, such as vowels, as ranges."""
    ranges: list[list[int]] = []
    for code in range(0x300, min(sys.maxunicode, 0x1E94B)):
        if unicodedata.category(chr(code))[0] != "M":
            continue
        if ranges and ranges[-1][1] == code - 1:
            ranges[-1][1] = code
        else:
            ranges.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in ranges)
