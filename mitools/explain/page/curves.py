"""The data of the page's plots: pure functions on arrays.

``confidence`` [n] is the stated probability of each answer, ``is_correct`` [n] whether it is right.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mitools.evaluate.measures.calibration import BINS, REDRAWS, reliability, width_bins
from mitools.evaluate.measures.statistics import wilson_interval

__all__ = ["RiskPoint", "least_risk", "reliability_with_null", "risk_curve"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_POINTS = 160


def reliability_with_null(confidence: Floats, is_correct: Bools, seed: int) -> list[dict[str, Any]]:
    """Return the reliability of each non-empty bin of equal width, with its null band.

    Returns:
        Rows of :func:`mitools.evaluate.measures.calibration.reliability`, each with ``null95``: the
        central 95% of its accuracy when correctness is redrawn from the stated confidences 1,000
        times. [] on empty input.
    """
    rows = reliability(confidence, is_correct)
    if not rows:
        return []
    bins = width_bins(confidence)
    rng = np.random.default_rng(seed)
    for row, index in zip(rows, np.unique(bins), strict=True):
        assert row["low"] == index / BINS
        stated = np.sort(confidence[bins == index])
        row["null95"] = _null_accuracy(stated, rng)
    return rows


def _null_accuracy(stated: Floats, rng: np.random.Generator) -> tuple[float, float]:
    # In chunks: 1,000 redraws of a large bin at once would not fit into memory.
    n, left, hits = len(stated), REDRAWS, []
    while left:
        size = min(left, max(1, 2_000_000 // n))
        hits.append((rng.random((size, n)) < stated).sum(axis=1))
        left -= size
    low, high = np.quantile(np.concatenate(hits) / n, (0.025, 0.975))
    return float(low), float(high)


class RiskPoint(NamedTuple):
    """One point of a risk-coverage curve: the error rate among the most confident answers.

    Attributes:
        coverage: the share of answers kept, 0 to 1.
        risk: their error rate; among ties of confidence, its expectation.
        low: lower bound of its pointwise 95% interval (Wilson).
        high: upper bound.
    """

    coverage: float
    risk: float
    low: float
    high: float


def risk_curve(confidence: Floats, is_correct: Bools) -> list[RiskPoint]:
    """Return the error rate by coverage, from the most confident answers to all; [] if empty.

    The last point has all answers. At most 160 points, dense at small coverage, where the curve
    changes fast.
    """
    n = len(confidence)
    if not n:
        return []
    groups, inverse = np.unique(-confidence, return_inverse=True)
    sizes = np.bincount(inverse, minlength=len(groups))
    errors = np.bincount(inverse, weights=~is_correct, minlength=len(groups))
    ends = np.concatenate(([0], np.cumsum(sizes)))
    kept = _points(n)
    wrong = np.interp(kept, ends, np.concatenate(([0.0], np.cumsum(errors))))
    return [_risk(int(k), float(e), n) for k, e in zip(kept, wrong, strict=True)]


def _points(n: int) -> NDArray[np.int64]:
    even = np.linspace(1, n, _POINTS // 2)
    dense = np.geomspace(1, n, _POINTS // 2)
    points: NDArray[np.int64] = np.unique(np.round(np.concatenate([even, dense])).astype(np.int64))
    return points


def _risk(kept: int, wrong: float, n: int) -> RiskPoint:
    interval = wilson_interval(round(wrong), kept)
    assert interval is not None
    risk = wrong / kept
    return RiskPoint(kept / n, risk, min(interval[0], risk), max(interval[1], risk))


def least_risk(coverage: float, accuracy: float) -> float:
    """Return the error rate at a coverage if all right answers are ranked before wrong ones."""
    return max(0.0, coverage - accuracy) / coverage if coverage else 0.0
