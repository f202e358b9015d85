"""Exact sizes: units are assigned so that each split, and each stratum of it, has its quota.

A unit is a group or a cluster of duplicates; it is never divided. Pure functions on arrays, not on
records or files. The columns of a table of sizes are train, valid and test, in that order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mitools.schema import SPLITS
from mitools.split.by_hash import Fractions, is_in_subset, rehash

__all__ = ["assign_exact", "assign_hashed", "hashed_subset", "nested_subset", "quotas", "strata_of"]

_TRAIN, _VALID, _TEST = range(3)
_AT_ONCE = 2**14


def _ints(numbers: NDArray[np.generic]) -> Iterator[int]:
    """Yield Python numbers in blocks; a list of them all would take more memory than the arrays."""
    for start in range(0, len(numbers), _AT_ONCE):
        yield from numbers[start : start + _AT_ONCE].tolist()


def quotas(sizes: Sequence[int], fractions: Fractions) -> NDArray[np.int64]:
    """Divide the records of each stratum among the splits, in whole records.

    The largest remainder method: each share is rounded down, and the remaining records of a stratum
    go to the splits with the largest remainders. So every cell is its exact share rounded down or
    up. Strata are processed from the largest to the smallest, and the rounding error of earlier
    strata is added to the remainder; so the sums over all strata are right too: of a thousand
    strata with one record each, a test split of 10% gets a hundred.

    Args:
        sizes: [S] records per stratum.

    Returns:
        [S, 3] records; rows add up to ``sizes``.
    """
    test, valid = (Fraction(repr(float(share))) for share in (fractions.test, fractions.valid))
    shares = (1 - test - valid, valid, test)
    owed = [Fraction(0)] * 3  # records that each split still lacks after the strata so far
    table = np.zeros((len(sizes), 3), dtype=np.int64)
    for row in sorted(range(len(sizes)), key=lambda row: (-sizes[row], row)):
        exact = [share * sizes[row] for share in shares]
        floors = [int(wanted) for wanted in exact]
        rests = [wanted - floor for wanted, floor in zip(exact, floors, strict=True)]
        open_cells = [column for column in (_TEST, _VALID, _TRAIN) if rests[column]]
        open_cells.sort(key=lambda column: -(rests[column] + owed[column]))
        for column in open_cells[: sizes[row] - sum(floors)]:
            floors[column] += 1
        owed = [debt + wanted - got for debt, wanted, got in zip(owed, exact, floors, strict=True)]
        table[row] = floors
    return table


def strata_of(units: NDArray[np.int64], strata: NDArray[np.int64], count: int) -> NDArray[np.int64]:
    """Find the stratum that most records of each unit belong to; the first of several.

    Args:
        units: [N] the unit of each record.
        strata: [N] the stratum of each record.
        count: number of units.

    Returns:
        [count] the stratum of each unit; 0 if it has no records.
    """
    width = int(strata.max()) + 1 if len(strata) else 1
    cells, votes = np.unique(units * width + strata, return_counts=True)
    owners, found = np.divmod(cells, width)
    order = np.lexsort((found, -votes, owners))
    owners, found = owners[order], found[order]
    firsts = np.flatnonzero(np.diff(owners, prepend=-1))
    chosen = np.zeros(count, dtype=np.int64)
    chosen[owners[firsts]] = found[firsts]
    return chosen


def assign_hashed(places: NDArray[np.uint64], fractions: Fractions) -> NDArray[np.int8]:
    """Assign each unit by its place alone, as :class:`HashSplitter` does.

    Args:
        places: [U] the hash of each unit's key.

    Returns:
        [U] the index of its split.
    """
    codes = {name: code for code, name in enumerate(SPLITS)}
    found = (codes[fractions.split_at(place)] for place in _ints(places))
    return np.fromiter(found, dtype=np.int8, count=len(places))


def assign_exact(
    places: NDArray[np.uint64],
    sizes: NDArray[np.int64],
    strata: NDArray[np.int64],
    fractions: Fractions,
) -> NDArray[np.int8]:
    """Fill the quota of each split and stratum with units, in the order of their places.

    Test takes units from the low end up and valid from the high end down while they fit; train
    takes the rest. The result is that of the hash alone, except for the last few units. A unit too
    large for the remaining room is skipped for the units behind it. If no unit fits exactly, the
    first unit that brings the split closer to its quota is taken. The error of a split in one
    stratum is corrected in the next, so that in all it is at most half a unit.

    Args:
        places: [U] distinct; the hash of each unit's key.
        sizes: [U] number of records.
        strata: [U] the stratum.

    Returns:
        [U] the index of its split.
    """
    splits = np.full(len(places), _TRAIN, dtype=np.int8)
    order = np.lexsort((places, strata))
    starts = np.flatnonzero(np.diff(strata[order], prepend=-1))
    members = np.split(order, starts[1:]) if len(order) else []
    wanted = quotas([int(sizes[ranked].sum()) for ranked in members], fractions)
    owed = {_TEST: 0, _VALID: 0}
    for ranked, row in zip(members, wanted.tolist(), strict=True):
        # Test fills from the low end, valid from the high end of what test left.
        for split, way in ((_TEST, 1), (_VALID, -1)):
            room = row[split] + owed[split]
            taken = _fill(ranked[splits[ranked] == _TRAIN][::way], sizes, room)
            splits[taken] = split
            owed[split] = room - int(sizes[taken].sum())
    return splits


def _fill(ranked: NDArray[np.int64], sizes: NDArray[np.int64], room: int) -> list[int]:
    """Choose units in their order until they hold ``room`` records, or nearly.

    Args:
        room: records; negative if the split already has too many.
    """
    taken: list[int] = []
    passed: list[tuple[int, int]] = []
    for unit, size in zip(_ints(ranked), _ints(sizes[ranked]), strict=True):
        if room <= 0:
            return taken
        if size <= room:
            taken.append(unit)
            room -= size
        else:
            passed.append((unit, size))
    # An excess as large as the shortage is no worse, and better than an empty split.
    near = [unit for unit, size in passed if size <= 2 * room]
    return taken + near[:1]


def hashed_subset(places: NDArray[np.uint64], fraction: float) -> NDArray[np.bool_]:
    """Choose the subset by the places alone, as :class:`HashSplitter` does.

    Args:
        places: [U] the hash of each unit's key.

    Returns:
        [U] whether a unit is in the subset.
    """
    found = (is_in_subset(place, fraction) for place in _ints(places))
    return np.fromiter(found, dtype=np.bool_, count=len(places))


def nested_subset(
    places: NDArray[np.uint64],
    sizes: NDArray[np.int64],
    strata: NDArray[np.int64],
    fraction: float,
) -> NDArray[np.bool_]:
    """Choose units that hold this fraction of the records, in total and of each stratum.

    All units are put in one order, in which those of a stratum are evenly spaced, by their second
    hash; a subset is the head of that order. So a larger subset contains every smaller one, and
    each stratum keeps its share as far as whole units allow.

    Args:
        places: [U] distinct; the hash of each unit's key.
        sizes: [U] number of records.
        strata: [U] the stratum.
        fraction: above 0, at most 1.

    Returns:
        [U] whether a unit is in the subset.
    """
    if not len(places):
        return np.zeros(0, dtype=np.bool_)
    rehashed = (rehash(place, "subsample") for place in _ints(places))
    ranks = np.fromiter(rehashed, dtype=np.uint64, count=len(places))
    order = np.lexsort((ranks, strata))
    firsts = np.flatnonzero(np.diff(strata[order], prepend=-1))
    # Each stratum has its own offset; otherwise all strata of one record would share one position.
    starts = [rehash(int(ranks[unit]), "stratum") / 2**64 for unit in order[firsts]]
    which = np.repeat(np.arange(len(firsts)), np.diff(firsts, append=len(order)))
    ordered = sizes[order]
    # The records before each unit, within its stratum, give its position in [0, 1).
    before = np.cumsum(ordered) - ordered
    before -= before[firsts][which]
    totals = np.add.reduceat(ordered, firsts)
    spaced = (before + np.array(starts)[which] * ordered) / totals[which]
    row = order[np.lexsort((ranks[order], spaced))]
    middles = np.cumsum(sizes[row]) - sizes[row] / 2
    chosen = np.zeros(len(places), dtype=np.bool_)
    chosen[row[middles <= fraction * sizes.sum()]] = True
    return chosen
