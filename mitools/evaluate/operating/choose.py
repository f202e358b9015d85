"""Choose a threshold of confidence with a bounded risk that the accuracy above it is too low.

Pure functions on arrays. The method is Learn then Test: each threshold t has the null hypothesis
"the accuracy of answers with a confidence of t or more is below the target". Its p-value is the
exact binomial one, P(Bin(m, target) ≥ k) for k right answers of m; p ≤ α says the same as a lower
Clopper-Pearson bound at level α of at least the target. The hypotheses are tested in sequence,
from the most confident answers down, and a test passes its level on to the next one only if it
rejects. Any rejected threshold may be used; the lowest one is.

A sequence with one start would end at the first tests, where few answers stand above the
threshold and one wrong answer is too many. So the sequence starts more than once, after m₀, 2·m₀,
4·m₀ … answers, with half of the risk at the first start, a quarter at the second, and so on
(the fallback procedure). The sum of the levels is the risk, so the probability that any true
hypothesis is rejected stays below it.

What it rests on:

- The calibration records and later ones are exchangeable, for example drawn at random from one
  set. The confidence was not fitted on these records, and no label of theirs chose anything.
  Records of a group are not exchangeable with others: the caller gives one of each.
- The thresholds are the confidences of the calibration records, which are free of labels. Given
  them, the number of right answers above a threshold is a sum of independent trials with unequal
  chances. Its upper tail is at most that of the binomial with the mean chance (Hoeffding 1956), so
  the bound holds for the mean accuracy over the confidences above the threshold.

Sources: Angelopoulos, Bates, Candès, Jordan and Lei, "Learn then Test", arXiv:2110.01052; Wiens and
Dmitrienko, "The fallback procedure for evaluating a single family of hypotheses", Journal of
Biopharmaceutical Statistics 15 (2005); Hoeffding, "On the distribution of the number of successes
in independent trials", Annals of Mathematical Statistics 27 (1956).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import binom

__all__ = ["Choice", "choose_threshold", "fewest_records", "start_levels"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Choice:
    """The outcome of the tests.

    Attributes:
        threshold: the lowest threshold whose hypothesis was rejected; None if there is none.
        answered: calibration records at or above it.
        right: right answers among them.
        best: the largest share of right answers among the tested thresholds, with its numbers of
            right answers and of answers; None if there was nothing to test.
    """

    threshold: float | None
    answered: int = 0
    right: int = 0
    best: tuple[int, int] | None = None


def fewest_records(target: float, risk: float) -> int:
    """Return the fewest answers that can prove the target, if all of them are right.

    It is the least m with target^m ≤ risk.
    """
    return max(1, math.ceil(math.log(risk) / math.log(target) - 1e-12))


def start_levels(sizes: Ints, target: float, risk: float) -> Floats:
    """Distribute the risk over the tests of a sequence.

    Args:
        sizes: [T] answers at or above each threshold, ascending.
        target: see :func:`choose_threshold`.
        risk: see :func:`choose_threshold`.

    Returns:
        [T] the level that each test has by itself; their sum is the risk, or 0 where no test can
        reject.
    """
    levels = np.zeros(len(sizes))
    n = int(sizes[-1]) if len(sizes) else 0
    first = fewest_records(target, risk / 2)
    starts = [first << power for power in range(n.bit_length()) if first << power <= n]
    if len(starts) < 2:  # too few records to start twice
        starts = [fewest_records(target, risk)]
    share = 0.5
    for start in starts:
        place = int(np.searchsorted(sizes, start))
        if place < len(sizes):
            levels[place] += share
            share /= 2
    total = levels.sum()
    return risk * levels / total if total else levels


def choose_threshold(confidence: Floats, is_right: Bools, target: float, risk: float) -> Choice:
    """Choose the lowest threshold above which the accuracy is shown to reach the target.

    Args:
        confidence: [n] of the calibration records; NaN for an answer that is never used.
        is_right: [n] whether each answer equals its reference.
        target: the accuracy to show, between 0 and 1.
        risk: bound on the probability of a threshold with an accuracy below the target, between 0
            and 1.

    Returns:
        A choice without a threshold on empty input, and where no hypothesis is rejected.
    """
    is_usable = ~np.isnan(confidence)
    values, inverse = np.unique(confidence[is_usable], return_inverse=True)
    if not len(values):
        return Choice(None)
    hits = np.bincount(inverse, weights=is_right[is_usable], minlength=len(values))
    counts = np.bincount(inverse, minlength=len(values))
    sizes = np.cumsum(counts[::-1])  # [T] most confident first, ties together
    right = np.cumsum(hits[::-1]).astype(np.int64)
    own = start_levels(sizes, target, risk)
    p_values = binom.sf(right - 1, sizes, target)
    level, last = 0.0, None
    for place, (p_value, start) in enumerate(zip(p_values, own, strict=True)):
        level += start
        if level and p_value <= level:
            last = place
        else:
            level = 0.0
    tested = np.flatnonzero(sizes >= fewest_records(target, risk))
    best = None
    if len(tested):
        top = max(tested, key=lambda place: (right[place] / sizes[place], sizes[place]))
        best = (int(right[top]), int(sizes[top]))
    if last is None:
        return Choice(None, best=best)
    return Choice(float(values[::-1][last]), int(sizes[last]), int(right[last]), best)
