"""A bounded sample of records that depends neither on their order nor on their shards.

A sample holds the items with the smallest hashes.
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
from mitools.reading.scripts import is_unspaced
from mitools.records import Record

__all__ = [
    "FOLDS",
    "MOST_ITEMS",
    "Foldable",
    "KeptRecord",
    "Keyed",
    "Sample",
    "SampledRecord",
    "assign_folds",
    "hash_record",
    "without_words",
]

MOST_ITEMS = 4_000
"""Items that a sample keeps: enough for an interval of about ±1.5 points, in bounded memory."""

FOLDS = 5


@dataclass(frozen=True, slots=True)
class SampledRecord:
    """What a simulator uses of a record.

    Attributes:
        input: of the student.
        rationale: of the student.
        label: the student's answer, which is the target.
        gold: the gold answer; None where unknown.
        choices: the possible answers; empty where the record lists none.
        group: records with the same group or the same input share a fold.
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
        """Hash all fields."""
        return _hash(json.dumps(astuple(self)))


def _hash(text: str) -> int:
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest)


def hash_record(record: Record) -> int:
    """Hash a record without the student's answer and its verdicts: 128 bits."""
    data = {name: value for name, value in record.items() if name not in ("student", "scores")}
    text = json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16)
    return int.from_bytes(digest.digest())


@dataclass(frozen=True, slots=True)
class KeptRecord:
    """A record in a :class:`Sample`, chosen by id and input.

    So the same records are kept for two students.
    """

    record: Record

    def key(self) -> int:
        return hash_record({name: self.record.get(name) for name in ("id", "input")})


class Foldable(Protocol):
    """An item whose fold is decided by its group, or else by its input."""

    @property
    def input(self) -> str:
        """What the student reads."""

    @property
    def group(self) -> str | None:
        """Items of one group share a fold."""


class Keyed(Protocol):
    """An item with a hash of its own."""

    def key(self) -> int:
        """Hash what decides whether the item is kept."""


K = TypeVar("K", bound=Keyed)


@dataclass
class Sample(Generic[K]):
    """The added items with the smallest hashes.

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
        """List the kept items, ordered by their hashes."""
        return [item for _, _, item in sorted(self._heap, key=lambda entry: -entry[0])]


def assign_folds(items: Sequence[Foldable], seed: int, folds: int = FOLDS) -> NDArray[np.int64]:
    """Assign the items to folds of similar size: [n] from 0 to ``folds`` - 1.

    Items with the same group or the same input share a fold, so that a simulator cannot look up the
    answer of a held-out item.
    """
    names = [item.input if item.group is None else f"\0{item.group}" for item in items]
    order = sorted(set(names), key=lambda name: _hash(f"{seed}\0{name}"))
    fold_of = {name: index % folds for index, name in enumerate(order)}
    return np.array([fold_of[name] for name in names], dtype=np.int64)


_SHORTEST_STEM = 5


def without_words(text: str, labels: Sequence[str]) -> str:
    """Remove the words of labels from a text, inflected forms too: ``entails`` of ``entailment``.

    A word is removed where it is a word of a label, or begins with the stem of one: the word
    without its last four letters, and at least five letters long. A label in a script without
    spaces between words is removed as a whole: its letters stand in other words too.
    """
    whole = [label.lower() for label in labels if any(map(is_unspaced, label))]
    if whole:
        text = text.lower()
        for label in sorted(filter(str.strip, whole), key=len, reverse=True):
            text = text.replace(label, " ")
        labels = [label for label in labels if label.lower() not in whole]
    named = {word for label in labels for word in words(label)}
    stems = {word[: max(_SHORTEST_STEM, len(word) - 4)] for word in named}
    long_stems = tuple(stem for stem in stems if len(stem) >= _SHORTEST_STEM)
    kept = [
        word
        for word in words(text)
        if word not in named and not (long_stems and word.startswith(long_stems))
    ]
    return " ".join(kept)
