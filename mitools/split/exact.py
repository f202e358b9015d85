"""Exact sizes: which unit goes where, so that splits and strata have just the records they should.

A unit is what stays together: a group, or a cluster of duplicates. Pure functions on arrays; knows
no record and no file. The columns of a table of sizes are train, valid and test, in that order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from mitools.schema import SPLITS
from mitools.split.assign import Fractions, is_in_subset, rehash

__all__ = ["assign_exact", "assign_hashed", "hashed_subset", "nested_subset", "quotas", "strata_of"]

_TRAIN, _VALID, _TEST = range(3)
_AT_ONCE = 2**14


def _ints(numbers: NDArray[np.generic]) -> Iterator[int]:
    """Give numbers one by one; a list of a million takes more memory than all else here."""
    for start in range(0, len(numbers), _AT_ONCE):
        yield from numbers[start : start + _AT_ONCE].tolist()


def quotas(sizes: Sequence[int], fractions: Fractions) -> NDArray[np.int64]:
    """Share out the records of each stratum over the splits, in whole records.

    Each share is rounded down, and what is left of a stratum goes to the splits with the largest
    remainders; so every cell is its exact share rounded down or up. A remainder counts what earlier
    strata, the larger ones, gave too little or too much, so that the sums over all strata are right
    as well: a thousand strata of one record each have a hundred in a test split of 10%.

    Args:
        sizes: [S] records by stratum.

    Returns:
        [S, 3] records; rows add up to ``sizes``.
    """
    test, valid = (Fraction(repr(float(share))) for share in (fractions.test, fractions.valid))
    shares = (1 - test - valid, valid, test)
    owed = [Fraction(0)] * 3
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
    """Find the stratum that most records of each unit belong to; of equals, the first.

    Args:
        units: [N] the unit of each record.
        strata: [N] its stratum.
        count: how many units there are.

    Returns:
        [count] a stratum for each unit; 0 where it has no record.
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
    """Give each unit the split that its place alone decides, as :class:`Splitter` would.

    Args:
        places: [U] where each unit's key was hashed to.

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
    """Rank the units of each stratum by their place, and fill the splits to the record.

    Test takes units from the low end up and valid from the high end down while they fit, train the
    rest: as by hash alone, but for the last few. A unit that is too large for the room left is
    passed over for those behind it. Room that no unit fits into is given to the first one that
    leaves the split nearer to its size than without it. What a split got too few or too many in one
    stratum is made up for in the next, so that it adds up to no more than half a unit.

    Args:
        places: [U] distinct; where each unit's key was hashed to.
        sizes: [U] how many records it has.
        strata: [U] the stratum it counts for.

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
        for split, way in ((_TEST, 1), (_VALID, -1)):
            room = row[split] + owed[split]
            taken = _fill(ranked[splits[ranked] == _TRAIN][::way], sizes, room)
            splits[taken] = split
            owed[split] = room - int(sizes[taken].sum())
    return splits


def _fill(ranked: NDArray[np.int64], sizes: NDArray[np.int64], room: int) -> list[int]:
    """Choose units in their order until they hold ``room`` records, or nearly.

    Args:
        room: negative where a split has too many already.
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
    # As much too many is no farther off than too few, and better than an empty split.
    near = [unit for unit, size in passed if size <= 2 * room]
    return taken + near[:1]


def hashed_subset(places: NDArray[np.uint64], fraction: float) -> NDArray[np.bool_]:
    """Choose units as their places alone decide, as :class:`Splitter` would.

    Args:
        places: [U] where each unit's key was hashed to.

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
    """Choose units that hold this fraction of the records, in all and of each stratum.

    All units stand in one row, those of a stratum evenly spaced in the order of their second hash;
    a subset is the head of that row. So a larger subset contains every smaller one, and has the
    strata in the same proportion as nearly as whole units allow.

    Args:
        places: [U] distinct; where each unit's key was hashed to.
        sizes: [U] how many records it has.
        strata: [U] the stratum it counts for.
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
    # A start of its own for each stratum, or all those of one record would come in at one time.
    starts = [rehash(int(ranks[unit]), "stratum") / 2**64 for unit in order[firsts]]
    which = np.repeat(np.arange(len(firsts)), np.diff(firsts, append=len(order)))
    ordered = sizes[order]
    before = np.cumsum(ordered) - ordered
    before -= before[firsts][which]
    totals = np.add.reduceat(ordered, firsts)
    spaced = (before + np.array(starts)[which] * ordered) / totals[which]
    row = order[np.lexsort((ranks[order], spaced))]
    middles = np.cumsum(sizes[row]) - sizes[row] / 2
    chosen = np.zeros(len(places), dtype=np.bool_)
    chosen[row[middles <= fraction * sizes.sum()]] = True
    return chosen
