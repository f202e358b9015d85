"""Logistic regression over classes, with its regularization chosen by cross-validation.

Pure functions of arrays.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

__all__ = ["GRID", "SMOOTHING", "ClassModel", "choose"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

GRID = (0.001, 0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
"""Inverse weights of half the squared length of the weights, C, that are tried."""

SMOOTHING = 0.01
"""Share of every guess that is spread evenly, where held-out guesses are scored."""

_STEPS = 300

_MOST_ROTATED = 2_000
"""Items up to which sparse features are rotated into the space of the items."""


class ClassModel:
    """A linear model of K classes.

    Attributes:
        strength: the chosen C; None with one class, or without features.
    """

    def __init__(self, features: Any, target: Ints, folds: Ints, classes: int) -> None:
        """Choose C by cross-validation, and fit on all items.

        Args:
            features: [n, D], sparse or dense.
            target: [n] class of each item, from 0 to K - 1.
            folds: [n] fold of each item.
            classes: K.
        """
        self.strength: float | None = None
        self._classes = classes
        self._model: LogisticRegression | None = None
        self._shares = np.bincount(target, minlength=classes) / len(target)
        self._space: _RowSpace | None = None
        if sp.issparse(features) and len(target) < min(features.shape[1], _MOST_ROTATED):
            self._space = _RowSpace(features)
            features = self._space.of(features)
        if features.shape[1] and len(np.unique(target)) > 1:
            self.strength = choose(
                GRID, folds, lambda c, held: self._held_out(features, target, held, c)
            )
            self._model = _fit(features, target, self.strength)

    def chances(self, features: Any) -> Floats:
        """Compute the probability of each class: [n, K]."""
        if self._model is None:
            return np.tile(self._shares, (features.shape[0], 1))
        return self._of(self._model, features if self._space is None else self._space.of(features))

    def _of(self, model: LogisticRegression, features: Any) -> Floats:
        chances = np.zeros((features.shape[0], self._classes))
        if features.shape[0]:
            chances[:, model.classes_] = model.predict_proba(features)
        return chances

    def _held_out(self, features: Any, target: Ints, held: NDArray[np.bool_], c: float) -> Floats:
        """Return the log-probability of the held-out targets, by a fit on the others."""
        taught = target[~held]
        wanted = target[held]
        if len(np.unique(taught)) < 2:
            shares = np.bincount(taught, minlength=self._classes) / max(1, len(taught))
            right = shares[wanted]
        else:
            chances = self._of(_fit(features[~held], taught, c), features[held])
            right = chances[np.arange(len(wanted)), wanted]
        logs: Floats = np.log((1 - SMOOTHING) * right + SMOOTHING / self._classes)
        return logs


class _RowSpace:
    """Coordinates in the space that the rows of a matrix span: at most as many as it has rows.

    With a penalty on squared length, no weight is outside of this space, and a rotation changes no
    prediction. So few texts with many terms cost as little as few features do.
    """

    def __init__(self, rows: Any) -> None:
        """Find the axes of rows [n, D]."""
        values, vectors = np.linalg.eigh((rows @ rows.T).toarray())
        kept = values > 1e-10 * max(float(values[-1]), 1e-10)
        self._rows, self._map = rows, vectors[:, kept] / np.sqrt(values[kept])

    def of(self, rows: Any) -> Floats:
        """Compute the coordinates of rows [m, D]: [m, at most n]."""
        coordinates: Floats = (rows @ self._rows.T).toarray() @ self._map
        return coordinates


def choose(grid: tuple[float, ...], folds: Ints, held_out: Any) -> float:
    """Return the value with the largest mean held-out log-probability; ties go to the first.

    It ends at the first value that is worse than the one before: more of them cost the most time.

    Args:
        grid: the values, the most regularized first.
        folds: [n] fold of each item.
        held_out: from a value and a mask [n] of held-out items to their log-probabilities.
    """
    best, highest = grid[0], -np.inf
    for value in grid:
        parts = [held_out(value, folds == fold) for fold in np.unique(folds)]
        score = float(np.concatenate(parts).mean())
        if score < highest - 1e-9:
            break
        if score > highest + 1e-9:
            best, highest = value, score
    return best


def _fit(features: Any, target: Ints, strength: float) -> LogisticRegression:
    model = LogisticRegression(C=strength, max_iter=_STEPS, tol=1e-3)
    with warnings.catch_warnings():
        # The loss is convex: a fit that is stopped early is more regularized, not wrong.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # Labels of few records each, such as expressions, are what the user has.
        warnings.filterwarnings(
            "ignore", message="The number of unique classes", category=UserWarning
        )
        return model.fit(features, target)
