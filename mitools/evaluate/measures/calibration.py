"""Calibration: does the confidence match the share of right answers?

Pure functions on arrays: ``confidence`` [n], the stated probability of each answer, and
``is_correct`` [n]. No figure depends on the order of the items or on the order of ties.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitools.errors import InvalidFieldError
from mitools.evaluate.measures.metric import Interval, Measure, Metric
from mitools.evaluate.measures.ranking import COVERAGES, rank_statistics
from mitools.evaluate.measures.statistics import bootstrap, spread_interval, wilson_interval

__all__ = [
    "BINS",
    "MEASURES",
    "REDRAWS",
    "NullBand",
    "calibrate",
    "calibration_errors",
    "confidence_nll",
    "expected_calibration_error",
    "mass_bins",
    "null_band",
    "null_bands",
    "reliability",
    "width_bins",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

BINS = 15
REDRAWS = 1_000

MEASURES: Mapping[str, Measure] = {
    "mean_confidence": Measure(
        "mean confidence",
        "fraction",
        higher_is_better=None,
        about="Mean stated probability of the answers, over all records that state one.",
    ),
    "ece_width": Measure(
        "ECE, 15 equal-width bins",
        "fraction",
        higher_is_better=False,
        about="Expected calibration error: gap between accuracy and mean confidence, averaged over "
        "15 bins of equal width.",
    ),
    "ece_mass": Measure(
        "ECE, 15 equal-mass bins",
        "fraction",
        higher_is_better=False,
        about="Expected calibration error over 15 bins with the same number of records.",
    ),
    "brier": Measure(
        "Brier score",
        "squared error",
        higher_is_better=False,
        about="Mean squared distance between the confidence and whether the answer is right.",
    ),
    "nll": Measure(
        "NLL",
        "nats",
        higher_is_better=False,
        about="Mean negative log-likelihood of whether the answer is right, under the stated "
        "confidence.",
    ),
    "auroc": Measure(
        "AUROC of confidence",
        "probability",
        higher_is_better=True,
        about="Probability that a right answer has a higher confidence than a wrong one; ties "
        "count half.",
    ),
    "aurc": Measure(
        "AURC",
        "fraction",
        higher_is_better=False,
        about="Area under the risk-coverage curve: mean error rate over all coverages, most "
        "confident answers first.",
    ),
    "excess_aurc": Measure(
        "excess AURC",
        "fraction",
        higher_is_better=False,
        about="AURC minus the AURC of a perfect ranking of the same answers.",
    ),
    **{
        f"accuracy_at_{share}": Measure(
            f"accuracy at {share}% coverage",
            "fraction",
            higher_is_better=True,
            about=f"Accuracy on the most confident {share}% of the answers.",
        )
        for share in COVERAGES
    },
}
"""``brier`` and ``nll`` score the event "this answer is right", so they mean the same for scored
choices and for decoded labels. All are over the records that have both a gold label and a
confidence; a summary's ``mean_confidence`` is over all records that state one."""

_SMALLEST = float(np.finfo(np.float64).tiny)
_LARGEST = 1.0 - 2.0**-24
"""Models compute in float32, where a probability closer to 1 than this is rounded to 1."""


def width_bins(confidence: Floats) -> Ints:
    """Assign each confidence to one of 15 bins of equal width, [0, 1/15) … [14/15, 1]."""
    bins: Ints = np.minimum(np.floor(confidence * BINS).astype(np.int64), BINS - 1)
    return bins


def mass_bins(confidence: Floats) -> Ints:
    """Assign each confidence to one of 15 bins of equal mass, equal confidences together.

    A group of ties goes into the bin of its middle rank. The rank is computed in integers, so that
    duplicating all items changes no bin.
    """
    _, inverse, sizes = np.unique(confidence, return_inverse=True, return_counts=True)
    twice_middle = 2 * (np.cumsum(sizes) - sizes) + sizes
    bins: Ints = (BINS * twice_middle // (2 * len(confidence)))[inverse]
    return bins


def expected_calibration_error(confidence: Floats, is_correct: Bools, bins: Ints) -> float:
    """Compute the mean gap between accuracy and mean confidence over bins, weighted by items.

    Args:
        confidence: [n] from 0 to 1.
        is_correct: [n].
        bins: [n] the bin of each item, from 0 to 14.

    Returns:
        A fraction; lower is better. At least |accuracy - mean confidence|; 0 on empty input.
    """
    if not len(confidence):
        return 0.0
    gaps = np.bincount(bins, weights=is_correct - confidence, minlength=BINS)
    return float(np.abs(gaps).sum() / len(confidence))


@dataclass(frozen=True, slots=True)
class NullBand:
    """The distribution of a calibration error under perfect calibration.

    Attributes:
        mean: of the redraws.
        band: their middle 95%.
        p: Monte Carlo p-value: the share of redraws, counting the observation too, with an error
            at least as large as the observed one.
    """

    mean: float
    band: Interval
    p: float

    def as_details(self) -> dict[str, Any]:
        return {"null_mean": self.mean, "null95": self.band, "null_p": self.p}


def null_bands(
    confidence: Floats, bins: Mapping[str, Ints], observed: Mapping[str, float], seed: int
) -> dict[str, NullBand]:
    """Redraw correctness from the stated confidences 1,000 times and measure the error of each.

    Args:
        confidence: [n].
        bins: by name, [n] the bin of each item, non-decreasing in confidence.
        observed: by the same names, the observed error.
        seed: of the redraws; all names share them.
    """
    # Sorted by confidence, each bin is one run of items, and one pass sums all bins.
    order = np.argsort(confidence, kind="stable")
    stated, n = confidence[order], len(confidence)
    sorted_bins = {name: bin_of[order] for name, bin_of in bins.items()}
    starts = {
        name: np.flatnonzero(np.diff(bin_of, prepend=-1)) for name, bin_of in sorted_bins.items()
    }
    rng, left = np.random.default_rng(seed), REDRAWS
    errors: dict[str, list[Floats]] = {name: [] for name in bins}
    while left:
        size = min(left, max(1, 2_000_000 // n))  # redraws at once, for bounded memory
        # Under perfect calibration an answer is right with the probability that it states.
        gaps = (rng.random((size, n)) < stated) - stated  # [R, n]
        for name, first in starts.items():
            per_bin = np.add.reduceat(gaps, first, axis=1)
            errors[name].append(np.abs(per_bin).sum(axis=1) / n)
        left -= size
    return {
        name: null_band(np.concatenate(drawn), observed[name]) for name, drawn in errors.items()
    }


def null_band(errors: Floats, observed: float) -> NullBand:
    """Describe redrawn errors [R] and the rank of the observed error among them."""
    low, high = np.quantile(errors, (0.025, 0.975))
    # Redraws and observation are summed in different orders; rounding is not a difference.
    p = float((1 + np.sum(errors >= observed - 1e-12)) / (1 + len(errors)))
    return NullBand(float(errors.mean()), (float(low), float(high)), p)


def confidence_nll(confidence: Floats, is_correct: Bools) -> Floats:
    """Compute -log of the stated probability of the outcome of each answer: [n], nats.

    A confidence of 1 counts as 1 - 2⁻²⁴ and one of 0 as the smallest float: a wrong answer with
    confidence 1 costs 16.6 nats, and no figure is infinite.
    """
    stated = np.clip(confidence, _SMALLEST, _LARGEST)
    nll: Floats = -np.where(is_correct, np.log(stated), np.log1p(-stated))
    return nll


def calibrate(confidence: Floats, is_correct: Bools, seed: int) -> dict[str, Metric]:
    """Compute every measure of :data:`MEASURES`; all undefined on empty input.

    The calibration errors have a null band in place of an interval: resampling adds to the error,
    so a bootstrap interval would be biased upwards.

    Raises:
        InvalidFieldError: a confidence below 0 or above 1.
    """
    n = len(confidence)
    if not n:
        reason = "no record has both a gold label and a confidence"
        return {name: measure.undefined(reason) for name, measure in MEASURES.items()}
    if confidence.min() < 0 or confidence.max() > 1:
        raise InvalidFieldError("a confidence must be between 0 and 1")
    values, intervals = _with_intervals(confidence, is_correct, seed)
    metrics = calibration_errors(confidence, is_correct, seed)
    for name, value in values.items():
        if np.isnan(value):
            reason = "every answer is right" if is_correct.all() else "every answer is wrong"
            metrics[name] = MEASURES[name].undefined(f"{reason}, so none can be ranked", n)
        else:
            metrics[name] = MEASURES[name].ok(value, n, intervals[name])
    return {name: metrics[name] for name in MEASURES}


def calibration_errors(confidence: Floats, is_correct: Bools, seed: int) -> dict[str, Metric]:
    """Compute ``ece_width`` and ``ece_mass`` of :data:`MEASURES`, each with its null band.

    Args:
        confidence: [n] from 0 to 1, not empty.
        is_correct: [n].
        seed: of the redraws.
    """
    bins = {"ece_width": width_bins(confidence), "ece_mass": mass_bins(confidence)}
    observed = {
        name: expected_calibration_error(confidence, is_correct, bin_of)
        for name, bin_of in bins.items()
    }
    nulls = null_bands(confidence, bins, observed, seed)
    return {
        name: MEASURES[name].ok(observed[name], len(confidence), **nulls[name].as_details())
        for name in bins
    }


_RESAMPLED = tuple(name for name in MEASURES if name not in ("ece_width", "ece_mass"))


def _with_intervals(
    confidence: Floats, is_correct: Bools, seed: int
) -> tuple[dict[str, float], dict[str, Interval | None]]:
    # Items with the same confidence and outcome are alike for every measure here: they share a
    # cell, and a resample is a count of each cell.
    groups, inverse = np.unique(confidence, return_inverse=True)
    cells = np.sort(2 * inverse + is_correct)  # wrong and right, side by side for each confidence
    no, yes = np.zeros(len(groups), dtype=bool), np.ones(len(groups), dtype=bool)
    linear = np.stack(
        [
            np.repeat(groups, 2),
            np.stack([groups**2, (1 - groups) ** 2], axis=1).ravel(),
            np.stack([confidence_nll(groups, no), confidence_nll(groups, yes)], axis=1).ravel(),
        ],
        axis=1,
    )  # [2G, 3]

    def statistic(counts: Floats) -> Floats:
        means = counts @ linear / len(confidence)
        ranks = rank_statistics(counts[:, 1::2], counts[:, 0::2])
        return np.column_stack([means, ranks])

    observed = np.bincount(cells, minlength=len(linear)).astype(np.float64)
    values = dict(zip(_RESAMPLED, map(float, statistic(observed[None, :])[0]), strict=True))
    if len(confidence) < 2:
        return values, dict.fromkeys(_RESAMPLED)
    draws = bootstrap(cells, len(linear), statistic, seed)
    columns = zip(_RESAMPLED, draws.T, strict=True)
    return values, {name: spread_interval(column) for name, column in columns}


def reliability(confidence: Floats, is_correct: Bools) -> list[dict[str, Any]]:
    """Describe each equal-width bin that holds items, for a reliability diagram."""
    bins, rows = width_bins(confidence), []
    for index in range(BINS):
        inside = bins == index
        n, hits = int(inside.sum()), int(is_correct[inside].sum())
        if n:
            low, high = index / BINS, (index + 1) / BINS
            mean = float(np.sort(confidence[inside]).mean())
            interval = wilson_interval(hits, n)
            row = {"low": low, "high": high, "n": n, "confidence": mean}
            rows.append({**row, "accuracy": hits / n, "ci95": interval})
    return rows
