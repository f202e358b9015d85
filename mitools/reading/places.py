"""Where the words of an answer stand: in the text that was read, and in the whole completion."""

from __future__ import annotations

from mitools.reading.answer import Statement
from mitools.reading.sentences import sentence_ends

__all__ = ["Place", "held_in", "place_within", "words_of"]

Place = tuple[int, int]


def words_of(own: str, statement: Statement) -> Place:
    """Return where the words of a statement begin and end: with a cue, to the end of a sentence."""
    return _stripped(own, statement.begin, _end_of(own, statement))


def held_in(own: str, statement: Statement) -> Place:
    """Return where the part of a statement begins and ends that holds its label.

    That is what stands behind a cue, or a box without the sentence around it.
    """
    return _stripped(own, statement.stated, _end_of(own, statement))


def _end_of(own: str, statement: Statement) -> int:
    if statement.rank != "cue":
        return statement.end
    return next(sentence_ends(own, statement.stated + 1, statement.end), statement.end)


def _stripped(own: str, begin: int, end: int) -> Place:
    words = own[begin:end]
    return begin + len(words) - len(words.lstrip()), begin + len(words.rstrip())


def place_within(text: str, part: str, place: Place | None) -> Place | None:
    """Turn a place in a part of a text into one in the text; None if it is not there.

    Args:
        text: the whole text.
        part: it ends the text, up to what was cut off; thoughts come before it. Something may have
            been removed within it.
        place: in the part.
    """
    if place is None:
        return None
    begin, end = place
    for first, last in ((0, len(part)), (max(0, begin - _AROUND), end)):
        start = text.rfind(part[first:last])
        if start >= 0:
            return start + begin - first, start + end - first
    words = part[begin:end]
    start = text.find(words)
    is_clear = start >= 0 and text.find(words, start + 1) < 0
    return (start, start + end - begin) if is_clear else None


_AROUND = 30
"""Characters before a label that tell its place from others with the same words."""
