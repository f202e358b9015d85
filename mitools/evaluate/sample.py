"""Records in a bounded sample that does not depend on their order, as a simulator sees them.

A sample holds the items with the smallest hashes, so it is the same whichever record came first
and however the records were divided into shards.
"""

from __future__ import annotations

import hashlib
import heapq
import json
from collections.abc import Sequence
from dataclasses import astuple, dataclass, field
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from mitools.evaluate.measures.consistency import Supports
from mitools.evaluate.measures.surface import words
from mitools.records import Record

__all__ = [
    "FOLDS",
    "MOST_ITEMS",
    "Keyed",
    "Sample",
    "SampledRecord",
    "assign_folds",
    "hash_record",
    "without_words",
]

MOST_ITEMS = 4_000
"""Items that a sample keeps: enough for an interval of about ±1.5 points, and for a machine."""

FOLDS = 5


@dataclass(frozen=True, slots=True)
class SampledRecord:
    """One record, as simulators see it.

    Attributes:
        input: what the student read.
        rationale: what it said.
        label: its answer, the target.
        gold: the gold answer; None where unknown.
        choices: the possible answers; empty where the record lists none.
        group: records of one group, and of one input, are never on both sides of a fold.
        supports: whose answer the rationale supports by its words alone.
    """

    input: str
    rationale: str
    label: str
    gold: str | None = None
    choices: tuple[str, ...] = ()
    group: str | None = None
    supports: Supports = "none"

    def key(self) -> int:
        """Hash everything in it."""
        return _hash(json.dumps(astuple(self)))


def _hash(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest)


def hash_record(record: Record) -> int:
    """Hash what a record said before the student spoke: 128 bits."""
    data = {name: value for name, value in record.items() if name not in ("student", "scores")}
    text = json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16)
    return int.from_bytes(digest.digest())


class Keyed(Protocol):
    """Something that can be sampled by what it is."""

    def key(self) -> int:
        """Hash everything that decides whether it is kept."""


K = TypeVar("K", bound=Keyed)


@dataclass
class Sample(Generic[K]):
    """The items with the smallest hashes of all that were added.

    Attributes:
        most: how many are kept.
        seen: how many were added.
    """

    most: int = MOST_ITEMS
    seen: int = 0
    _heap: list[tuple[int, int, K]] = field(default_factory=list)

    def add(self, item: K) -> None:
        self.seen += 1
        entry = (-item.key(), self.seen, item)
        if len(self._heap) < self.most:
            heapq.heappush(self._heap, entry)
        elif entry[0] > self._heap[0][0]:
            heapq.heapreplace(self._heap, entry)

    def items(self) -> list[K]:
        """List what was kept, in an order of its own."""
        return [item for _, _, item in sorted(self._heap, key=lambda entry: -entry[0])]


def assign_folds(items: Sequence[SampledRecord], seed: int) -> NDArray[np.int64]:
    """Deal the items into 5 folds of like size: [n] from 0 to 4.

    Items of one group, or of one input, share a fold: otherwise a simulator could look the answer
    up.
    """
    names = [item.input if item.group is None else f"\0{item.group}" for item in items]
    order = sorted(set(names), key=lambda name: _hash(f"{seed}\0{name}"))
    fold_of = {name: index % FOLDS for index, name in enumerate(order)}
    return np.array([fold_of[name] for name in names], dtype=np.int64)


_SHORTEST_STEM = 5


def without_words(text: str, labels: Sequence[str]) -> str:
    """Drop the words of labels from a text, inflected ones too: ``entails`` of ``entailment``.

    A word goes where it is a label's, or begins like one: with all but its last four letters, and
    five letters at least.
    """
    named = {word for label in labels for word in words(label)}
    stems = {word[: max(_SHORTEST_STEM, len(word) - 4)] for word in named}
    long_stems = tuple(stem for stem in stems if len(stem) >= _SHORTEST_STEM)
    kept = [
        word
        for word in words(text)
        if word not in named and not (long_stems and word.startswith(long_stems))
    ]
    return " ".join(kept)
