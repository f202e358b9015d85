from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitools.evaluate.measures.ranking import (
    COVERAGES,
    accuracy_at,
    area_under_risk,
    auroc,
    least_area,
    rank_statistics,
)

Items = list[tuple[float, bool]]
CONFIDENCE = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.2, 1 / 3, 0.5, 1.0]))
ITEMS = st.lists(st.tuples(CONFIDENCE, st.booleans()), min_size=1, max_size=60)
FEW_TIED = st.lists(
    st.tuples(st.sampled_from([0.1, 0.5, 0.9]), st.booleans()), min_size=1, max_size=6
)


def counts(items: Items) -> tuple[np.ndarray, np.ndarray]:
    levels = sorted({c for c, _ in items})
    right = [float(sum(c == level and y for c, y in items)) for level in levels]
    wrong = [float(sum(c == level and not y for c, y in items)) for level in levels]
    return np.array(right), np.array(wrong)


def every_order(items: Items) -> list[list[bool]]:
    """List the answers, most confident first, in every order that the confidences allow."""
    return [
        [y for _, y in order]
        for order in itertools.permutations(items)
        if all(a[0] >= b[0] for a, b in itertools.pairwise(order))
    ]


def slow_area(answers: list[bool]) -> float:
    wrong = list(itertools.accumulate(not y for y in answers))
    return sum(e / k for k, e in enumerate(wrong, 1)) / len(answers)


def slow_auroc(items: Items) -> float:
    wins = [
        1.0 if c > d else 0.5 if c == d else 0.0 for c, y in items for d, z in items if y and not z
    ]
    return sum(wins) / len(wins) if wins else math.nan


@given(ITEMS)
def test_auroc_equals_a_count_over_all_pairs(items: Items) -> None:
    assert float(auroc(*counts(items))) == pytest.approx(slow_auroc(items), nan_ok=True)


@settings(deadline=None)
@given(FEW_TIED)
def test_aurc_is_the_mean_over_all_ways_to_break_ties(items: Items) -> None:
    slow = [slow_area(order) for order in every_order(items)]
    assert float(area_under_risk(*counts(items))) == pytest.approx(sum(slow) / len(slow))


@settings(deadline=None)
@given(FEW_TIED, st.sampled_from(COVERAGES))
def test_accuracy_at_coverage_is_the_mean_over_all_ways_to_break_ties(
    items: Items, share: int
) -> None:
    kept = math.ceil(share * len(items) / 100)
    slow = [sum(order[:kept]) / kept for order in every_order(items)]
    assert float(accuracy_at(share, *counts(items))) == pytest.approx(sum(slow) / len(slow))


def test_aurc_and_its_excess_by_hand() -> None:
    # risks at coverage 1/3, 2/3, 1: 0, 1/2, 1/3; the best ranking has 0, 0, 1/3
    items = [(0.9, True), (0.8, False), (0.1, True)]
    _, area, excess, *_ = rank_statistics(*counts(items))
    assert (area, excess) == pytest.approx((5 / 18, 3 / 18))


def test_accuracy_at_coverage_by_hand() -> None:
    items = [(0.9, True), (0.8, False), (0.7, True), (0.6, True), (0.5, False)]
    # the surest 3, 4, 5 and 5 of 5
    found = [float(accuracy_at(share, *counts(items))) for share in COVERAGES]
    assert found == pytest.approx([2 / 3, 3 / 4, 3 / 5, 3 / 5])


@given(st.integers(0, 30), st.integers(0, 30))
def test_the_least_area_is_that_of_right_answers_first(right: int, wrong: int) -> None:
    if right + wrong:
        best = slow_area([True] * right + [False] * wrong)
        found = least_area(np.array(float(right)), np.array(float(wrong)))
        assert float(found) == pytest.approx(best)


@given(ITEMS)
def test_the_excess_is_0_at_a_perfect_ranking_and_never_below(items: Items) -> None:
    perfect = [(float(y), y) for _, y in items]
    assert rank_statistics(*counts(perfect))[2] == 0
    assert rank_statistics(*counts(items))[2] >= 0


@given(ITEMS)
def test_full_coverage_is_accuracy(items: Items) -> None:
    accuracy = sum(y for _, y in items) / len(items)
    assert float(accuracy_at(100, *counts(items))) == pytest.approx(accuracy)


@given(ITEMS)
def test_a_monotone_map_of_confidence_keeps_every_figure(items: Items) -> None:
    levels = sorted({c for c, _ in items})
    mapped = [(levels.index(c) / (len(levels) + 1), y) for c, y in items]
    assert np.array_equal(
        rank_statistics(*counts(mapped)), rank_statistics(*counts(items)), equal_nan=True
    )


def test_resamples_are_computed_side_by_side() -> None:
    right, wrong = np.array([[1.0, 2.0], [0.0, 3.0]]), np.array([[2.0, 1.0], [3.0, 0.0]])
    both = rank_statistics(right, wrong)
    each = [rank_statistics(r, w) for r, w in zip(right, wrong, strict=True)]
    assert both == pytest.approx(np.stack(each))
