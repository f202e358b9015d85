"""A few records that show what a student does: a right, a wrong and an inconsistent one."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from mitools.explain.filters import ViewedRecord

__all__ = ["MOST", "choose_examples"]

MOST = 3
"""Most examples, and how many are drawn of each kind."""

Kind = tuple[bool | None, bool]
"""Whether the label is right, and whether the rationale supports another answer."""

_WANTED: Sequence[Sequence[Kind]] = (
    ((True, False), (True, True)),
    ((False, False), (False, True)),
    ((False, True), (True, True), (None, True)),
)
"""The kinds that serve as the right, the wrong and the inconsistent example, the best first."""


def choose_examples(items: Iterable[ViewedRecord], seed: int) -> list[ViewedRecord]:
    """Draw a right, a wrong and an inconsistent record, each at random among those there are.

    Memory holds a few records of each kind.

    Args:
        items: all records.
        seed: the same seed and records give the same examples.

    Returns:
        At most three examples, in that order; without any verdict, some records at random.
    """
    drawn = _draw(items, random.Random(seed))
    chosen = list(_choose(drawn))
    return chosen or sorted(drawn[None, False], key=lambda item: item.view.position)


def _draw(items: Iterable[ViewedRecord], rng: random.Random) -> dict[Kind, list[ViewedRecord]]:
    """Draw records of each kind uniformly (reservoir sampling, algorithm R)."""
    drawn: dict[Kind, list[ViewedRecord]] = defaultdict(list)
    counts: dict[Kind, int] = defaultdict(int)
    for item in items:
        kind = (item.view.is_right, item.view.is_consistent is False)
        counts[kind] += 1
        if len(drawn[kind]) < MOST:
            drawn[kind].append(item)
        elif (slot := rng.randrange(counts[kind])) < MOST:
            drawn[kind][slot] = item
    for examples in drawn.values():
        rng.shuffle(examples)
    return drawn


def _choose(drawn: dict[Kind, list[ViewedRecord]]) -> Iterator[ViewedRecord]:
    left = {kind: list(examples) for kind, examples in drawn.items()}
    for kinds in _WANTED:
        kind = next((kind for kind in kinds if left.get(kind)), None)
        if kind is not None:
            yield left[kind].pop()
