"""What stays together: records of one group, and records that say the same.

Labels are arrays with one number a record; equal numbers belong together. Pure functions on
arrays; knows no record and no file.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitools.split.assign import rehash

__all__ = ["Components", "Units", "joined_units", "units_by_place"]


class Components:
    """Sets of the numbers from 0 to ``count``, joined pair by pair (union-find)."""

    def __init__(self, count: int) -> None:
        self._parents = array("q", range(count))

    def find(self, item: int) -> int:
        """Name the set of an item, by one of its members."""
        parents = self._parents
        while (above := parents[item]) != item:
            parents[item] = item = parents[above]  # halves the way for the next time
        return item

    def join(self, one: int, other: int) -> None:
        # The smaller name wins, so that the order of joining leaves no trace.
        low, high = sorted((self.find(one), self.find(other)))
        self._parents[high] = low

    def labels(self) -> NDArray[np.int64]:
        """Name the set of every item."""
        found = map(self.find, range(len(self._parents)))
        return np.fromiter(found, dtype=np.int64, count=len(self._parents))


@dataclass(frozen=True)
class Units:
    """The units of a run.

    Attributes:
        of_record: [N] the unit of each record, from 0.
        places: [U] distinct; the place between 0 and 2^64 that decides for each unit.
        joined: [U] how many keys it unites; 1 where duplicates joined nothing to it.
    """

    of_record: NDArray[np.int64]
    places: NDArray[np.uint64]
    joined: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.places)


def units_by_place(places: NDArray[np.uint64]) -> Units:
    """Make a unit of the records of each key.

    Keys are known by their places alone: that two share one by chance has a probability of 3e-8
    among a million keys, and would do no harm.

    Args:
        places: [N] where each record's key was hashed to.
    """
    distinct, of_record = np.unique(places, return_inverse=True)
    return Units(of_record, distinct, np.ones(len(distinct), dtype=np.int64))


def joined_units(units: Units, twins: NDArray[np.int64]) -> Units:
    """Join units that have records with the same label, and those joined to them, and so on.

    A joined unit lies where one of its own keys lies, chosen by a hash of its own: the lowest place
    would favour the test split. So it does not matter in which order records came, and a unit that
    another one joins stays where it was every other time.

    Args:
        twins: [N] equal for records that say the same; negative for one that says nothing.
    """
    edges = np.unique((twins * len(units) + units.of_record)[twins >= 0])
    said, by = np.divmod(edges, max(len(units), 1))
    components = Components(len(units))
    for row in np.flatnonzero(np.diff(said) == 0).tolist():
        components.join(int(by[row]), int(by[row + 1]))
    _, numbers = np.unique(components.labels(), return_inverse=True)
    joined = np.bincount(numbers)
    places = np.zeros(len(joined), dtype=np.uint64)
    places[numbers] = units.places  # right where a unit stands alone
    for place, number in _leaders(units.places, numbers, joined).items():
        places[number] = place
    return Units(numbers[units.of_record], places, joined)


def _leaders(
    places: NDArray[np.uint64], numbers: NDArray[np.int64], joined: NDArray[np.int64]
) -> dict[int, int]:
    """Choose the place of each unit that was joined; gives units by place."""
    best: dict[int, tuple[int, int]] = {}
    for index in np.flatnonzero(joined[numbers] > 1).tolist():
        place = int(places[index])
        rival = (rehash(place, "leader"), place)
        number = int(numbers[index])
        best[number] = min(best.get(number, rival), rival)
    return {place: number for number, (_, place) in best.items()}
