"""Sentence boundaries; decimals, initials and titles do not end a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator

__all__ = [
    "first_sentence",
    "has_one_sentence",
    "is_tentative",
    "last_sentence",
    "sentence_ends",
    "sentence_start",
]

_END = re.compile(r"[.!?;][\"')\]*_]{0,4}(?=\s|\Z)|\u3002|\uff01|\uff1f|\n")
_ABBREVIATION = re.compile(
    r"(?:(?<![a-z])(?:mr|mrs|ms|dr|prof|st|sr|jr|vs|rs|no|approx|ca|fig|eq|etc|e\.g|i\.e|cf|gen|rev|hon|lt"
    r"|col|sgt|capt|mt|ft|inc|ltd|co|vol|ch|pp|ed|al|resp|incl|op|tbsp|tsp|u\.s|u\.k|d\.c|a\.m|p\.m"
    r"|jan|feb|mar|apr|aug|sept?|oct|nov|dec)|(?<![a-z0-9'])(?-i:[A-Z]))\Z",
    re.IGNORECASE,
)
_CHOICE_LETTER = re.compile(
    r"(?:\b(?:is|be|was|not|option|choice|answer|letter|choose|pick|and|or|n't)|n't|[:(]|\A)[\s*(]{1,3}[A-Z]\Z"
)
_STARTER = re.compile(
    r"\s+(?:(?:It|The|This|That|These|Those|If|A|An|In|As|So|But|We|He|She|They|There|Because|Since|However"
    r"|Note|Thus|Therefore|All|Other|Others|Both|None|No|Option|Options|Choice|Actually|Only|Although|While"
    r"|I|My|Is|Let|Some|One|Hence|Wait|Here|Sorry"
    r"|Apologies|Oops|Whoops|Hm+|Hold|Rather|Scratch|Oh)\b|\(?[A-J]\)?\s+(?:is|are|was|would|can|cannot|does)\b)"
)
_LONGEST = 300
_ENUMERATOR = re.compile(r"(?:\n|\A)[ \t>*-]{0,8}\d{1,2}\Z")
_TENTATIVE = re.compile(
    r"\b(?:if|unless|would|could|might|may|whether|perhaps|possibly|maybe|probably\s+not|unclear|not|no"
    r"|never|neither|nor|none|nothing|cannot|suppose|assume|assuming|wrong|incorrect|let|let's|step"
    r"|either|otherwise|without|unknown|instead|nicht|kein|keine|pas|nie|niet|ikke|inte|n\u00e3o|non"
    r"|\u043d\u0435|had\s+(?:he|she|it|they|we|you|i))\b|n't\b|\?|\u4e0d\u662f|\u3058\u3083\u306a\u3044"
)

_REPLY = re.compile(r"\A\W*no\s?[,:.]")


def is_tentative(sentence: str) -> bool:
    """Return whether a sentence supposes, asks, doubts or denies rather than states.

    Args:
        sentence: in lower case.
    """
    return _TENTATIVE.search(_REPLY.sub("", sentence)) is not None


def sentence_ends(text: str, begin: int = 0, end: int | None = None) -> Iterator[int]:
    """Yield where the sentences of a text end, behind their last character."""
    for match in _END.finditer(text, begin, len(text) if end is None else end):
        if _is_end(text, match) and not _is_numbered(text, match):
            yield match.end()


def _last_end(text: str, begin: int, end: int) -> int | None:
    """Return the last place between two others where a sentence ends."""
    quick = _quick_end(text, begin, end)
    if quick is not None:
        return quick
    for match in reversed(list(_END.finditer(text, begin, end))):
        if match.end() < end and _is_end(text, match) and not _is_numbered(text, match):
            return match.end()
    return None


def _quick_end(text: str, begin: int, end: int) -> int | None:
    """Find the usual case without a pattern: a period behind a long word, and no mark after it."""
    place = text.rfind(". ", begin, end)
    if place < begin + 7 or not text[place - 7 : place].isalpha():
        return None
    behind = text[place + 2 : end]
    return None if any(map(behind.__contains__, _OTHER_MARKS)) else place + 1


_OTHER_MARKS = (".", "\n", "!", "?", ";", "\u3002", "\uff01", "\uff1f")


def has_one_sentence(text: str) -> bool:
    """Tell, for the usual case, that no sentence ends inside a text; False where it may."""
    return ". " not in text and text.isascii() and not any(map(text.__contains__, _INNER_MARKS))


_INNER_MARKS = ("!", "?", ";", '."', ".'", ".)", ".*", "._", ".]", "\n")


_FACTORIAL = re.compile(r"(?<=[\d)])![ \t]?[-+*/=\u00d7\u00f7\u2212][ \t]?[\d($]")


def _is_end(text: str, match: re.Match[str]) -> bool:
    if match[0] == "!" and _FACTORIAL.match(text, match.start()):
        return False  # 4! = 24
    if match[0][0] != "." or match.end() == len(text):
        return True
    if text[match.end() : match.end() + 1] == "\n":
        return True
    if _ABBREVIATION.search(text, max(0, match.start() - 8), match.start()) is None:
        return True
    # A choice's letter looks like an initial: "The answer is B. It wades."
    is_letter = _CHOICE_LETTER.search(text, max(0, match.start() - 16), match.start())
    return is_letter is not None and _STARTER.match(text, match.end()) is not None


def _is_numbered(text: str, match: re.Match[str]) -> bool:
    """Return whether a period stands behind the number of a list's item: ``2. Add them``."""
    if match[0][0] != "." or not text[match.start() - 1 : match.start()].isdigit():
        return False
    behind = text[match.end() : match.end() + 2].strip()
    return (
        bool(behind)
        and _ENUMERATOR.search(text, max(0, match.start() - 12), match.start()) is not None
    )


def first_sentence(text: str) -> str:
    """Return a text's first sentence, without the mark that ends it."""
    for match in _END.finditer(text):
        if _is_end(text, match) and text[: match.start()].strip():
            return text[: match.start()].strip()
    return text.strip()


def last_sentence(text: str) -> tuple[int, str]:
    """Return where a text's last sentence begins, and the sentence."""
    stop = len(text.rstrip(" \t\r\n.!?\"')*_"))
    begin = max(0, stop - _LONGEST)
    end = _last_end(text, begin, stop)
    begin = begin if end is None else end
    return begin, text[begin:]


def sentence_start(text: str, place: int) -> int:
    """Return where the sentence that holds a place begins."""
    begin = max(0, place - _LONGEST)
    end = _last_end(text, begin, place + 1)
    if end is not None:
        return end
    if not begin:
        return 0
    line = text.rfind("\n", 0, place)
    return line + 1 if line >= 0 else 0
