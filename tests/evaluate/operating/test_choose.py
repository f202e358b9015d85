"""The choice of a threshold: by hand, by properties, and its risk on drawn records."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom

from mitools.evaluate.operating.choose import (
    Choice,
    choose_threshold,
    fewest_records,
    start_levels,
)
from tests.benchmarks.operating_point import CURVES, miss_counts


def choose(confidence: list[float], right: list[bool], target: float, risk: float) -> Choice:
    return choose_threshold(
        np.array(confidence, dtype=np.float64), np.array(right, dtype=bool), target, risk
    )


@pytest.mark.parametrize(("target", "risk", "n"), [(0.95, 0.05, 59), (0.9, 0.1, 22), (0.5, 0.5, 1)])
def test_the_fewest_records_that_can_prove_a_target(target: float, risk: float, n: int) -> None:
    assert fewest_records(target, risk) == n
    assert target**n <= risk < target ** (n - 1)


def test_all_right_is_enough_from_the_fewest_records_on() -> None:
    assert choose([0.5] * 59, [True] * 59, 0.95, 0.05) == Choice(0.5, 59, 59, (59, 59))
    assert choose([0.5] * 58, [True] * 58, 0.95, 0.05) == Choice(None)
    assert choose([0.5] * 59, [True] * 58 + [False], 0.95, 0.05) == Choice(None, best=(58, 59))


def test_no_records_give_no_threshold() -> None:
    assert choose([], [], 0.9, 0.1) == Choice(None)
    assert choose([float("nan")] * 100, [True] * 100, 0.9, 0.1) == Choice(None)


def test_the_walk_goes_down_until_a_test_fails() -> None:
    # 40 right answers, then wrong ones only: at 0.9 and risk 0.1, one wrong answer of 41 is allowed
    # and not two of 42.
    confidence = [1 - place / 100 for place in range(55)]
    found = choose(confidence, [True] * 40 + [False] * 15, 0.9, 0.1)
    allowed = [n for n in range(40, 55) if binom.sf(39, n, 0.9) <= 0.1]
    assert found.answered == max(allowed) == 41
    assert found.threshold == confidence[40]
    assert found.right == 40


def test_ties_stand_or_fall_together() -> None:
    confidence = [0.9] * 30 + [0.8] * 30
    found = choose(confidence, [True] * 30 + [True] * 15 + [False] * 15, 0.9, 0.1)
    assert (found.threshold, found.answered) == (0.9, 30)


def test_a_late_start_passes_a_bad_beginning() -> None:
    # The five most confident of 800 answers are wrong, so no early test rejects.
    confidence = [1 - place / 1000 for place in range(800)]
    found = choose(confidence, [False] * 5 + [True] * 795, 0.95, 0.05)
    assert found.answered == 800


def test_answers_without_a_confidence_are_never_above_the_threshold() -> None:
    confidence = [0.9] * 100 + [float("nan")] * 100
    found = choose(confidence, [True] * 100 + [False] * 100, 0.95, 0.05)
    assert (found.threshold, found.answered, found.right) == (0.9, 100, 100)


@given(
    sizes=st.lists(st.integers(1, 50), min_size=1, max_size=40),
    target=st.floats(0.05, 0.99),
    risk=st.floats(0.001, 0.3),
)
def test_the_levels_add_up_to_the_risk_and_lie_where_a_test_can_reject(
    sizes: list[int], target: float, risk: float
) -> None:
    ends = np.cumsum(np.array(sizes))
    levels = start_levels(ends, target, risk)
    possible = ends[-1] >= fewest_records(target, risk)
    assert levels.sum() == pytest.approx(risk if possible else 0)
    assert (levels >= 0).all()
    assert (target ** ends[levels > 0] <= risk).all()


ANSWERS = st.lists(st.tuples(st.sampled_from([0.1, 0.3, 0.5, 0.9, 0.99]), st.booleans()))


@given(answers=ANSWERS, seed=st.integers(0, 99))
def test_the_order_of_the_records_and_a_monotone_map_change_nothing(
    answers: list[tuple[float, bool]], seed: int
) -> None:
    confidence, right = [c for c, _ in answers], [r for _, r in answers]
    found = choose(confidence, right, 0.6, 0.2)
    order = np.random.default_rng(seed).permutation(len(answers))
    assert choose([confidence[i] for i in order], [right[i] for i in order], 0.6, 0.2) == found
    mapped = choose([c**3 for c in confidence], right, 0.6, 0.2)
    assert (mapped.answered, mapped.right) == (found.answered, found.right)


@given(answers=ANSWERS.filter(bool))
@settings(max_examples=50)
def test_a_threshold_has_a_clopper_pearson_bound_at_the_target(
    answers: list[tuple[float, bool]],
) -> None:
    found = choose([c for c, _ in answers], [r for _, r in answers], 0.6, 0.2)
    if found.threshold is not None:
        k, n = found.right, found.answered
        assert float(beta.ppf(0.2, k, n - k + 1)) >= 0.6 - 1e-9
        assert k == sum(r for c, r in answers if c >= found.threshold)


@pytest.mark.parametrize("name", CURVES)
def test_the_accuracy_above_the_threshold_misses_the_target_no_more_often_than_the_risk(
    name: str,
) -> None:
    """With 400 draws, 0.2 is exceeded by chance once in 100,000 where the true rate is 0.1."""
    misses, chosen, _ = miss_counts(CURVES[name], n=120, target=0.8, risk=0.1, draws=400, seed=1)
    assert misses <= chosen <= 400
    assert misses <= binom.ppf(1 - 1e-5, 400, 0.1)


def test_a_choice_of_the_best_looking_threshold_would_miss_more_often() -> None:
    """The check above can fail: taking the lowest threshold that looks good breaks the risk."""
    curve = CURVES["slope"]
    rng = np.random.default_rng(0)
    misses = 0
    for _ in range(400):
        confidence, right = curve.draw(rng, 120)
        order = np.argsort(-confidence)
        share = np.cumsum(right[order]) / np.arange(1, 121)
        good = np.flatnonzero(share >= 0.8)
        if len(good):
            misses += curve.accuracy_above(confidence[order][good[-1]]) < 0.8
    assert misses > binom.ppf(1 - 1e-5, 400, 0.1)
