"""What the plots draw, against slow loops and worked numbers."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitools.evaluate.measures.ranking import accuracy_at, area_under_risk
from mitools.explain.page.curves import least_risk, reliability_with_null, risk_curve

EMPTY = (np.array([]), np.array([], dtype=bool))


def test_nothing_gives_nothing() -> None:
    assert risk_curve(*EMPTY) == []
    assert reliability_with_null(*EMPTY, seed=0) == []


def test_a_worked_curve() -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6])
    is_correct = np.array([True, False, True, False])
    curve = risk_curve(confidence, is_correct)
    assert [(point.coverage, point.risk) for point in curve] == [
        (0.25, 0.0),
        (0.5, 0.5),
        (0.75, pytest.approx(1 / 3)),
        (1.0, 0.5),
    ]


def test_ties_are_shared_out() -> None:
    curve = risk_curve(np.array([0.5, 0.5, 0.5, 0.5]), np.array([True, True, True, False]))
    assert [point.risk for point in curve] == pytest.approx([0.25] * 4)


answers = st.lists(
    st.tuples(st.sampled_from([0.1, 0.25, 0.5, 0.8, 1.0]), st.booleans()), min_size=1, max_size=60
)


def arrays(pairs: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([p for p, _ in pairs]), np.array([ok for _, ok in pairs], dtype=bool)


@given(answers)
@settings(max_examples=40, deadline=None)
def test_each_point_is_the_expected_error_rate_of_a_slow_loop(
    pairs: list[tuple[float, bool]],
) -> None:
    # Within ties the expected errors are shared out evenly.
    ranked = sorted(pairs, key=lambda pair: -pair[0])
    rate = {
        p: sum(not ok for q, ok in pairs if q == p) / sum(q == p for q, _ in pairs)
        for p, _ in pairs
    }
    for point in risk_curve(*arrays(pairs)):
        kept = round(point.coverage * len(pairs))
        wrong = sum(rate[p] for p, _ in ranked[:kept])
        assert point.risk == pytest.approx(wrong / kept)
        assert 0 <= point.low <= point.risk <= point.high <= 1


@given(answers)
@settings(max_examples=40, deadline=None)
def test_the_curve_agrees_with_the_measures_that_sum_it_up(
    pairs: list[tuple[float, bool]],
) -> None:
    confidence, is_correct = arrays(pairs)
    groups, inverse = np.unique(confidence, return_inverse=True)
    right = np.bincount(inverse, is_correct, len(groups)).astype(float)
    wrong = np.bincount(inverse, ~is_correct, len(groups)).astype(float)
    curve = risk_curve(confidence, is_correct)
    assert len(curve) == len(pairs)  # few enough for every point to be there
    assert np.mean([point.risk for point in curve]) == pytest.approx(area_under_risk(right, wrong))
    at_80 = curve[int(np.ceil(0.8 * len(pairs))) - 1]
    assert 1 - at_80.risk == pytest.approx(accuracy_at(80, right, wrong))


def test_a_long_curve_keeps_its_ends_and_few_points() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.random(5_000)
    curve = risk_curve(confidence, rng.random(5_000) < confidence)
    assert len(curve) <= 160
    assert (curve[0].coverage, curve[-1].coverage) == (1 / 5_000, 1.0)
    assert all(a.coverage < b.coverage for a, b in itertools.pairwise(curve))


def test_the_least_risk_is_that_of_the_best_order() -> None:
    accuracy, n = 0.6, 10
    best = np.array([True] * 6 + [False] * 4)
    curve = risk_curve(np.linspace(1, 0.1, n), best)
    for point in curve:
        assert point.risk == pytest.approx(least_risk(point.coverage, accuracy))
    assert least_risk(0.0, accuracy) == 0.0


def test_the_null_band_is_that_of_the_binomial_where_all_are_equally_sure() -> None:
    n, p = 200, 0.7
    mass = [math.comb(n, k) * p**k * (1 - p) ** (n - k) for k in range(n + 1)]
    below = np.cumsum(mass)
    (row,) = reliability_with_null(np.full(n, p), np.arange(n) < 150, seed=0)
    low, high = row["null95"]
    assert low == pytest.approx(np.searchsorted(below, 0.025) / n, abs=0.01)
    assert high == pytest.approx(np.searchsorted(below, 0.975) / n, abs=0.01)
    assert (row["n"], row["accuracy"]) == (n, 0.75)


@given(answers)
@settings(max_examples=25, deadline=None)
def test_every_answer_lies_in_one_bin_and_the_order_does_not_matter(
    pairs: list[tuple[float, bool]],
) -> None:
    rows = reliability_with_null(*arrays(pairs), seed=1)
    assert sum(row["n"] for row in rows) == len(pairs)
    assert rows == reliability_with_null(*arrays(pairs[::-1]), seed=1)
    for row in rows:
        low, high = row["null95"]
        assert 0 <= low <= high <= 1


def test_certain_answers_have_a_band_without_width() -> None:
    (row,) = reliability_with_null(np.ones(5), np.ones(5, dtype=bool), seed=0)
    assert row["null95"] == (1.0, 1.0)
