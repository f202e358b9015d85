"""Confidence intervals: Wilson's for rates, the percentile bootstrap for everything else.

Pure functions on arrays. Resampling works on counts of *cells*: items that are alike for a
statistic share a cell, and a statistic is a function of the number of draws of each cell. The
caller sorts the cells, so that the order of the records changes no figure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from mitools.evaluate.measures.metric import Interval

__all__ = [
    "RESAMPLES",
    "Z95",
    "bootstrap",
    "clustered_interval",
    "mean_intervals",
    "percentile_interval",
    "ratio_interval",
    "resamples_for",
    "spread_interval",
    "wilson_interval",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

RESAMPLES = 10_000
_FEWEST_RESAMPLES = 1_000
_MOST_DRAWS = 500_000_000
_CHUNK = 2_000_000
"""Numbers in one block of resamples: 16 MB an array, whatever the number of records."""

_ROUNDING = 1e-12
"""Of two means of equal values, relative to them."""

Z95 = 1.959963984540054
"""The normal quantile of 0.975."""


def wilson_interval(hits: int, n: int) -> Interval | None:
    """Compute Wilson's 95% score interval of a rate; None where ``n`` is 0.

    Preferred to the bootstrap for rates: the bootstrap of a rate is the binomial around the
    observed rate, so it has no width at 0% and 100%, and covers too little near them and at small
    ``n``. Wilson's interval stays between 0 and 1, needs no seed and covers close to 95%.

    Source: Brown, Cai and DasGupta, Statistical Science 16(2), 2001.
    """
    if not n:
        return None
    low, high = _wilson(hits / n, n, Z95)
    return (0.0 if hits == 0 else low), (1.0 if hits == n else high)


def _wilson(rate: float, n: float, z: float) -> Interval:
    z2 = z * z
    center = (rate + z2 / (2 * n)) / (1 + z2 / n)
    margin = z / (1 + z2 / n) * math.sqrt(rate * (1 - rate) / n + z2 / (4 * n * n))
    return max(0.0, center - margin), min(1.0, center + margin)


def clustered_interval(hits: int, n: int, groups: Sequence[tuple[int, int]]) -> Interval | None:
    """Compute the 95% interval of a rate of items that come in groups; None below two groups.

    Wilson's interval at the effective sample size: that of independent items with the same variance
    as the groups show. Where all items are alike it is the number of groups. It is never larger
    than the number of items. The quantile is Student's t with one less degree of freedom than there
    are groups.

    Args:
        hits: items that are right.
        n: items.
        groups: of the groups, items that are right and items; other items are groups of their own.

    Source: Korn and Graubard, Survey Methodology 24(2), 1998; Kott and Carr, Journal of Official
    Statistics 13(2), 1997.
    """
    single, single_hits = n - sum(size for _, size in groups), hits - sum(h for h, _ in groups)
    units = len(groups) + single
    if units < 2:
        return None
    rate = hits / n
    squares = math.fsum((found - rate * size) ** 2 for found, size in groups)
    squares += single_hits * (1 - rate) ** 2 + (single - single_hits) * rate**2
    variance = squares / n**2 * units / (units - 1)
    effective = rate * (1 - rate) / variance if variance > 0 else float(units)
    low, high = _wilson(rate, min(effective, float(n)), float(student_t.ppf(0.975, units - 1)))
    return (0.0 if hits == 0 else low), (1.0 if hits == n else high)


def resamples_for(n: int) -> int:
    """Return the number of resamples for ``n`` items: 10,000, and fewer above 50,000 items."""
    return max(_FEWEST_RESAMPLES, min(RESAMPLES, _MOST_DRAWS // max(1, n)))


def bootstrap(
    cells: Ints, n_cells: int, statistic: Callable[[Floats], Floats], seed: int
) -> Floats:
    """Compute a statistic on resamples, drawn with replacement, of the items.

    Args:
        cells: [n] the cell that each item falls into, from 0 to ``n_cells`` - 1.
        n_cells: how many cells there are.
        statistic: from counts [R, n_cells] to values [R] or [R, M]; NaN where undefined.
        seed: of the generator; same seed, same draws.

    Returns:
        [resamples] or [resamples, M]; memory is bounded by blocks of resamples.
    """
    blocks = [statistic(counts) for counts in _resampled_counts(cells, n_cells, seed)]
    return np.concatenate(blocks)


def _resampled_counts(cells: Ints, n_cells: int, seed: int) -> Iterator[Floats]:
    # One block of resamples after the other: memory does not grow with the number of records.
    n, left = len(cells), resamples_for(len(cells))
    rng = np.random.default_rng(seed)
    rows = max(1, _CHUNK // max(n, n_cells))
    while left:
        size = min(rows, left)
        drawn = cells[rng.integers(0, n, size=(size, n))]  # [R, n]
        # Offset by row, so that one bincount counts the cells of all resamples.
        drawn += np.arange(size)[:, None] * n_cells
        counts = np.bincount(drawn.ravel(), minlength=size * n_cells)
        yield counts.reshape(size, n_cells).astype(np.float64)
        left -= size


def percentile_interval(draws: Floats) -> Interval | None:
    """Return the middle 95% of bootstrap values.

    None where there are none, or where the statistic was undefined in more than half of them.
    """
    defined = draws[np.isfinite(draws)]
    if 2 * len(defined) <= len(draws):
        return None
    low, high = np.quantile(defined, (0.025, 0.975))
    return float(low), float(high)


def spread_interval(draws: Floats) -> Interval | None:
    """Return the middle 95% of bootstrap values; None where they are all equal.

    Where all items are right, or all wrong, every resample is the same. An interval of no width
    would claim more certainty than these items give.
    """
    interval = percentile_interval(draws)
    if interval is None or interval[1] - interval[0] <= _ROUNDING * max(1.0, abs(interval[1])):
        return None
    return interval


def mean_intervals(values: Floats, seed: int) -> list[Interval | None]:
    """Compute the bootstrap interval of each column's mean; None where all its rows are equal.

    Args:
        values: [n, M] one row an item; the same resamples serve all columns.
        seed: of the resampling.
    """
    n, columns = values.shape
    if n < 2:
        return [None] * columns
    ordered = values[np.lexsort(values.T[::-1])]
    means = bootstrap(np.arange(n), n, lambda counts: counts @ ordered / n, seed)
    return [spread_interval(means[:, column]) for column in range(columns)]


def ratio_interval(parts: Floats, wholes: Floats, seed: int) -> Interval | None:
    """Compute the bootstrap interval of Σ parts / Σ wholes over items; None where all are alike.

    Args:
        parts: [n] the numerator of each item.
        wholes: [n] its denominator.
        seed: of the resampling.
    """
    n = len(parts)
    if n < 2:
        return None
    pairs, cells = np.unique(np.stack([parts, wholes], axis=1), axis=0, return_inverse=True)

    def statistic(counts: Floats) -> Floats:
        below = counts @ pairs[:, 1]
        return np.divide(
            counts @ pairs[:, 0], below, out=np.full_like(below, np.nan), where=below > 0
        )

    return spread_interval(bootstrap(np.sort(cells.ravel()), len(pairs), statistic, seed))
