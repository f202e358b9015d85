from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from mitools.evaluate.simulators.logit import (
    PENALTY,
    CandidateSets,
    candidate_log_probs,
    fit_weights,
)


def problem(seed: int, n: int = 40, width: int = 3) -> tuple[np.ndarray, CandidateSets, np.ndarray]:
    rng = np.random.default_rng(seed)
    sets = CandidateSets(rng.integers(2, 6, size=n))
    features = rng.normal(size=(int(sets.sizes.sum()), width))
    return features, sets, rng.integers(0, sets.sizes)


def slow_loss(
    weights: np.ndarray, features: np.ndarray, sets: CandidateSets, chosen: np.ndarray
) -> float:
    total = PENALTY * sum(float(w) ** 2 for w in weights) / 2
    start = 0
    for size, choice in zip(sets.sizes, chosen, strict=True):
        scores = [float(row @ weights) for row in features[start : start + size]]
        total -= scores[choice] - math.log(sum(math.exp(score) for score in scores))
        start += size
    return total


def test_probabilities_by_hand() -> None:
    features = np.array([[math.log(3)], [0.0], [0.0], [0.0], [0.0]])
    logs = candidate_log_probs(features, np.array([1.0]), CandidateSets(np.array([2, 3])))
    assert np.exp(logs) == pytest.approx([0.75, 0.25, 1 / 3, 1 / 3, 1 / 3])


@pytest.mark.parametrize("seed", range(4))
def test_the_fit_is_where_a_general_optimizer_of_a_plain_loop_ends(seed: int) -> None:
    features, sets, chosen = problem(seed)
    found = fit_weights(features, sets, chosen)
    plain = minimize(slow_loss, np.zeros(3), (features, sets, chosen), options={"gtol": 1e-6})
    assert found == pytest.approx(plain.x, abs=1e-4)


def test_where_the_search_begins_changes_no_answer() -> None:
    features, sets, chosen = problem(2)
    found = fit_weights(features, sets, chosen)
    for start in (np.full(3, 5.0), np.array([-20.0, 3.0, 0.0])):
        assert fit_weights(features, sets, chosen, start) == pytest.approx(found, abs=1e-5)


def test_a_binary_choice_is_a_logistic_regression() -> None:
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(0)
    difference = rng.normal(size=(60, 2))
    first = rng.random(60) < 1 / (1 + np.exp(-difference[:, 0]))
    features = np.zeros((120, 2))
    features[0::2] = difference
    found = fit_weights(features, CandidateSets(np.full(60, 2)), (~first).astype(int))
    known = LogisticRegression(C=1 / PENALTY, fit_intercept=False, tol=1e-8).fit(difference, first)
    assert found == pytest.approx(known.coef_[0], abs=1e-4)


def test_a_feature_that_is_the_same_for_all_candidates_has_no_weight() -> None:
    features, sets, chosen = problem(0)
    constant = np.repeat(np.arange(len(sets.sizes), dtype=float), sets.sizes)[:, None]
    found = fit_weights(np.hstack([features, constant]), sets, chosen)
    assert found == pytest.approx([*fit_weights(features, sets, chosen), 0], abs=1e-6)


def test_a_feature_of_zeros_has_no_weight_and_changes_no_other() -> None:
    features, sets, chosen = problem(1)
    wider = np.hstack([features, np.zeros((len(features), 2))])
    expected = [*fit_weights(features, sets, chosen), 0, 0]
    assert fit_weights(wider, sets, chosen) == pytest.approx(expected, abs=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1_000), st.floats(0.1, 300))
def test_any_scale_of_features_gives_finite_weights_and_whole_probabilities(
    seed: int, scale: float
) -> None:
    features, sets, chosen = problem(seed, n=8)
    weights = fit_weights(features * scale, sets, chosen)
    chances = np.exp(candidate_log_probs(features * scale, weights, sets))
    assert np.isfinite(weights).all()
    assert np.add.reduceat(chances, sets.starts) == pytest.approx(np.ones(8))


def test_items_are_selected_with_their_candidates() -> None:
    kept, rows = CandidateSets(np.array([2, 3, 1])).select(np.array([True, False, True]))
    assert kept.sizes.tolist() == [2, 1]
    assert rows.tolist() == [True, True, False, False, False, True]
