"""What stays together: closure, names that tell nothing of the order, and places without a lean."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.stats import kstest

from mitools.split import position
from mitools.split.units import Components, Units, joined_units, units_by_place


def places_of(keys: list[str]) -> NDArray[np.uint64]:
    return np.array([position(key, 0) for key in keys], dtype=np.uint64)


def sets_of(labels: NDArray[np.int64]) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in labels}


def joined(keys: list[str], twins: list[int]) -> Units:
    return joined_units(units_by_place(places_of(keys)), np.array(twins))


@given(st.lists(st.tuples(st.integers(0, 19), st.integers(0, 19)), max_size=30))
def test_joining_is_transitive(pairs: list[tuple[int, int]]) -> None:
    components = Components(20)
    reached = [{number} for number in range(20)]
    for one, other in pairs:
        components.join(one, other)
        both = reached[one] | reached[other]
        for member in both:
            reached[member] = both
    assert sets_of(components.labels()) == {frozenset(members) for members in reached}


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), max_size=12), st.randoms())
def test_the_order_of_joining_leaves_no_trace(
    pairs: list[tuple[int, int]], rng: random.Random
) -> None:
    one, other = Components(10), Components(10)
    for pair in pairs:
        one.join(*pair)
    for pair in rng.sample(pairs, len(pairs)):
        other.join(*pair)
    assert one.labels().tolist() == other.labels().tolist()


def test_records_of_one_key_are_a_unit() -> None:
    units = units_by_place(places_of(["a", "b", "a", "c", "b"]))
    assert len(units) == 3
    assert sets_of(units.of_record) == {frozenset({0, 2}), frozenset({1, 4}), frozenset({3})}
    assert units.joined.tolist() == [1, 1, 1]


def test_groups_that_share_a_text_are_joined_and_what_they_are_joined_to() -> None:
    # The first two groups share text 0, the second and third text 1; the last says nothing.
    units = joined(["g1", "g2", "g2", "g3", "g4", "g5"], [0, 0, 1, 1, 2, -1])
    assert sets_of(units.of_record) == {frozenset({0, 1, 2, 3}), frozenset({4}), frozenset({5})}
    assert sorted(units.joined.tolist()) == [1, 1, 3]


def test_records_without_text_are_no_duplicates_of_each_other() -> None:
    assert len(joined(["a", "b", "c"], [-1, -1, -1])) == 3


def test_units_that_nothing_joined_stay_where_their_key_was_hashed_to() -> None:
    keys = ["a", "b", "c", "d"]
    units = joined(keys, [0, 1, 1, 2])
    found = units.places[units.of_record].tolist()
    assert [found[0], found[3]] == [position("a", 0), position("d", 0)]
    assert found[1] == found[2]
    assert found[1] in (position("b", 0), position("c", 0))


@pytest.mark.parametrize("size", [2, 5])
def test_a_joined_unit_leans_to_no_split(size: int) -> None:
    keys = [str(number) for number in range(1000 * size)]
    units = joined(keys, [number // size for number in range(len(keys))])
    assert len(units) == 1000
    assert kstest(units.places / 2**64, "uniform").pvalue > 0.001


@given(st.permutations(range(12)))
def test_the_order_of_records_leaves_no_trace_in_places(order: list[int]) -> None:
    keys, twins = [f"k{number}" for number in range(12)], [number // 4 for number in range(12)]
    units = joined(keys, twins)
    shuffled = joined([keys[row] for row in order], [twins[row] for row in order])
    expected = units.places[units.of_record][order]
    assert shuffled.places[shuffled.of_record].tolist() == expected.tolist()
