"""The parts of a long text that are shown: its head, its tail, and places of interest between them.

Pure functions of texts and places; nothing here renders.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

__all__ = ["Limits", "Omission", "Part", "excerpt"]

Place = tuple[int, int]

_WORD = re.compile(r"\S+")

LONGEST_WORD = 40
"""Characters; a longer word is cut where a text is, not left out whole."""

MOST_PLACES = 8
"""Most places between head and tail that are shown."""


class Part(NamedTuple):
    """A part of a text that is shown: where it begins and ends."""

    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Omission:
    """What is left out between two parts: a count, of words or of characters."""

    count: int
    unit: str

    def __str__(self) -> str:
        return f"{self.count:,} {self.unit}{'s' * (self.count != 1)} left out"


@dataclass(frozen=True)
class Limits:
    """How much of a text is shown.

    Attributes:
        head: words at the beginning.
        tail: words at the end.
        around: words on both sides of a place of interest.
        letters: characters that count as one word at most; for texts without spaces.
    """

    head: int = 70
    tail: int = 50
    around: int = 8
    letters: int = 10

    @property
    def shortest_gap(self) -> int:
        """Fewest words worth leaving out: a shorter text is shown whole."""
        return max(1, (self.head + self.tail) // 4)


def excerpt(text: str, limits: Limits, places: Sequence[Place] = ()) -> list[Part | Omission]:
    """Return the parts of a text that are shown, and what is left out between them.

    Args:
        text: the whole text.
        limits: how much to show.
        places: where words of interest begin and end; shown with some words around them.

    Returns:
        Parts and omissions in turn; one part if the text is short enough.
    """
    gap = limits.letters * limits.shortest_gap
    head = _reach(text, 0, limits.head, limits.letters)
    tail = _reach_back(text, len(text), limits.tail, limits.letters)
    kept = [(0, head), *_around(text, places[:MOST_PLACES], limits), (tail, len(text))]
    parts: list[Part] = []
    for begin, end in sorted(kept):
        if parts and not _is_gap(text, parts[-1].end, begin, gap, limits.shortest_gap):
            parts[-1] = Part(parts[-1].begin, max(parts[-1].end, end))
        else:
            parts.append(Part(begin, end))
    return list(_with_omissions(text, parts, limits))


def _around(text: str, places: Sequence[Place], limits: Limits) -> Iterator[Place]:
    for begin, end in places:
        yield (
            _reach_back(text, begin, limits.around, limits.letters),
            _reach(text, end, limits.around, limits.letters),
        )


def _is_gap(text: str, begin: int, end: int, letters: int, words: int) -> bool:
    """Return whether what lies between two places is worth leaving out."""
    if begin >= end:
        return False
    between = text[begin:end]
    return len(between) > letters or len(between.split()) > words


def _reach(text: str, begin: int, words: int, letters: int) -> int:
    """Return where a number of words behind a place ends; a very long word is cut."""
    stop = min(len(text), begin + words * letters)
    ends = [match.end() for match in islice(_WORD.finditer(text, begin, stop), words)]
    if len(ends) < words and stop == len(text):
        return stop
    is_cut = not ends or (ends[-1] == stop and bool(text[stop : stop + 1].strip()))
    if is_cut and len(ends) > 1 and stop - ends[-2] <= LONGEST_WORD:
        return ends[-2]
    return ends[-1] if ends else stop


def _reach_back(text: str, end: int, words: int, letters: int) -> int:
    """Return where a number of words before a place begins; a very long word is cut."""
    start = max(0, end - words * letters)
    begins = [match.start() for match in _WORD.finditer(text, start, end)]
    if len(begins) < words and start == 0:
        return start
    is_cut = not begins or (begins[0] == start and bool(text[start - 1 : start].strip()))
    if is_cut and len(begins) > 1 and begins[1] - start <= LONGEST_WORD:
        begins = begins[1:]
    return begins[max(0, len(begins) - words)] if begins else start


def _with_omissions(text: str, parts: Sequence[Part], limits: Limits) -> Iterator[Part | Omission]:
    before: Part | None = None
    for part in parts:
        if before is not None:
            between = text[before.end : part.begin]
            words = len(between.split())
            is_spaced = len(between) <= words * limits.letters * 2
            yield Omission(words, "word") if is_spaced else Omission(len(between), "character")
        yield part
        before = part
