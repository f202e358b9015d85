"""Fourth step for the task ``equation``: read the one number or expression in a statement.

Units and words around it are skipped. A statement with several numbers, a range, a date, a time or
an inequality is unclear; so is a sum that contradicts its own result.
"""

from __future__ import annotations

import re
from fractions import Fraction

from mitools.expressions import MAX_LENGTH, parse_expression
from mitools.reading.answer import UNCLEAR, Choices, Found
from mitools.reading.arithmetic import expression_of
from mitools.reading.characters import plain, word_set
from mitools.reading.notation import without_copula, without_latex, without_markup
from mitools.reading.number_words import (
    CHINESE,
    chinese_number,
    spelled_number,
    with_eastern_scales,
)
from mitools.reading.sentences import first_sentence, is_tentative
from mitools.reading.tokens import Token, tokens_of

__all__ = ["EquationReader"]

_LONGEST = 600
"""Characters of a statement that are read."""

_ANNOTATION = re.compile(r"<<[^<>]{0,200}>>")
_EDGES = "*_ \t\n"
_FOOTNOTE = re.compile(r"(?<=[\d.%])\[\d{1,3}\]")
_TIMES = re.compile(r"(?<=[\d)])\s?[xX]\s?(?=[\d($.-])")
_DATE = re.compile(
    r"(?<![\d/.-])(?:\d{1,2}/\d{1,2}/\d{2,4}|\d{4}([-/])\d{1,2}\1\d{1,2}|\d{1,2}([-.])\d{1,2}\2\d{2,4}"
    r"|0\d?/\d{1,2}|\d{1,2}/0\d)(?![\d/]|\s?=)"
)
_MONTH = re.compile(
    r"\b(?:January|February|March|April|May|June|July|August|September|October|November|December"
    r"|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sept?|Oct|Nov|Dec)\b\.?\s+\d|\d(?:st|nd|rd|th)?\s+(?:of\s+)?(?:January"
    r"|February|March|April|May|June|July|August|September|October|November|December)\b"
)
_CLOCK = re.compile(r"\d\s?(?:[ap]\.?m\.?|o'clock|hrs\s\d|h\s?\d\d)(?!\w)", re.IGNORECASE)
# What can follow an answer and does not belong to it.
_TAIL = re.compile(
    r"(?<=[\w)%$])\s{0,2}[,;(]?\s{1,2}(?:and\s)?(?:because|since|as|so|which|rather|instead|not|i\.e\.?"
    r"|e\.g\.?|but|given|due|when|if|after|where|while|making|meaning|leaving|giving|for\sa\stotal)\b"
)
_REMARK = re.compile(r"(?<=[\w%$.])\s?\([^()]{0,200}?[^\W\d_]{2}[^()]{0,200}\)")
_TIGHT_REMARK = re.compile(r"(?<=[\w%])\s\((?:approx|about|or|in|not)[^()]{0,200}\)")
_BOUND = re.compile(
    r"(?:\b(?:at\s+(?:least|most)|(?:more|less|fewer|greater|larger|smaller|higher|lower)\s+than"
    r"|twice|thrice|double|triple|half\s+of|root\s+of|square\s+of|remainder|up\s+to|over|under|above|below|between|beyond|no\s+more\s+than)|\+/-)\s*\$?\d",
    re.IGNORECASE,
)
_HEXADECIMAL = re.compile(r"(?<![\d.])0[xX][\da-fA-F]")
_PER_CENT = re.compile(r"\bper\s+cent\b", re.IGNORECASE)
_TWICE_SAID = re.compile(r"\b([A-Za-z]{3,12}(?:[- ][a-z]{3,5})?)\s\((\d{1,12})\)")
_ALTERNATIVE = re.compile(r"\(\s?or\s([^()]{1,60})\)", re.IGNORECASE)
_ROUNDING = Fraction(1, 100)
_OR = re.compile(r"\bor\b", re.IGNORECASE)
_NOT = re.compile(r"\s*(?:not|n't|neither|never)\b", re.IGNORECASE)
_NOT_BUT = re.compile(r"\s*not\b[^,;]{1,80}?(?:,?\s+but|;\s*(?:it\s+is|but))\s", re.IGNORECASE)
_ENUMERATED = re.compile(r"\s*\d{1,2}[.)]\s+\S")
# Words that a bare answer does not hold: they make a sentence of it.
_OF_SENTENCES = word_set(
    "is are was were be has have had he she they it we you i the this that there then will would"
    " can could should must did does do makes gives need needs get gets so and but first next if"
    " let step from than more add subtract multiply divide left remaining because since"
) - {"left", "remaining"}
_BEFORE_BARE = word_set(
    "about approximately exactly only around roughly approx nearly almost usd eur gbp inr us rs a"
    " total of just equals rm cad aud negative minus nearly"
)


class EquationReader:
    """Reads exactly one number or expression."""

    def read(self, text: str, choices: Choices) -> Found:
        return _read(text)

    def read_exact(self, text: str, choices: Choices) -> Found:
        if _USUAL.fullmatch(text):
            text = text.rstrip(" .")
            text = text if len(text) <= MAX_LENGTH else text.replace(" ", "")
            found = parse_expression(text)
            return UNCLEAR if found is None else found.text
        return _read(text, is_bare=True)

    def read_last(self, text: str, choices: Choices) -> Found:
        text = plain(text)
        folded = text.lower()
        if not _HAS_DIGIT.search(text) or " than " in folded or is_tentative(folded):
            return None
        return _read(text, digits_only=True)


# Most answers: a plain number, or an expression in parentheses with spaces around its operators.
_USUAL = re.compile(
    r"(?a:\$?-?\d{1,12}(?:\.\d{1,9})?|\({1,9}\d{1,12}(?:\.\d{1,9})?"
    r"(?: [-+*/] \({0,9}\d{1,12}(?:\.\d{1,9})?\){0,9}){1,9})[ .]{0,2}"
)
_HAS_DIGIT = re.compile(r"\d")


def _read(text: str, *, is_bare: bool = False, digits_only: bool = False) -> Found:
    if len(text) > _LONGEST:
        if is_bare:
            return None
        text = text[:_LONGEST]
    shown = without_markup(without_latex(plain(_ANNOTATION.sub("", text)))).strip(_EDGES)
    if is_bare and (_ENUMERATED.match(shown) or len(shown) > 2 * MAX_LENGTH):
        return None
    shown = first_sentence(shown)
    other = _NOT_BUT.match(shown)
    if other is not None:
        return _read(shown[other.end() :], is_bare=is_bare, digits_only=digits_only)
    if _NOT.match(shown):
        return None
    if _HEXADECIMAL.search(shown):
        return UNCLEAR
    shown = with_eastern_scales(_TWICE_SAID.sub(_once, _PER_CENT.sub("percent", shown)))
    shown = _TIMES.sub(" * ", _FOOTNOTE.sub("", without_copula(shown)))
    alternative = _ALTERNATIVE.search(shown)
    shown = shown if digits_only else _without_tail(shown)
    if not _HAS_DIGIT.search(shown):
        if digits_only:
            return None
        shown = _with_chinese(shown)
    elif _is_unclear(shown):
        return UNCLEAR
    tokens = tokens_of(shown)
    if not any(token.kind == "number" for token in tokens):
        return (
            UNCLEAR
            if any(token.kind == "unclear" and token.text[0].isdigit() for token in tokens)
            else None
        )
    if is_bare and not _is_bare(tokens):
        return None
    label = expression_of(tokens)
    if alternative is not None and isinstance(label, str):
        return label if _says_the_same(label, alternative[1]) else UNCLEAR
    return label


def _says_the_same(label: str, other: str) -> bool:
    """Return whether what stands in ``3/4 (or 0.75)`` is one value twice, or a rounded one."""
    tokens = tokens_of(other)
    if not any(token.kind == "number" for token in tokens):
        return True  # a remark in words
    again = expression_of(tokens)
    first = parse_expression(label)
    second = parse_expression(again) if isinstance(again, str) else None
    if first is None or second is None:
        return False
    rounding = abs(first.value) * _ROUNDING if "." in other else 0
    return abs(first.value - second.value) <= rounding


def _once(match: re.Match[str]) -> str:
    """Write ``five (5)`` as ``5``."""
    value = spelled_number(match[1].lower().replace("-", " ").split())
    return match[2] if value == int(match[2]) else match[0]


def _without_tail(shown: str) -> str:
    shown = _REMARK.sub(_kept_remark, shown)
    digit = _HAS_DIGIT.search(shown)
    if digit is None:
        return shown
    tail = _TAIL.search(shown, digit.start())
    return shown[: tail.start()] if tail else shown


def _kept_remark(match: re.Match[str]) -> str:
    """Drop a remark in parentheses behind an answer; keep what belongs to an expression."""
    before = match.string[: match.start()].rstrip()
    is_remark = match[0].startswith(" ") or not before[-1:].isdigit()
    return "" if is_remark and _HAS_DIGIT.search(before[-40:]) else match[0]


def _is_unclear(shown: str) -> bool:
    return any(pattern.search(shown) for pattern in (_OR, _DATE, _MONTH, _CLOCK, _BOUND))


def _with_chinese(shown: str) -> str:
    if shown.isascii():
        return shown
    numbers = list(CHINESE.finditer(shown))
    if len(numbers) != 1:
        return shown
    number = chinese_number(numbers[0][0])
    return (
        shown
        if number is None
        else f"{shown[: numbers[0].start()]} {number} {shown[numbers[0].end() :]}"
    )


def _is_bare(tokens: list[Token]) -> bool:
    """Return whether a statement is a number or an expression with a few words of units."""
    first = next(place for place, token in enumerate(tokens) if token.kind == "number")
    words = [token.text.lower() for token in tokens[first:] if token.kind == "word"]
    before = [token.text.lower() for token in tokens[:first] if token.kind == "word"]
    if any(token.kind == "=" for token in tokens[:first]):
        before = []  # "x = 5"
    if any(word not in _BEFORE_BARE for word in before):
        return False
    numbers = sum(token.kind == "number" for token in tokens)
    return len(words) <= 4 + numbers and not any(word in _OF_SENTENCES for word in words)
