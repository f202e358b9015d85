r"""Long rationales, cut to what a small student can learn: whole sentences, first and last.

The first sentence often states the approach, and the last ones lead to the label. So the first is
kept, then whole sentences from the end backwards, while all of them together have no more words
than the limit. Formulas (``$$…$$``, ``\[…\]``, ``\(…\)``, ``\begin{…}…\end{…}``) and blocks of code
are never cut inside. Time is linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from mitools.reading.sentences import sentence_ends

__all__ = ["Shortened", "shorten"]

_MARKS = re.compile(
    r"\$\$|\\\[|\\\]|\\\(|\\\)|```|\\begin\{[a-z]{1,20}\*?\}|\\end\{[a-z]{1,20}\*?\}"
)
_SPACE = re.compile(r"\s*")
_CLOSES = {"$$": "$$", r"\[": r"\]", r"\(": r"\)", "```": "```"}


class Shortened(NamedTuple):
    """A text that was cut.

    Attributes:
        text: the sentences that were kept; empty if each of them is longer than the limit.
        words: number of words before.
        kept: number of words after.
    """

    text: str
    words: int
    kept: int


def shorten(text: str, most_words: int) -> Shortened:
    """Cut a text to whole sentences of at most a number of words.

    Args:
        text: any text.
        most_words: the limit, of words between white space.

    >>> shorten("First we add. Then we wait. That is odd. So it is 5.", 7).text
    'First we add. So it is 5.'
    """
    words = len(text.split())
    if words <= most_words:
        return Shortened(text, words, words)
    pieces = list(_sentences(text))
    sizes = [len(piece.split()) for piece in pieces]
    takes_first = len(pieces) > 1 and sizes[0] + sizes[-1] <= most_words
    left = most_words - (sizes[0] if takes_first else 0)
    begin = end = len(pieces)
    while begin > takes_first:
        if sizes[begin - 1] <= left:
            begin -= 1
            left -= sizes[begin]
        elif begin == end:  # the sentence alone is too long; the one before it may fit
            begin = end = end - 1
        else:
            break
    kept = [*pieces[:takes_first], *pieces[begin:end]]
    return Shortened("".join(kept).strip(), words, sum(len(piece.split()) for piece in kept))


def _sentences(text: str) -> Iterator[str]:
    """Split a text into sentences with the white space behind them."""
    formulas = _formulas(text)
    inside = next(formulas, None)
    begin = 0
    for end in sentence_ends(text):
        while inside is not None and inside[1] <= end:
            inside = next(formulas, None)
        if inside is not None and inside[0] < end:
            continue
        stop = _SPACE.match(text, end).end()  # type: ignore[union-attr]  # it matches nothing too
        if text[begin:end].strip():
            yield text[begin:stop]
            begin = stop
    if text[begin:].strip():
        yield text[begin:]


def _formulas(text: str) -> Iterator[tuple[int, int]]:
    """Yield where formulas and blocks of code begin and end; an open one protects nothing."""
    opened: tuple[str, int] | None = None
    for match in _MARKS.finditer(text):
        mark = match[0]
        if opened is not None:
            if mark == opened[0]:
                yield opened[1], match.end()
                opened = None
            elif match.start() - opened[1] > _LONGEST:  # it was never closed
                opened = _opening(mark, match.start())
        else:
            opened = _opening(mark, match.start())


_LONGEST = 4000
"""Characters of a formula; a mark that stays open for longer is not one."""


def _opening(mark: str, place: int) -> tuple[str, int] | None:
    if mark.startswith("\\begin"):
        return mark.replace("begin", "end", 1), place
    close = _CLOSES.get(mark)
    return None if close is None else (close, place)
