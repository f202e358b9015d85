"""Units of assignment: sets of records that must not be divided among splits.

A unit is the records of one key (a group, or an input), or several such sets joined by duplicates.
Labels are arrays with one number per record; equal numbers belong together. Pure functions on
arrays, not on records or files.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitools.split.by_hash import rehash

__all__ = ["Components", "Units", "joined_units", "units_by_place"]


class Components:
    """Sets of the numbers from 0 to ``count``, joined pair by pair (union-find)."""

    def __init__(self, count: int) -> None:
        self._parents = array("q", range(count))

    def find(self, item: int) -> int:
        """Return the set of an item, named by one of its members."""
        parents = self._parents
        while (above := parents[item]) != item:
            parents[item] = item = parents[above]  # path halving
        return item

    def join(self, one: int, other: int) -> None:
        """Join the sets of two items."""
        # The smaller name wins, so that the result does not depend on the order of joins.
        low, high = sorted((self.find(one), self.find(other)))
        self._parents[high] = low

    def labels(self) -> NDArray[np.int64]:
        """Return the set of every item."""
        found = map(self.find, range(len(self._parents)))
        return np.fromiter(found, dtype=np.int64, count=len(self._parents))


@dataclass(frozen=True)
class Units:
    """The units of a run.

    Attributes:
        of_record: [N] the unit of each record, from 0.
        places: [U] distinct; the hash between 0 and 2^64 that decides the split of each unit.
        joined: [U] number of keys in it; 1 if duplicates joined no other.
    """

    of_record: NDArray[np.int64]
    places: NDArray[np.uint64]
    joined: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.places)


def units_by_place(places: NDArray[np.uint64]) -> Units:
    """Make one unit of the records of each key.

    A key is identified by its hash alone. The probability of a collision is 3e-8 among a million
    keys, and a collision only keeps two keys in one split.

    Args:
        places: [N] the hash of each record's key.
    """
    distinct, of_record = np.unique(places, return_inverse=True)
    return Units(of_record, distinct, np.ones(len(distinct), dtype=np.int64))


def joined_units(units: Units, twins: NDArray[np.int64]) -> Units:
    """Join units that have duplicate records, transitively.

    A joined unit takes the place of one of its keys, chosen by a second hash: the lowest place
    would favour the test split. So the result does not depend on the order of the records, and when
    a unit is joined to another, each keeps its place with a probability of one half.

    Args:
        twins: [N] equal numbers for duplicates; negative for a record without input.
    """
    # Distinct pairs of a duplicate cluster and a unit; neighbours of one cluster are joined.
    edges = np.unique((twins * len(units) + units.of_record)[twins >= 0])
    cluster, unit = np.divmod(edges, max(len(units), 1))
    components = Components(len(units))
    for row in np.flatnonzero(np.diff(cluster) == 0).tolist():
        components.join(int(unit[row]), int(unit[row + 1]))
    _, numbers = np.unique(components.labels(), return_inverse=True)
    joined = np.bincount(numbers)
    places = np.zeros(len(joined), dtype=np.uint64)
    places[numbers] = units.places  # already right for units that were not joined
    for place, number in _leaders(units.places, numbers, joined).items():
        places[number] = place
    return Units(numbers[units.of_record], places, joined)


def _leaders(
    places: NDArray[np.uint64], numbers: NDArray[np.int64], joined: NDArray[np.int64]
) -> dict[int, int]:
    """Choose the place of each joined unit; return units by place."""
    best: dict[int, tuple[int, int]] = {}
    for index in np.flatnonzero(joined[numbers] > 1).tolist():
        place = int(places[index])
        rival = (rehash(place, "leader"), place)
        number = int(numbers[index])
        best[number] = min(best.get(number, rival), rival)
    return {place: number for number, (_, place) in best.items()}
