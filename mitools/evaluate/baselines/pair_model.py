"""A linear score of each choice, and a softmax over the choices of a problem.

The features of the choices of all problems are rows one after the other; see
:mod:`mitools.evaluate.simulators.logit`, whose Newton steps are too expensive for thousands of
features. Pure functions of arrays.

Source: McFadden, "Conditional logit analysis of qualitative choice behavior", 1974.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from mitools.evaluate.baselines.class_model import GRID, SMOOTHING, choose
from mitools.evaluate.simulators.logit import CandidateSets, candidate_log_probs

__all__ = ["PairModel"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_STEPS = 100


class PairModel:
    """A conditional logit over each problem's own choices.

    Attributes:
        strength: the chosen C.
    """

    def __init__(self, features: Any, sets: CandidateSets, chosen: Ints, folds: Ints) -> None:
        """Choose C by cross-validation, and fit on all problems.

        Args:
            features: [M, D] of each choice, sparse or dense.
            sets: the rows of each problem.
            chosen: [n] place of the right choice among those of its problem.
            folds: [n] fold of each problem.
        """

        def held_out(c: float, held: NDArray[np.bool_]) -> Floats:
            taught, rows = sets.select(~held)
            if not len(taught.sizes):
                return np.log(1 / sets.sizes[held])
            weights = _fit(features[rows], taught, chosen[~held], c)
            others, rows = sets.select(held)
            logs = candidate_log_probs(features[rows], weights, others)
            right = np.exp(logs[others.starts + chosen[held]])
            smoothed: Floats = np.log((1 - SMOOTHING) * right + SMOOTHING / others.sizes)
            return smoothed

        self.strength = choose(GRID, folds, held_out)
        self._weights = _fit(features, sets, chosen, self.strength)

    def chances(self, features: Any, sets: CandidateSets) -> Floats:
        """Compute the probability of each choice within its problem: [M]."""
        if not len(sets.sizes):
            return np.zeros(0)
        chances: Floats = np.exp(candidate_log_probs(features, self._weights, sets))
        return chances


def _fit(features: Any, sets: CandidateSets, chosen: Ints, strength: float) -> Floats:
    """Minimize the summed negative log-likelihood and the penalty: [D]."""
    right = sets.starts + chosen

    def loss(weights: Floats) -> tuple[float, Floats]:
        logs = candidate_log_probs(features, weights, sets)
        errors = np.exp(logs)
        errors[right] -= 1
        value = -float(logs[right].sum()) + float(weights @ weights) / (2 * strength)
        return value, features.T @ errors + weights / strength

    start = np.zeros(features.shape[1])
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": _STEPS})
    weights: Floats = found.x
    return weights
