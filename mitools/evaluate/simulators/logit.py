"""A conditional logit: which of its own candidates does each item choose?

Pure functions on arrays. The candidates of all items are stored one after the other: ``features``
[M, D], ``starts`` [n] the first row of each item. The probability of a candidate is the softmax,
over the candidates of the item, of a weighted sum of its features. A feature with one value for all
candidates of an item has no effect.

Source: McFadden, "Conditional logit analysis of qualitative choice behavior", 1974.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["PENALTY", "CandidateSets", "candidate_log_probs", "fit_weights"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

PENALTY = 1.0
"""Weight of half the squared length of the weights, beside the summed negative log-likelihood."""

_STEPS = 50
_TOLERANCE = 1e-8
_NOISE = 1e-9
"""The most that rounding adds to a loss at its minimum."""


@dataclass(frozen=True, slots=True)
class CandidateSets:
    """The rows of each item's candidates.

    Attributes:
        sizes: [n] how many candidates each item has, 1 or more.
    """

    sizes: Ints

    @property
    def starts(self) -> Ints:
        starts: Ints = np.cumsum(self.sizes) - self.sizes
        return starts

    def select(self, items: NDArray[np.bool_]) -> tuple[CandidateSets, NDArray[np.bool_]]:
        """Select items: their sets, and a mask [M] of their candidates."""
        return CandidateSets(self.sizes[items]), np.repeat(items, self.sizes)


def candidate_log_probs(features: Floats, weights: Floats, sets: CandidateSets) -> Floats:
    """Compute the natural log-probability of each candidate within its item: [M]."""
    scores = features @ weights
    lifted = scores - np.repeat(np.maximum.reduceat(scores, sets.starts), sets.sizes)
    totals = np.add.reduceat(np.exp(lifted), sets.starts)
    logs: Floats = lifted - np.repeat(np.log(totals), sets.sizes)
    return logs


def fit_weights(
    features: Floats, sets: CandidateSets, chosen: Ints, start: Floats | None = None
) -> Floats:
    """Minimize the penalized loss by Newton's method.

    Args:
        features: [M, D].
        sets: the items; at least one.
        chosen: [n] the chosen candidate of each item, counted from the start of its set.
        start: [D] initial weights, zeros where None; a close start saves most of the steps.

    Returns:
        [D]; the loss is strictly convex, so the minimum is unique.
    """
    weights = np.zeros(features.shape[1]) if start is None else start
    picked = features[sets.starts + chosen].sum(axis=0)
    loss = _loss(features, weights, sets, picked)
    for _ in range(_STEPS):
        gradient, curvature = _derivatives(features, weights, sets, picked)
        step = np.linalg.solve(curvature, gradient)
        scale = 1.0
        # Far from the minimum the full step may overshoot; a short enough one never does.
        while (shorter := _loss(features, weights - scale * step, sets, picked)) > loss + _NOISE:
            scale /= 2
        weights, loss = weights - scale * step, shorter
        # Half of the product is the distance of the loss from its minimum, to second order.
        if gradient @ step < _TOLERANCE * len(sets.sizes):
            break
    return weights


def _loss(features: Floats, weights: Floats, sets: CandidateSets, picked: Floats) -> float:
    scores = features @ weights
    top = np.maximum.reduceat(scores, sets.starts)
    totals = np.add.reduceat(np.exp(scores - np.repeat(top, sets.sizes)), sets.starts)
    fit = float((top + np.log(totals)).sum() - picked @ weights)
    return fit + PENALTY * float(weights @ weights) / 2


def _derivatives(
    features: Floats, weights: Floats, sets: CandidateSets, picked: Floats
) -> tuple[Floats, Floats]:
    chances = np.exp(candidate_log_probs(features, weights, sets))
    weighted = features * chances[:, None]
    expected = np.add.reduceat(weighted, sets.starts, axis=0)  # [n, D]
    gradient = expected.sum(axis=0) - picked + PENALTY * weights
    curvature = features.T @ weighted - expected.T @ expected
    return gradient, curvature + PENALTY * np.eye(len(weights))
