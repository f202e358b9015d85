"""The words that two texts share, and those that only one of them has.

Pure functions of texts; nothing here renders.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from typing import Literal, NamedTuple

__all__ = ["DiffKind", "DiffPart", "count_words", "word_diff"]

DiffKind = Literal["same", "removed", "added"]

_IDEOGRAPH = "[\u3040-\u30ff\u3400-\u9fff]"  # Chinese and Japanese have no spaces between words
_TOKEN = re.compile(
    rf"{_IDEOGRAPH}|[0-9]+(?:[.,][0-9]+)*|(?:(?!{_IDEOGRAPH})\w)+(?:['\u2019]\w+)*|[^\w\s]"
)

MOST_COMPARISONS = 1_000_000
"""Product of the numbers of words up to which every pair of words may be compared. Longer texts are
compared without their most frequent words as anchors, which takes linear time in practice."""


class DiffPart(NamedTuple):
    """Consecutive words, in both texts or in one of them.

    Attributes:
        kind: whether both texts have these words.
        text: the words, with what stands between them.
        is_apart: whether a space or a line break stands before them, or the text begins there.
    """

    kind: DiffKind
    text: str
    is_apart: bool = False


def word_diff(old: str, new: str) -> list[DiffPart]:
    """Compare two texts word by word.

    Spaces and line breaks are not compared; each part has those of its own text, ``same`` parts
    those of the new one.

    Args:
        old: the first text.
        new: the second text.

    Returns:
        The parts in order; removed words stand before the added ones that replace them.
    """
    before, after = _tokens(old), _tokens(new)
    parts: list[DiffPart] = []
    for tag, a, b, c, d in _operations([word for word, *_ in before], [word for word, *_ in after]):
        if tag == "equal":
            parts.append(_part("same", new, after[c:d]))
            continue
        if a < b:
            parts.append(_part("removed", old, before[a:b]))
        if c < d:
            parts.append(_part("added", new, after[c:d]))
    return parts


def count_words(parts: Sequence[DiffPart], kind: DiffKind) -> int:
    """Return the number of words of one kind."""
    return sum(len(part.text.split()) for part in parts if part.kind == kind)


def _tokens(text: str) -> list[tuple[str, int, int]]:
    """Return words and punctuation marks with their places."""
    return [(match[0], match.start(), match.end()) for match in _TOKEN.finditer(text)]


def _part(kind: DiffKind, text: str, tokens: Sequence[tuple[str, int, int]]) -> DiffPart:
    begin, end = tokens[0][1], tokens[-1][2]
    return DiffPart(kind, text[begin:end], not begin or text[begin - 1].isspace())


Operation = tuple[str, int, int, int, int]


def _operations(old: Sequence[str], new: Sequence[str]) -> Iterator[Operation]:
    """Yield what turns one list of words into the other, as ``difflib`` does."""
    ahead = _shared(old, new)
    behind = _shared(old[ahead:][::-1], new[ahead:][::-1])
    a, b = len(old) - behind, len(new) - behind
    if ahead:
        yield "equal", 0, ahead, 0, ahead
    inner_old, inner_new = old[ahead:a], new[ahead:b]
    is_long = len(inner_old) * len(inner_new) > MOST_COMPARISONS
    matcher = SequenceMatcher(None, inner_old, inner_new, autojunk=is_long)
    for tag, first, last, start, stop in matcher.get_opcodes():
        yield tag, first + ahead, last + ahead, start + ahead, stop + ahead
    if behind:
        yield "equal", a, len(old), b, len(new)


def _shared(old: Sequence[str], new: Sequence[str]) -> int:
    """Return how many words two lists share at their beginning."""
    count = 0
    for left, right in zip(old, new, strict=False):
        if left != right:
            break
        count += 1
    return count
