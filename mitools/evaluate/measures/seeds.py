"""Does a difference hold for other training seeds? Student's t-tests over the means of runs.

Pure functions on one number a run. A mean over many items is nearly normal, so few runs are enough
for a t-test; a test of signs would be of no use: with 10 seeds its p is never below .002, which no
adjustment for a hundred comparisons survives.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.stats import nct
from scipy.stats import t as student_t

__all__ = ["ENOUGH_SEEDS", "SeedTest", "compare_paired_seeds", "compare_seeds"]

Floats = NDArray[np.float64]

ENOUGH_SEEDS = 5
"""With fewer, intervals that resample seeds cover less than 90% where seeds differ much."""

_EQUAL = 1e-9
"""Runs that differ by less are equal: the rest is rounding."""

_POWER = 0.8


@dataclass(frozen=True, slots=True)
class SeedTest:
    """A test of the means of runs.

    Attributes:
        p: two-sided.
        smallest_detectable: the difference that the test at 5% finds in 80% of experiments, in the
            unit of the means; None where the seeds do not differ, as their spread is not known
            then.
    """

    p: float
    smallest_detectable: float | None


def compare_paired_seeds(differences: Floats) -> SeedTest:
    """Test differences [S], one a seed that both sides have, for a mean of 0.

    Where all are equal, p is that of their signs: 2 · 0.5^S.

    Args:
        differences: S at least 2.
    """
    count = len(differences)
    error = math.sqrt(_variance(differences) / count)
    return _t_test(float(differences.mean()), error, count - 1, equal=2 * 0.5**count)


def compare_seeds(ours: Floats, theirs: Floats) -> SeedTest:
    """Test the means of two sides, [S] and [T], whose seeds are not paired, for equality.

    Welch's test, which lets the spread over seeds differ between the sides. A side of one run does
    not show its spread, so it is taken to be that of the other: Student's test. Where the runs of
    each side are equal, p is that of a permutation: twice the chance that seeds fall into sides so.

    Args:
        ours: one number a run.
        theirs: likewise; one of the two has at least 2 runs.

    Source: Welch, Biometrika 34(1-2), 1947.
    """
    counts = np.array([len(ours), len(theirs)])
    variances = np.array([_variance(ours), _variance(theirs)])
    if counts.min() == 1:
        squares, freedom = variances.max() / counts, float(counts.max() - 1)
    else:
        squares = variances / counts
        parts = (squares**2 / (counts - 1)).sum()
        freedom = float(squares.sum() ** 2 / parts) if parts else 1.0
    equal = min(1.0, 2 / math.comb(int(counts.sum()), len(ours)))
    return _t_test(float(ours.mean() - theirs.mean()), math.sqrt(squares.sum()), freedom, equal)


def _variance(side: Floats) -> float:
    """Return the variance over seeds that runs [S] show: 0 for one run, and for equal ones."""
    return 0.0 if np.ptp(side) < _EQUAL else float(side.var(ddof=1))


def _t_test(difference: float, error: float, freedom: float, equal: float) -> SeedTest:
    """Compute Student's p of a difference; where its standard error is 0, it is 1 or ``equal``."""
    if not error:
        return SeedTest(1.0 if abs(difference) < _EQUAL else equal, None)
    p = float(2 * student_t.sf(abs(difference) / error, freedom))
    return SeedTest(p, error * _detectable(freedom))


def _detectable(freedom: float) -> float:
    """Return the mean of t, in standard errors, that is found at 5% with a power of 80%.

    2.80 with many degrees of freedom, 5.65 with two, 16.3 with one.
    """
    quantile = float(student_t.ppf(0.975, freedom))

    def lacks(mean: float) -> float:
        return float(nct.sf(quantile, freedom, mean)) - _POWER

    return float(brentq(lacks, 0, 2 * quantile + 5))
