"""Second step: end a completion where it goes on to invent another example.

A base model that has answered writes the next ``Q:``, ``Premise:`` or ``Example 2``, after the
headers of its prompt. Reasoning may also begin by repeating the question under its header; what
repeats the record's own input is not another example.

Reasons have headers too, such as ``Problem:`` or ``Example 1:``. Before an answer is stated, a
header ends the text only if it is one of the prompt, or if no answer follows.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from mitools.reading.characters import fold, normalize, word_set
from mitools.reading.cues import line_starts

__all__ = ["Stated", "headers_in", "own_part", "template_headers"]

_WORD = re.compile(r"\w+")
_SHORTEST = 2  # characters; longer words are compared
_FIRST_WORD = re.compile(r"\w")
_MARKS = r"[ \t>#*_|\-]{0,12}"
_HEADER = re.compile(
    rf"{_MARKS}(?:(?P<word>example|question|problem|exercise|q|input|passage|sample|task)"
    r"\s?\#?(?P<number>\d{1,4})\b[*_ \t]{0,4}(?:[:.)]|$)"
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
# Reasons use these seldom. The other names of examples, and of speakers, only begin an example if
# the prompt has them, if no answer follows, or if a reply to them does.
_SELDOM_IN_REASONS = word_set("premise hypothesis pregunta frage aufgabe")
_SPEAKERS = word_set("user student instruction instructions prompt")
_REPLY = re.compile(rf"\n{_MARKS}(?:assistant|answer|a|bot|model)[*_ \t]{{0,4}}:")
# Names that an input may hold and an answer uses for itself.
_OF_ANSWERS = re.compile(
    r"answer|antwort|respuesta|r.ponse|rationale|reason|explan|solution|label|step|thought"
    r"|conclusion|note|hint|therefore|because|result|output|think"
)


# What a template fills in from a record; choices also stand in the form of an answer.
_FILLED = re.compile(r"\{\{(?![^{}]{0,200}\b(?:choices?|letter|hint|loop)\b)")


class Stated(Protocol):
    """Tells where a completion has stated an answer."""

    def before(self, place: int) -> bool:
        """Return whether a cue or a mark states an answer before a position."""

    def by_line(self, place: int) -> bool:
        """Return whether the last line before a position is an answer and nothing else."""


def headers_in(text: str) -> list[str]:
    """List the headers at line starts of an input in their order, in lower case.

    Headers of what an answer writes itself, such as ``Answer:``, are left out.
    """
    folded = fold(text[:20_000])
    places = (_HEADER.match(folded, place) for place in line_starts(folded))
    return [name for match in places if match is not None and (name := _asked_name(match))]


def template_headers(template: str) -> frozenset[str]:
    """List the headers of a template that a record's text follows, in lower case.

    Others describe the form of the answer: ``Category: one of {{ choices | join(", ") }}``.
    """
    folded = fold(template[:20_000])
    names = set()
    for place in line_starts(folded):
        match = _HEADER.match(folded, place)
        name = match and _asked_name(match)
        if match and name and _FILLED.search(_behind(folded, match.end())):
            names.add(name)
    return frozenset(names)


def _asked_name(match: re.Match[str]) -> str:
    """Return the name of a header; empty if it is numbered, or if an answer uses it for itself."""
    name = "" if match["name"] is None else _name(match)
    return "" if _OF_ANSWERS.search(name) else name


def _behind(text: str, place: int) -> str:
    """Return the rest of a line, or else the next line."""
    line, _, below = text[place : place + 1000].partition("\n")
    return line if line.strip() else below.partition("\n")[0]


def own_part(text: str, folded: str, asked: str, names: frozenset[str], stated: Stated) -> int:
    """Find where a completion ends and another example begins.

    Args:
        text: the completion, cleaned.
        folded: the same by :func:`~mitools.reading.characters.fold`.
        asked: the record's input; empty where unknown.
        names: further headers that begin an example.
        stated: tells where an answer is stated.

    Returns:
        A position in the text; its length where nothing else begins.
    """
    question = _Question(asked)
    first = _FIRST_WORD.search(folded)
    content = first.start() if first else 0
    repeats = False
    seen = -1  # the header before
    answered = -1  # the first header, where the only line before it is an answer
    unsure = -1  # the first header that may as well belong to the reasons
    for header in _places(folded, asked, names):
        begin, before, seen = header.begin, seen, header.begin
        if begin <= content:
            is_own = question.is_repeated_by(text[header.end : header.end + 400])
            repeats = not header.is_anothers or is_own
            continue
        if stated.before(begin):
            return begin
        rest = text[header.end : header.end + 400]
        if before < 0 and "\n" not in folded[content:begin].strip() and stated.by_line(begin):
            answered = begin
        if (
            answered >= 0
            and not question.is_repeated_wholly_by(rest)
            and _answers_again(stated, folded)
        ):
            return answered
        if unsure >= 0 and "\n" in folded[before:begin].strip() and stated.by_line(begin):
            return begin
        if question.is_repeated_by(rest):
            repeats = repeats or not header.is_anothers
        elif header.is_anothers:
            return begin if unsure < 0 else unsure
        elif repeats or (not asked and not _is_short(folded, content, begin)):
            repeats = True
        elif header.is_of_prompt or (unsure < 0 and stated.by_line(begin)):
            return begin if unsure < 0 else unsure
        elif unsure < 0:
            unsure = begin
    if unsure >= 0 and not stated.before(len(folded)) and not stated.by_line(len(folded)):
        return unsure
    return _inline(folded, stated)


def _answers_again(stated: Stated, folded: str) -> bool:
    return stated.before(len(folded)) or stated.by_line(len(folded))


def _inline(folded: str, stated: Stated) -> int:
    """Find a header inside a line; it counts only behind an answer."""
    if ":" in folded:
        for match in _INLINE.finditer(folded):
            if stated.before(match.start() + 1):
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
        self._known: set[str] | None = None

    def is_repeated_by(self, rest: str) -> bool:
        """Return whether most of the longer words behind a header are words of the input."""
        words = [word for word in _words_of(rest) if len(word) > _SHORTEST]
        return bool(words) and 2 * self._count(words) >= len(words)

    def is_repeated_wholly_by(self, rest: str) -> bool:
        """Return whether all words and numbers behind a header are those of the input."""
        words = _words_of(rest)
        return bool(words) and self._count(words) == len(words)

    def _count(self, words: Sequence[str]) -> int:
        if self._known is None:
            self._known = set(_WORD.findall(normalize(self._asked[:20_000])))
        return sum(word in self._known for word in words)


def _words_of(rest: str) -> list[str]:
    return _WORD.findall(normalize(rest.strip().partition("\n")[0]))


class _Header(NamedTuple):
    """A header at the start of a line.

    Attributes:
        begin: where it begins.
        end: where it ends.
        is_anothers: whether it begins a turn or a question of another speaker.
        is_of_prompt: whether it begins an example, although no answer is stated before it.
    """

    begin: int
    end: int
    is_anothers: bool = True
    is_of_prompt: bool = True


def _places(folded: str, asked: str, names: frozenset[str]) -> Iterator[_Header]:
    """Yield the headers in order."""
    own: list[str] | None = None
    own_lists: dict[str, bool] = {}  # by word: whether the numbers of its headers begin at 1
    last_reply = -1
    for place in line_starts(folded):
        match = _HEADER.match(folded, place)
        if match is None:
            continue
        if match["number"]:
            is_own_list = own_lists.setdefault(match["word"], int(match["number"]) == 1)
            yield _Header(place, match.end(), not is_own_list, not is_own_list)
            continue
        if match["name"] is None:
            yield _Header(place, match.end())
            continue
        name = _name(match)
        own = headers_in(asked) if own is None else own
        is_common = name in _ANOTHERS or name in _OF_EXAMPLES
        if not is_common and name not in names and name not in own:
            continue
        is_of_prompt = name in names or name in own[:1] or name in _SELDOM_IN_REASONS
        is_anothers = name in _ANOTHERS
        if name in _SPEAKERS and not is_of_prompt:
            if last_reply < 0:
                replies = [reply.start() for reply in _REPLY.finditer(folded)]
                last_reply = replies[-1] if replies else 0
            is_anothers = last_reply > place
        yield _Header(place, match.end(), is_anothers, is_of_prompt)


def _name(match: re.Match[str]) -> str:
    return " ".join(match["name"].split())
