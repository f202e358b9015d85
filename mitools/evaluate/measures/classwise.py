"""Classwise calibration: does the probability of each label match how often it is gold?

Pure functions on arrays: ``chances`` [n, K], the stated probability of each label of a fixed set,
and ``gold`` [n], the index of the gold label.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mitools.evaluate.measures.calibration import BINS, REDRAWS, NullBand, null_band, width_bins
from mitools.evaluate.measures.metric import Measure, Metric

__all__ = ["CLASSWISE_ECE", "classwise_error", "classwise_metric"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

CLASSWISE_ECE = Measure(
    "classwise ECE",
    "fraction",
    higher_is_better=False,
    about="Mean over labels of the calibration error of that label's probability, 15 equal-width "
    "bins.",
)
"""Source: Kull et al., arXiv:1910.12656."""


def classwise_error(chances: Floats, gold: Ints) -> float:
    """Compute the mean over labels of the binned gap between probability and frequency.

    Args:
        chances: [n, K] from 0 to 1.
        gold: [n] from 0 to K - 1.

    Returns:
        A fraction; lower is better; 0 on empty input.
    """
    n, classes = chances.shape
    if not n:
        return 0.0
    total = 0.0
    for index in range(classes):
        stated = chances[:, index]
        gaps = np.bincount(width_bins(stated), weights=(gold == index) - stated, minlength=BINS)
        total += float(np.abs(gaps).sum()) / n
    return float(total / classes)


def classwise_metric(chances: Floats, gold: Ints, seed: int) -> Metric:
    """State the classwise error with its null band: gold redrawn from the stated probabilities.

    Undefined on empty input.
    """
    if not len(chances):
        return CLASSWISE_ECE.undefined("no record has a gold label among its scored labels")
    value = classwise_error(chances, gold)
    band: NullBand = null_band(_null_errors(chances, seed), value)
    return CLASSWISE_ECE.ok(value, len(chances), labels=chances.shape[1], **band.as_details())


def _null_errors(chances: Floats, seed: int) -> Floats:
    """Redraw gold 1,000 times and measure the error of each: [1000]."""
    ordered = chances[np.lexsort(chances.T[::-1])]  # the order of the records changes no draw
    # Inverse transform sampling: the drawn label is the number of cumulative sums below a uniform.
    n, classes = ordered.shape
    upper = np.cumsum(ordered, axis=1)[:, :-1]  # [n, K - 1]
    rng, left = np.random.default_rng(seed), REDRAWS
    columns = [_by_bin(ordered[:, index]) for index in range(classes)]
    errors: list[Floats] = []
    while left:
        size = min(left, max(1, 2_000_000 // (n * classes)))
        drawn = (rng.random((size, n, 1)) >= upper).sum(axis=2)  # [R, n]
        total = np.zeros(size)
        for index, (order, starts) in enumerate(columns):
            gaps = (drawn[:, order] == index) - ordered[order, index]
            total += np.abs(np.add.reduceat(gaps, starts, axis=1)).sum(axis=1) / n
        errors.append(total / classes)
        left -= size
    return np.concatenate(errors)


def _by_bin(stated: Floats) -> tuple[Ints, Ints]:
    """Sort items by bin: their order [n], and the start of each bin with items."""
    bins = width_bins(stated)
    order = np.argsort(bins, kind="stable")
    return order, np.flatnonzero(np.diff(bins[order], prepend=-1))
