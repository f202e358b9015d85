"""Second step: end a completion where it goes on to invent another example.

A base model that has answered writes the next ``Q:``, ``Premise:`` or ``Example 2``, after the
headers of its prompt. Reasoning may also begin by repeating the question under its header; what
repeats the record's own input is not another example.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from mitools.reading.characters import fold, normalize, word_set
from mitools.reading.cues import line_starts

__all__ = ["headers_in", "own_part"]

_WORD = re.compile(r"\w{3,}")
_FIRST_WORD = re.compile(r"\w")
_MARKS = r"[ \t>#*_|\-]{0,12}"
_HEADER = re.compile(
    rf"{_MARKS}(?:(?:example|question|problem|exercise|q|input|passage|sample|case|task)"
    r"\s?\#?\d{1,4}\b[*_ \t]{0,4}(?P<numbered>[:.)]|$)"
    r"|(?P<open>q|question|premise|problem|user|human)\s*\Z"
    r"|(?P<name>[^\W\d_][^\n:.!?*#|]{0,30}?)[*_ \t]{0,4}:)",
    re.M,
)
_INLINE = re.compile(r"[.!?)\"'][ \t]{1,4}(?:q|question|premise|problem|user|human|input):")
# A turn or a question of another speaker: never part of an answer.
_ANOTHERS = word_set(
    "q question user human next question new question another question instruction"
    " instructions student prompt"
) | {"next question", "new question", "another question", "new problem", "next problem"}
# May also repeat the question that is being answered.
_OF_EXAMPLES = word_set(
    "premise hypothesis problem input context passage claim sentence review story"
    " exercise example paragraph frage pregunta aufgabe"
) | {"sentence 1", "sentence 2", "the premise", "word problem"}
# Names that an input may hold and an answer uses for itself.
_OF_ANSWERS = re.compile(
    r"answer|antwort|respuesta|r.ponse|rationale|reason|explan|solution|label|step|thought"
    r"|conclusion|note|hint|therefore|because|result|output|think"
)


def headers_in(text: str) -> frozenset[str]:
    """List the headers at line starts of an input or a template, in lower case.

    Headers of what an answer writes itself, such as ``Answer:``, are left out.
    """
    folded = fold(text[:20_000])
    places = (_HEADER.match(folded, place) for place in line_starts(folded))
    names = {_name(match) for match in places if match is not None}
    return frozenset(name for name in names if name and not _OF_ANSWERS.search(name))


def own_part(
    text: str,
    folded: str,
    asked: str,
    names: frozenset[str],
    is_answered: Callable[[int], bool],
) -> int:
    """Find where a completion ends and another example begins.

    Args:
        text: the completion, cleaned.
        folded: the same by :func:`~mitools.reading.characters.fold`.
        asked: the record's input; empty where unknown.
        names: further headers that begin an example.
        is_answered: tells whether an answer is stated before a position.

    Returns:
        A position in the text; its length where nothing else begins.
    """
    question = _Question(asked)
    first = _FIRST_WORD.search(folded)
    content = first.start() if first else 0
    repeats = False
    for begin, after, name in _places(folded, asked, names):
        if begin <= content:
            repeats = name not in _ANOTHERS or question.is_repeated_by(text[after : after + 400])
        elif is_answered(begin):
            return begin
        elif name in _ANOTHERS:
            if not question.is_repeated_by(text[after : after + 400]):
                return begin
        elif (
            repeats
            or (not asked and not _is_short(folded, content, begin))
            or question.is_repeated_by(text[after : after + 400])
        ):
            repeats = True
        else:
            return begin
    return _inline(folded, is_answered)


def _inline(folded: str, is_answered: Callable[[int], bool]) -> int:
    """Find a header inside a line; it counts only behind an answer."""
    if ":" in folded:
        for match in _INLINE.finditer(folded):
            if is_answered(match.start() + 1):
                return match.start() + 1
    return len(folded)


def _is_short(folded: str, begin: int, end: int) -> bool:
    """Return whether a part is one line of few words, as an answer alone would be."""
    part = folded[begin : min(end, begin + 80)].strip()
    return "\n" not in part and len(part) < 60 and len(part.split()) <= 4


class _Question:
    """The record's input, to recognize repetitions of it."""

    def __init__(self, asked: str) -> None:
        self._asked = asked
        self._words: set[str] | None = None

    def is_repeated_by(self, rest: str) -> bool:
        """Return whether most of the longer words behind a header are words of the input."""
        if not self._asked:
            return False
        if self._words is None:
            self._words = set(_WORD.findall(normalize(self._asked[:20_000])))
        line = rest.strip().partition("\n")[0]
        words = _WORD.findall(normalize(line))
        return bool(words) and 2 * sum(word in self._words for word in words) >= len(words)


def _places(folded: str, asked: str, names: frozenset[str]) -> Iterator[tuple[int, int, str]]:
    """Yield the headers in order: where they begin, where they end, and their name."""
    own: frozenset[str] | None = None
    for place in line_starts(folded):
        match = _HEADER.match(folded, place)
        if match is None:
            continue
        if match["name"] is None:
            yield place, match.end(), "question"
            continue
        name = _name(match)
        if name not in _ANOTHERS and name not in _OF_EXAMPLES and name not in names:
            own = headers_in(asked) if own is None else own
            if name not in own:
                continue
        yield place, match.end(), name


def _name(match: re.Match[str]) -> str:
    return " ".join(match["name"].split())
