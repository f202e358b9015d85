"""Characters: one form for many spellings of a digit, space, sign or letter.

Two forms are made of a text. :func:`fold` keeps every position, so that a place found in the folded
text is the same place in the text. :func:`plain` may change the length; it is for short statements
whose value is to be read.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

__all__ = ["cased", "fold", "normalize", "plain", "without_invisible", "word_set"]

_QUOTES = {"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u00ab": '"', "\u00bb": '"'}
_SPACES = (
    "\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f"
)
# Zero-width space, word joiner, byte order mark, soft hyphen, and marks of direction. They are
# never part of a word; the zero-width joiners are, in Persian or in emoji, and stay.
_INVISIBLE = re.compile("[\u200b\u2060\ufeff\u00ad\u200e\u200f\u202a-\u202e\u2066-\u2069]")

_FOLDED = {
    **{code: chr(code - 0xFEE0) for code in range(0xFF01, 0xFF5F)},  # full-width ASCII
    **{ord(space): " " for space in f"{_SPACES}\u3000"},
    **{ord(quote): plain for quote, plain in _QUOTES.items()},
    0x0130: "i",  # the only letter whose lower case is two characters
    0xFE55: ":",
    0x2028: "\n",
    0x2029: "\n",
    0x0085: "\n",
}

# Before NFKC, which would write 1½ as 11/2 and 5² as 52, and knows no minus sign.
_SIGNS = {
    **{sign: "*" for sign in "\u00d7\u2715\u2716\u2a2f\u22c5\u00b7\u2217\u2219\u2022"},
    **{sign: "/" for sign in "\u00f7\u2215\u2044\u2797"},
    **{sign: "-" for sign in "\u2212\u2010\u2011\u2012\ufe63\uff0d\u2796"},
    "\u2795": "+",
    "\u2248": "~",
    "\u2243": "~",
    "\u2245": "~",
    "\u066b": ".",
    "\u066c": ",",
    "\u3002": ". ",
    "\uff61": ". ",
    "\u2014": " \u2014 ",
    "\u2015": " \u2014 ",
    "\u2026": "...",
}
_SUPERSCRIPTS = "\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079\u207a\u207b"
_RAISED = re.compile(f"[{_SUPERSCRIPTS}]+")
_RAISED_TO = str.maketrans(_SUPERSCRIPTS, "0123456789+-")
_FRACTION = re.compile("[\u00bc-\u00be\u2150-\u215f\u2189]")
_RAISED_OVER = re.compile(f"([{_SUPERSCRIPTS}]+)\u2044([\u2080-\u2089]+)")  # ³⁄₄


def word_set(text: str) -> frozenset[str]:
    """Make a set of the words in a text."""
    return frozenset(text.split())


def without_invisible(text: str) -> str:
    """Drop invisible characters, such as a byte order mark."""
    return text if text.isascii() else _INVISIBLE.sub("", text)


def fold(text: str) -> str:
    """Write a text in lower case with plain spaces, colons and quotes, position by position."""
    return text.lower() if text.isascii() else text.translate(_FOLDED).lower()


def plain(text: str) -> str:
    """Write the digits, fractions, powers and signs of a statement in ASCII.

    ``1½`` becomes ``1 1/2``, ``5²`` becomes ``5^2``, ``Ⓑ`` becomes ``(B)``. An en dash stays: it
    may be a minus sign or stand in a range.
    """
    if text.isascii():
        return text
    return "".join(map(_plain_character, _lowered(text)))


def _lowered(text: str) -> str:
    """Write raised digits with a sign: ``5²`` becomes ``5^2``, ``³⁄₄`` becomes ``3/4``."""
    text = _RAISED_OVER.sub(
        lambda found: f" {_digits(found[1])}/{unicodedata.normalize('NFKC', found[2])}", text
    )
    return _RAISED.sub(lambda found: f"^{found[0].translate(_RAISED_TO)}", text)


def _digits(raised: str) -> str:
    return raised.translate(_RAISED_TO)


@lru_cache(maxsize=4096)
def _plain_character(character: str) -> str:
    if character.isascii() or character == "\u2013":
        return character
    if character in _SIGNS:
        return _SIGNS[character]
    digit = unicodedata.decimal(character, None)
    if digit is not None:
        return str(digit)
    shown = unicodedata.normalize("NFKC", character)
    decomposed = unicodedata.decomposition(character)
    if decomposed.startswith("<fraction>"):
        return f" {shown.replace(chr(0x2044), '/')}"
    if decomposed.startswith("<circle>") and len(shown) == 1 and shown.isalpha():
        return f"({shown})"
    if character in _QUOTES:
        return _QUOTES[character]
    return shown


def normalize(text: str) -> str:
    """Normalize a label: lower case, single spaces, no quotes, no final period.

    Raised digits and fractions stay apart from others: ``5²`` becomes ``5^2``, ``½`` becomes
    ``1/2``.
    """
    return _normalized(text) if len(text) <= _LONGEST_KEPT else _normalize(text)


def _normalize(text: str) -> str:
    if text.isascii():
        return " ".join(text.lower().split()).strip("\"' .")
    return " ".join(_compatible(text).casefold().split()).strip("\"' .")


def cased(text: str) -> str:
    """Normalize a label as :func:`normalize` does, but keep its case."""
    return " ".join(_compatible(text).split()).strip("\"' .")


def _compatible(text: str) -> str:
    if text.isascii():
        return text
    text = _FRACTION.sub(lambda found: _plain_character(found[0]), _lowered(text))
    return unicodedata.normalize("NFKC", text).translate(_CURLY)


# Labels and choices repeat. Long texts are not cached, so that memory is bounded.
_LONGEST_KEPT = 80
_normalized = lru_cache(maxsize=16_384)(_normalize)
_CURLY = str.maketrans("\u2018\u2019\u201c\u201d", "''\"\"")
