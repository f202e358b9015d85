from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitools.evaluate.measures.classwise import classwise_error, classwise_metric


def table(rows: list[tuple[float, ...]]) -> np.ndarray:
    return np.array(rows, dtype=float)


def slow(chances: np.ndarray, gold: np.ndarray) -> float:
    """Follow the definition, label by label and bin by bin."""
    n, classes = chances.shape
    total = 0.0
    for label in range(classes):
        bins: dict[int, list[int]] = {}
        for item in range(n):
            bins.setdefault(min(14, math.floor(chances[item, label] * 15)), []).append(item)
        for members in bins.values():
            frequency = sum(gold[item] == label for item in members) / len(members)
            stated = sum(chances[item, label] for item in members) / len(members)
            total += len(members) / n * abs(frequency - stated)
    return total / classes


@st.composite
def answers(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    classes = draw(st.integers(2, 4))
    weights = st.lists(st.floats(0.01, 1), min_size=classes, max_size=classes)
    rows = draw(st.lists(weights, min_size=1, max_size=20))
    gold = draw(st.lists(st.integers(0, classes - 1), min_size=len(rows), max_size=len(rows)))
    chances = np.array(rows)
    return chances / chances.sum(axis=1, keepdims=True), np.array(gold)


def test_the_classwise_error_by_hand() -> None:
    # label 0: |1 - 0.8| and |0 - 0.6|, each half; label 1: |0 - 0.2| and |1 - 0.4|, each half
    chances, gold = table([(0.8, 0.2), (0.6, 0.4)]), np.array([0, 1])
    assert classwise_error(chances, gold) == pytest.approx(0.4)


@given(answers())
def test_it_equals_a_plain_loop(found: tuple[np.ndarray, np.ndarray]) -> None:
    assert classwise_error(*found) == pytest.approx(slow(*found))


@given(answers())
def test_order_and_duplication_leave_it_alone(found: tuple[np.ndarray, np.ndarray]) -> None:
    chances, gold = found
    twice = classwise_error(np.tile(chances[::-1], (2, 1)), np.tile(gold[::-1], 2))
    assert twice == pytest.approx(classwise_error(chances, gold))


def test_an_oracle_has_no_error() -> None:
    assert classwise_error(np.eye(3), np.arange(3)) == 0


def test_honest_probabilities_lie_in_the_null_band_and_boasts_do_not() -> None:
    rng = np.random.default_rng(0)
    chances = rng.dirichlet([1, 1, 1], size=400)
    gold = np.array([rng.choice(3, p=row) for row in chances])
    sharp = chances**3 / (chances**3).sum(axis=1, keepdims=True)
    honest, boast = (classwise_metric(stated, gold, seed=0) for stated in (chances, sharp))
    low, high = honest.details["null95"]
    assert low <= (honest.value or 0) <= high
    assert (boast.value or 0) > boast.details["null95"][1]
    assert boast.details["null_p"] == pytest.approx(1 / 1001)
    assert honest.details["labels"] == 3


def test_the_null_band_equals_a_plain_loop_over_the_same_draws() -> None:
    chances = table([(0.1, 0.9), (0.3, 0.7), (0.95, 0.05)])  # in the order that draws are made in
    metric = classwise_metric(chances, np.array([1, 0, 0]), seed=2)
    draws = np.random.default_rng(2).random((1_000, 3))
    errors = [slow(chances, (row >= chances[:, 0]).astype(int)) for row in draws]
    assert metric.details["null_mean"] == pytest.approx(sum(errors) / 1_000)


@settings(max_examples=10, deadline=None)
@given(answers())
def test_the_order_of_the_records_changes_no_band(found: tuple[np.ndarray, np.ndarray]) -> None:
    chances, gold = found
    one, other = (
        classwise_metric(rows, right, 0) for rows, right in (found, (chances[::-1], gold[::-1]))
    )
    assert one.as_json() == other.as_json()


def test_nothing_to_judge_is_undefined() -> None:
    assert classwise_metric(np.empty((0, 3)), np.empty(0, dtype=int), 0).status == "undefined"
