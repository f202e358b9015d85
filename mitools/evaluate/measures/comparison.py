"""Is one student better than another? Paired tests, intervals, and detectable differences.

Pure functions on arrays: ``ours`` [S, n] and ``theirs`` [T, n], one row a run (a training seed),
one column an item that all runs answered. With one run a side, items are resampled in pairs; with
several, both runs and items are resampled, so that the result holds for other seeds too. One run
against several is taken to differ by its seed as those do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binomtest

from mitools.evaluate.measures.metric import Interval
from mitools.evaluate.measures.statistics import resamples_for, spread_interval

__all__ = [
    "ENOUGH_DISCORDANT",
    "Difference",
    "difference_of_means",
    "holm",
    "mcnemar",
    "resampled_means",
    "sign_flip",
    "sign_test",
    "smallest_detectable",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

ENOUGH_DISCORDANT = 6
"""Discordant items below which McNemar's test cannot reach p < .05: five all one way give .0625."""

_CHUNK = 2_000_000
_Z_ALPHA = 1.959963984540054
_Z_POWER = 0.8416212335729143
_NO_SPREAD = 1e-9
"""Standard deviations below this are rounding."""


def mcnemar(ours: Floats, theirs: Floats) -> float:
    """Test two rows [n] of 0 and 1 for different means: McNemar's exact p, two-sided.

    Only the items count that one of the two has right; given their number, each is as likely to
    favour either. 1 where there are none.
    """
    better, worse = (
        int(((ours == 1) & (theirs == 0)).sum()),
        int(((ours == 0) & (theirs == 1)).sum()),
    )
    return sign_test(better, worse)


def sign_test(better: int, worse: int) -> float:
    """Compute the two-sided p-value of an exact sign test: 1 where nothing differs."""
    return float(binomtest(better, better + worse).pvalue) if better + worse else 1.0


def sign_flip(difference: Floats, seed: int) -> float:
    """Test paired differences [n] for a mean of 0: p of a random-sign test, two-sided.

    The signs of all differences are drawn 10,000 times, fewer above 50,000 items; the p-value
    counts the observation among them. 1 where all differences are 0, or there are none.
    """
    values = np.sort(difference[difference != 0])
    if not len(values):
        return 1.0
    observed, rng = abs(values.sum()), np.random.default_rng(seed)
    draws, exceeding = resamples_for(len(values)), 0
    left = draws
    while left:
        size = min(left, max(1, _CHUNK // len(values)))
        signs = rng.integers(0, 2, size=(size, len(values))) * 2 - 1
        exceeding += int((np.abs(signs @ values) >= observed - 1e-12).sum())
        left -= size
    return (1 + exceeding) / (1 + draws)


def resampled_means(groups: Sequence[Floats], seed: int, clusters: Ints | None = None) -> Floats:
    """Resample items, the same for all groups, and within each group of several runs the runs.

    A group of one run beside a group of several gets the spread of their seeds: the deviation of a
    run of theirs that is drawn, from the mean of their runs, on the items drawn.

    Args:
        groups: each [S, n]; S may differ, n may not.
        seed: of the resampling.
        clusters: [n] the cluster of each item, from 0; clusters are then drawn in place of items.

    Returns:
        [resamples, len(groups)] mean over the runs and items drawn.
    """
    sizes = None if clusters is None else np.bincount(clusters).astype(np.float64)
    if clusters is not None:
        groups = [_sums(values, clusters) for values in groups]
    n = groups[0].shape[1]
    rng, left = np.random.default_rng(seed), resamples_for(n)
    blocks = []
    while left:
        size = min(left, max(1, _CHUNK // n))
        drawn = rng.integers(0, n, size=(size, n)) + np.arange(size)[:, None] * n
        items = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)
        drawn_items = float(n) if sizes is None else (items @ sizes)[:, None]
        by_run = [items @ values.T / drawn_items for values in groups]  # each [size, S]
        means = []
        for values in by_run:
            runs = values.shape[1]
            counts = np.ones((size, 1))
            if runs > 1:
                counts = rng.multinomial(runs, [1 / runs] * runs, size=size).astype(np.float64)
            means.append((values * counts).sum(axis=1) / runs)
        several = [values for values in by_run if values.shape[1] > 1]
        for place, values in enumerate(by_run):
            if several and values.shape[1] == 1:
                means[place] = means[place] + _deviation(several[0], rng)
        blocks.append(np.column_stack(means))
        left -= size
    return np.concatenate(blocks)


def _sums(values: Floats, clusters: Ints) -> Floats:
    """Add up the items of each cluster: [S, n] to [S, clusters]."""
    sums = np.zeros((len(values), int(clusters.max()) + 1))
    np.add.at(sums.T, clusters, values.T)
    return sums


def _deviation(by_run: Floats, rng: np.random.Generator) -> Floats:
    """Draw how far a run is from the mean over seeds: [R] from the means of S runs, [R, S].

    Deviations from the mean of S runs are too small by √(1 - 1/S).
    """
    size, runs = by_run.shape
    drawn = by_run[np.arange(size), rng.integers(0, runs, size=size)]
    deviation: Floats = (drawn - by_run.mean(axis=1)) * math.sqrt(runs / (runs - 1))
    return deviation


def smallest_detectable(spread: float, n: int) -> float | None:
    """Return the mean difference that a test at 5% finds in 80% of experiments with ``n`` items.

    None where the items do not differ at all: their spread is not known then, and 0 would promise
    that any difference is found.

    Args:
        spread: standard deviation of one item's difference; with 1 for ``n``, of their mean.
        n: items, 1 or more.
    """
    if spread < _NO_SPREAD:
        return None
    return (_Z_ALPHA + _Z_POWER) * spread / math.sqrt(n)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Adjust p-values for multiple tests (Holm, 1979)."""
    ordered = sorted(p_values, key=lambda name: p_values[name])
    adjusted, largest = {}, 0.0
    for rank, name in enumerate(ordered):
        largest = max(largest, min(1.0, (len(ordered) - rank) * p_values[name]))
        adjusted[name] = largest
    return {name: adjusted[name] for name in p_values}


@dataclass(frozen=True, slots=True)
class Difference:
    """The difference of two means, ours minus theirs.

    Attributes:
        value: the difference of the means over runs and items.
        ci95: its 95% bootstrap interval; None below 2 items, and where all items differ alike.
            Of two sides that never differ it is 0 to 0, which holds for these items only; a
            ``note`` says what could have been missed.
        p: of the test named; two-sided.
        test: ``McNemar, exact``, ``random signs`` or, for several runs, ``hierarchical bootstrap``.
        details: means of both sides, discordant items, and a ``note`` where no outcome could have
            been significant, or the items are alike for both; ``smallest_detectable``, from the
            spread of the items' differences for one run a side, from that of the resampled
            difference for several; absent without any.
    """

    value: float
    ci95: Interval | None
    p: float
    test: str
    details: Mapping[str, Any]


def difference_of_means(
    ours: Floats, theirs: Floats, seed: int, clusters: Ints | None = None
) -> Difference:
    """Compare two groups of runs on the items that all of them answered.

    Args:
        ours: [S, n], n at least 1; the order of the items decides the draws, and nothing else.
        theirs: [T, n].
        seed: of the resampling.
        clusters: [n] the cluster of each item, from 0, where items are not independent: clusters
            are resampled, and the signs of their sums are drawn in place of McNemar's test.
    """
    n, is_single = ours.shape[1], len(ours) == len(theirs) == 1
    per_item = ours.mean(axis=0) - theirs.mean(axis=0)
    per_unit = per_item if clusters is None else _sums(per_item[None], clusters)[0]
    units = len(per_unit)
    spread = per_item if clusters is None else per_unit - per_item.mean() * np.bincount(clusters)
    least = smallest_detectable(float(spread.std()) * units / n, units)
    interval, p, test = None, 1.0, "hierarchical bootstrap"
    if units > 1:
        means = resampled_means([ours, theirs], seed, clusters)
        gaps = means[:, 0] - means[:, 1]
        interval = spread_interval(gaps)
        if interval is None and not per_item.any():
            interval = 0.0, 0.0
        tail = min(int((gaps <= 0).sum()), int((gaps >= 0).sum()))
        p = min(1.0, 2 * (1 + tail) / (1 + len(gaps)))
        if not is_single:  # with items alone, this test would find it in one of three experiments
            least = smallest_detectable(float(gaps.std()), 1)
    details: dict[str, Any] = {
        "ours": float(ours.mean()),
        "theirs": float(theirs.mean()),
        **({} if least is None else {"smallest_detectable": least}),
    }
    is_binary = bool(np.isin(ours, (0, 1)).all() and np.isin(theirs, (0, 1)).all())
    if is_single:
        is_exact = is_binary and clusters is None
        test = "McNemar, exact" if is_exact else "random signs"
        p = mcnemar(ours[0], theirs[0]) if is_exact else sign_flip(per_unit, seed)
        if is_binary:
            details |= _discordance(per_item, units)
    else:
        details["runs"] = [len(ours), len(theirs)]
    if clusters is not None:
        details["groups"] = units
    return Difference(float(per_item.mean()), interval, p, test, details)


def _discordance(difference: Floats, units: int) -> dict[str, Any]:
    better, worse = int((difference > 0).sum()), int((difference < 0).sum())
    details: dict[str, Any] = {"better": better, "worse": worse}
    count = better + worse
    if not count:
        missed = 1 - 0.05 ** (1 / units)
        details["note"] = (
            f"the two are alike on all {len(difference):,} items: they may still differ on up to "
            f"{100 * missed:.2g}% of other items"
        )
    elif count < ENOUGH_DISCORDANT:
        least = 2 * 0.5**count
        items = f"the two differ on {count} item{'s' * (count != 1)} only"
        details["note"] = f"{items}: even if all favoured one of them, p would be {least:g}"
    return details
