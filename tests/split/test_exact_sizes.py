"""Sizes to the record: rounding, ranks, whole units, and subsets that keep the proportions."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mitools.split import Fractions, position
from mitools.split.by_hash import is_in_subset
from mitools.split.exact_sizes import (
    assign_exact,
    assign_hashed,
    hashed_subset,
    nested_subset,
    quotas,
    strata_of,
)

TENTHS = Fractions(test=0.1, valid=0.1)
TRAIN, VALID, TEST = range(3)


def places_of(count: int, seed: int = 0) -> NDArray[np.uint64]:
    return np.array([position(f"key {index}", seed) for index in range(count)], dtype=np.uint64)


def ones(count: int) -> NDArray[np.int64]:
    return np.ones(count, dtype=np.int64)


def zeros(count: int) -> NDArray[np.int64]:
    return np.zeros(count, dtype=np.int64)


fractions_ = st.sampled_from(
    [TENTHS, Fractions(0.2, 0.1), Fractions(0, 0.1), Fractions(1 / 3, 1 / 3), Fractions(0.05, 0)]
)
sizes_ = st.lists(st.integers(1, 12), min_size=1, max_size=60)


# Rounding


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([10], [[8, 1, 1]]),
        ([25], [[20, 2, 3]]),  # 20, 2.5 and 2.5: the record left over goes to test
        ([14], [[11, 1, 2]]),  # 11.2, 1.4 and 1.4: likewise
        ([4], [[3, 0, 1]]),  # 3.2, 0.4 and 0.4
        ([1], [[1, 0, 0]]),
        ([0], [[0, 0, 0]]),
        ([], np.zeros((0, 3))),
    ],
)
def test_the_largest_remainder_gets_what_is_left(
    sizes: list[int], expected: list[list[int]]
) -> None:
    assert quotas(sizes, TENTHS).tolist() == np.asarray(expected).tolist()


def test_many_tiny_strata_add_up_to_the_right_sizes() -> None:
    assert quotas([1] * 1000, TENTHS).sum(axis=0).tolist() == [800, 100, 100]
    assert quotas([3] * 1000, TENTHS).sum(axis=0).tolist() == [2400, 300, 300]
    assert quotas([5000] + [1] * 100, TENTHS).sum(axis=0).tolist() == [4080, 510, 510]


@settings(deadline=None)
@given(st.lists(st.integers(0, 40), max_size=40), fractions_)
@example([1] * 17, Fractions(1 / 3, 1 / 3))
def test_every_cell_is_its_share_rounded_and_so_are_the_sums(
    sizes: list[int], fractions: Fractions
) -> None:
    table = quotas(sizes, fractions)
    test, valid = Fraction(repr(float(fractions.test))), Fraction(repr(float(fractions.valid)))
    shares = (1 - test - valid, valid, test)
    assert table.sum(axis=1).tolist() == sizes
    for row, size in zip(table.tolist(), sizes, strict=True):
        for got, share in zip(row, shares, strict=True):
            assert got in (math.floor(share * size), math.ceil(share * size))
    for got, share in zip(table.sum(axis=0).tolist(), shares, strict=True):
        assert abs(got - share * sum(sizes)) < 1


# Units


def test_sizes_are_right_to_the_record() -> None:
    for count in (1, 2, 7, 99, 1003):
        found = assign_exact(places_of(count), ones(count), zeros(count), TENTHS)
        assert np.bincount(found, minlength=3).tolist() == quotas([count], TENTHS)[0].tolist()


def test_all_but_a_few_units_are_where_their_hash_alone_would_have_them() -> None:
    places = places_of(10_000)
    exact = assign_exact(places, ones(10_000), zeros(10_000), TENTHS)
    hashed = assign_hashed(places, TENTHS)
    assert 0 < (exact != hashed).sum() < 2 * 3 * math.sqrt(10_000 * 0.1 * 0.9)
    assert places[exact == TEST].max() < places[exact == TRAIN].min()
    assert places[exact == TRAIN].max() < places[exact == VALID].min()


def plain_assign(
    units: list[tuple[int, int, int]], fractions: Fractions
) -> dict[int, int]:  # by place
    """The same by loops over lists of (place, size, stratum)."""
    found = {}
    strata = sorted({stratum for _, _, stratum in units})
    totals = [sum(size for _, size, own in units if own == stratum) for stratum in strata]
    owed = {TEST: 0, VALID: 0}
    for stratum, row in zip(strata, quotas(totals, fractions).tolist(), strict=True):
        free = sorted((place, size) for place, size, own in units if own == stratum)
        for split, is_backwards in ((TEST, False), (VALID, True)):
            room = row[split] + owed[split]
            walk = free[::-1] if is_backwards else free[:]
            for place, size in walk:
                if size <= room:
                    found[place] = split
                    free.remove((place, size))
                    room -= size
            left = free[::-1] if is_backwards else free[:]
            for place, size in left:
                if abs(size - room) <= room:
                    found[place] = split
                    free.remove((place, size))
                    room -= size
                    break
            owed[split] = room
        found |= {place: TRAIN for place, _ in free}
    return found


@settings(deadline=None)
@given(sizes_, st.integers(1, 3), fractions_, st.integers(0, 1000))
def test_assignment_is_that_of_a_plain_loop(
    sizes: list[int], strata: int, fractions: Fractions, seed: int
) -> None:
    places = places_of(len(sizes), seed)
    own = np.arange(len(sizes)) % strata
    found = assign_exact(places, np.array(sizes), own, fractions)
    units = list(zip(places.tolist(), sizes, own.tolist(), strict=True))
    expected = plain_assign(units, fractions)
    assert found.tolist() == [expected[place] for place in places.tolist()]


@settings(deadline=None)
@given(sizes_, fractions_, st.randoms(use_true_random=False))
def test_the_order_of_units_does_not_matter(
    sizes: list[int], fractions: Fractions, rng: random.Random
) -> None:
    order = list(range(len(sizes)))
    rng.shuffle(order)
    places, own = places_of(len(sizes)), np.arange(len(sizes)) % 2
    found = assign_exact(places, np.array(sizes), own, fractions)
    shuffled = assign_exact(places[order], np.array(sizes)[order], own[order], fractions)
    assert shuffled.tolist() == found[order].tolist()


@settings(deadline=None)
@given(sizes_, fractions_)
def test_whole_units_miss_a_size_by_half_of_one_at_most(
    sizes: list[int], fractions: Fractions
) -> None:
    found = assign_exact(places_of(len(sizes)), np.array(sizes), zeros(len(sizes)), fractions)
    wanted = quotas([sum(sizes)], fractions)[0]
    got = np.bincount(found, weights=sizes, minlength=3)
    assert got[TEST] - wanted[TEST] <= max(sizes) / 2
    # Where nothing fitted, every unit left is more than twice as large as the room.
    short = wanted[TEST] - got[TEST]
    left = [size for size, split in zip(sizes, found, strict=True) if split != TEST]
    assert short <= 0 or all(size > 2 * short for size in left)


def test_what_one_stratum_misses_the_next_one_makes_up_for() -> None:
    # A hundred strata of ten units of four records; each split should have four or five of it.
    own, sizes = np.repeat(np.arange(100), 10), np.full(1000, 4)
    found = assign_exact(places_of(1000), sizes, own, Fractions(test=0.12, valid=0.12))
    got = np.bincount(found, weights=sizes).tolist()
    assert got == [3040, 480, 480]
    assert np.bincount(own[found == TEST]).max() <= 2


def test_a_unit_too_large_is_passed_over_for_smaller_ones() -> None:
    places = np.array([1, 2, 3, 4, 5], dtype=np.uint64)
    sizes = np.array([50, 3, 40, 2, 5])
    found = assign_exact(places, sizes, zeros(5), Fractions(test=0.05, valid=0.05))
    assert found.tolist() == [TRAIN, TEST, TRAIN, TEST, VALID]


def test_no_units_are_no_trouble() -> None:
    assert assign_exact(places_of(0), ones(0), zeros(0), TENTHS).tolist() == []
    assert assign_hashed(places_of(0), TENTHS).tolist() == []
    assert nested_subset(places_of(0), ones(0), zeros(0), 0.5).tolist() == []


def test_each_stratum_has_its_share_in_every_split() -> None:
    own = np.repeat([0, 1, 2], [600, 300, 100])
    found = assign_exact(places_of(1000), ones(1000), own, TENTHS)
    for stratum, size in enumerate((600, 300, 100)):
        counts = np.bincount(found[own == stratum], minlength=3).tolist()
        assert counts == [size * 8 // 10, size // 10, size // 10]


def test_a_unit_counts_for_the_stratum_of_most_of_its_records() -> None:
    units = np.array([0, 0, 0, 1, 1, 3])
    strata = np.array([2, 2, 0, 1, 0, 2])
    assert strata_of(units, strata, 4).tolist() == [2, 0, 0, 2]  # of equals the first
    assert strata_of(zeros(0), zeros(0), 2).tolist() == [0, 0]


# Subsets


@settings(deadline=None)
@given(sizes_, st.floats(0.01, 1), st.floats(0.01, 1))
def test_a_larger_subset_contains_every_smaller_one(
    sizes: list[int], one: float, other: float
) -> None:
    own = np.arange(len(sizes)) % 3
    small, large = (
        nested_subset(places_of(len(sizes)), np.array(sizes), own, share)
        for share in sorted((one, other))
    )
    assert (large | ~small).all()


@settings(deadline=None)
@given(sizes_, st.floats(0.01, 1))
def test_a_subset_is_as_large_as_whole_units_allow(sizes: list[int], share: float) -> None:
    chosen = nested_subset(places_of(len(sizes)), np.array(sizes), zeros(len(sizes)), share)
    assert abs(np.array(sizes)[chosen].sum() - share * sum(sizes)) <= max(sizes) / 2


def test_a_subset_has_every_stratum_in_proportion() -> None:
    own = np.repeat([0, 1, 2], [600, 300, 100])
    chosen = nested_subset(places_of(1000), ones(1000), own, 0.2)
    counts = np.bincount(own[chosen])
    assert chosen.sum() == 200
    assert np.abs(counts - [120, 60, 20]).max() <= 1


def test_strata_of_one_record_come_into_a_subset_one_after_the_other() -> None:
    own = np.arange(1000)
    sizes = [nested_subset(places_of(1000), ones(1000), own, share).sum() for share in (0.1, 0.6)]
    assert sizes == [100, 600]


def test_a_subset_is_drawn_by_another_hash_than_the_split() -> None:
    places = places_of(2000)
    chosen = nested_subset(places, ones(2000), zeros(2000), 0.5)
    low = places < np.uint64(2**63)
    assert (chosen & low).sum() == pytest.approx(500, abs=60)


def test_hashed_units_are_where_single_records_would_be() -> None:
    codes = assign_hashed(places_of(500), TENTHS).tolist()
    single = [TENTHS.split_at(place) for place in places_of(500).tolist()]
    assert [("train", "valid", "test")[code] for code in codes] == single
    chosen = hashed_subset(places_of(500), 0.3).tolist()
    assert chosen == [is_in_subset(place, 0.3) for place in places_of(500).tolist()]
