"""The tokens of a statement that may hold a number: digits in every grouping, words, signs.

An ambiguous number, such as ``1.2.3``, ``3:45`` or ``12,34``, is an unclear
token; a statement with one is left unread.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from mitools.reading.characters import word_set
from mitools.reading.number_words import PARTS, SCALES, SMALL, spelled_number

__all__ = ["Token", "number_text", "tokens_of"]


@dataclass(frozen=True, slots=True)
class Token:
    """One token.

    Attributes:
        kind: ``number``, ``word``, ``power``, ``unclear`` or ``other``, or the sign itself, such as
            ``-``, ``(`` or ``=``.
        text: as written; a number with plain digits.
        is_tight: whether no space stands before it.
    """

    kind: str
    text: str
    is_tight: bool


_TOKEN = re.compile(
    r"""
    (?P<space>\s+)
    | (?P<number>
        (?P<science>\d{1,30}(?:\.\d{1,30})?[eE][-+]?\d{1,3}(?![\w.]))
      | (?P<comma>\d{1,3}(?:,\d{3})+(?:\.\d+)?(?![\d,]))
      | (?P<indian>\d{1,2}(?:,\d{2})+,\d{3}(?:\.\d+)?(?![\d,]))
      | (?P<dot>\d{1,3}(?:(?:\.\d{3}){2,}(?:,\d+)?|\.\d{3},\d+)(?![\d.,]\d|\d))
      | (?P<gap>\d{1,3}(?:(?:[ ]\d{3})+|(?:['_]\d{3})+)(?:\.\d+)?(?![\d,:]|\.\d|\s?/))
      | (?P<plain>\d+(?:\.\d+)?|\.\d+)
      )(?P<more>[.,:]\d[\d.,:]*)?
    | (?P<unclear>[<>\u2264\u2265\u00b1\u2213\u2260\u221e\u221a\u03c0\\&|!?\u2030])
    | (?P<word>[^\W\d_][^\W_]*(?:[-'][^\W\d_][^\W_]*)*)
    | (?P<power>\*\*|\^)
    | (?P<sign>[-+*/()=%,:;\u2013\u2014\[\]~$])
    | (?P<other>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_MONEY = "\u20ac\u00a3\u00a5\u20b9\u20a9\u20bd\u00a2\u20ba\u20ab\u20aa\u0e3f"
_ATTACHED = re.compile(r"(?:[kKMB]|st|nd|rd|th|[xyznabc]|am|pm|AM|PM|[ap]\.m)\Z")
_REMAINDER = re.compile(r"[rR]\d+")
_NOT_UNITS = frozenset({"pi", "infinity", "factorial", "sqrt", "or", "mod", "log"})
_MIXED_WORDS = SMALL.keys() | SCALES.keys() | PARTS.keys()
# "the one", "one of them": a pronoun.
_BEFORE_PRONOUN = word_set("the this that each every no which any another last first other")


def tokens_of(text: str) -> list[Token]:
    """Split a statement in plain characters; numbers in words become numbers."""
    tokens: list[Token] = []
    is_tight = True
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup or ""
        if kind == "space":
            is_tight = False
            continue
        token = _token(match, is_tight, tokens)
        if token is not None:
            tokens.append(token)
        is_tight = True
    return _with_spelled(tokens)


def _token(match: re.Match[str], is_tight: bool, before: list[Token]) -> Token | None:
    if match["number"] is not None:
        if match["more"] is not None:
            return Token("unclear", match[0], is_tight)
        return Token("number", _digits(match), is_tight)
    text = match[0]
    if match["word"] is not None:
        is_attached = is_tight and before and before[-1].kind == "number"
        is_unclear = (is_attached and _ATTACHED.match(text)) or text.lower() in _NOT_UNITS
        is_unclear = is_unclear or _REMAINDER.fullmatch(text) is not None
        kind = "unclear" if is_unclear else "word"
        return Token(kind, text, is_tight)
    if match["power"] is not None:
        return Token("power", text, is_tight)
    if match["sign"] is not None:
        if text == "~" and any(token.kind == "number" for token in before):
            return Token("=", text, is_tight)
        if text in "~$":
            return None
        return Token({"[": "(", "]": ")"}.get(text, text), text, is_tight)
    if match["unclear"] is not None:
        return Token("unclear", text, is_tight)
    return None if text in _MONEY else Token("other", text, is_tight)


def _digits(match: re.Match[str]) -> str:
    text = match["number"]
    if match["more"] is None and match["plain"] is not None:
        return f"0{text}" if text.startswith(".") else text
    if match["science"] is not None:
        return number_text(Fraction(text))
    if match["dot"] is not None:
        return text.replace(".", "").replace(",", ".")
    return re.sub(r"[, '_]", "", text)


def number_text(value: Fraction) -> str:
    """Write a value as a whole number, a short decimal, or a fraction."""
    if value.denominator == 1:
        return str(value.numerator)
    for places in range(1, 7):
        scaled = value * 10**places
        if scaled.denominator == 1:
            sign, digits = "-" if scaled < 0 else "", str(abs(scaled.numerator))
            digits = digits.zfill(places + 1)
            return f"{sign}{digits[:-places]}.{digits[-places:]}"
    return f"{value.numerator}/{value.denominator}"


def _with_spelled(tokens: list[Token]) -> list[Token]:
    """Replace runs of number words by numbers."""
    if not any(token.kind == "word" and _is_number_word(token) for token in tokens):
        return tokens
    has_digits = any(token.kind == "number" for token in tokens)
    done: list[Token] = []
    place = 0
    while place < len(tokens):
        run, after = _run_from(tokens, place)
        if run and done and done[-1].kind == "number":
            scaled = _scaled(done[-1].text, run)
            if scaled is not None and done[-2:-1] and done[-2].kind == "/":
                return [Token("unclear", "1/2 million", True), *done]
            if scaled is not None:
                done[-1] = Token("number", scaled, done[-1].is_tight)
                place = after
                continue
        if run and not (run == ["one"] and (has_digits or _is_pronoun(tokens, place, after))):
            value = spelled_number(run)
            if value is not None:
                done.append(Token("number", number_text(value), tokens[place].is_tight))
                place = after
                continue
        done.append(tokens[place])
        place += 1
    return done


def _words(token: Token) -> list[str]:
    return token.text.lower().split("-") if token.kind == "word" else []


def _is_number_word(token: Token) -> bool:
    return all(word in _MIXED_WORDS for word in _words(token))


def _run_from(tokens: list[Token], place: int) -> tuple[list[str], int]:
    """Return the longest run of number words from a place, and where it ends."""
    run: list[str] = []
    end, kept = place, 0
    while end < len(tokens) and end < place + 16:
        words = _words(tokens[end])
        if words and all(word in _MIXED_WORDS for word in words):
            run += words
            kept = len(run)
            end += 1
            last = end
        elif words in (["and"], ["a"], ["an"]):
            run += words
            end += 1
        else:
            break
    return (run[:kept], last) if kept else ([], place)


def _scaled(digits: str, run: list[str]) -> str | None:
    """Apply the words behind a number in digits: ``3 million``, ``3 and a half``."""
    value = Fraction(digits)
    words = list(run)
    while words and words[0] in SCALES:
        value *= SCALES[words.pop(0)]
    if words[:1] == ["and"]:
        rest = spelled_number(words[1:])
        if rest is None or rest >= 1 or value.denominator != 1:
            return None
        return number_text(value + rest)
    if len(words) == 1 and words[0] in PARTS and (words[0].endswith("s") or value == 1):
        return number_text(value / PARTS[words[0]])
    return None if words else number_text(value)


def _is_pronoun(tokens: list[Token], place: int, after: int) -> bool:
    before = tokens[place - 1].text.lower() if place else ""
    behind = tokens[after].text.lower() if after < len(tokens) else ""
    return before in _BEFORE_PRONOUN or behind in ("of", "who", "that", "which", "with")
