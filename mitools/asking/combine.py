"""Ways of answering: combining what a student's two readings say of the possible answers.

A student gives p(y | x), in its predict pass, and q(y | x, r), by a rationale r of its own: behind
it, where it concludes, else as the probability that the rationale names y where it names an answer.
With K rationales the score of an answer y is

    score(y) = λ · ln p(y | x) + (1 − λ) · ln (1/K) Σ_k q(y | x, r_k)

λ = 1 is the way ``predict``, λ = 0 ``conclude``; ``both`` is a logarithmic opinion pool. Pure
functions on numbers: asking a student is the affair of :mod:`mitools.asking.reader`.

Source of the pool: Genest and Zidek, "Combining Probability Distributions", Statistical Science 1
(1986).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitools.asking.answering import EVEN

__all__ = ["Candidates", "WeightFit", "average_draws", "fit_weight", "pool"]

Floats = NDArray[np.float64]

_STEPS = 100
_HALVINGS = 24
_WITHIN = 1.92
"""Half of the 95% quantile of χ² with one degree of freedom: nats of all records together."""
_FLOOR = math.log(np.finfo(np.float64).tiny)
"""An impossible answer counts as one of the smallest probability a float64 holds, as for
:mod:`mitools.evaluate.measures.temperature`."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Possible answers of one record, as each reading scores them.

    Attributes:
        labels: N distinct answers.
        predicted: [N] ln p(y | x).
        concluded: [N] ln of the mean over rationales of q(y | x, r), behind them or at what they
            name.
    """

    labels: tuple[str, ...]
    predicted: tuple[float, ...]
    concluded: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class WeightFit:
    """λ, and what it was fitted on.

    Attributes:
        weight: λ, from 0 to 1.
        records: records that it was fitted on; 0 where it was not fitted.
        adds: whether the second reading adds to the predict pass: λ = 1 is ruled out by them.
    """

    weight: float
    records: int
    adds: bool = False


def average_draws(rows: Sequence[Sequence[float]]) -> tuple[float, ...]:
    """Average K rows of log-probabilities [N] as probabilities: ln (1/K) Σ_k exp(row_k).

    Raises:
        ValueError: there is no row, or rows differ in length.
    """
    if not rows:
        raise ValueError("no draws to average")
    return tuple(_log_mean_exp(column) for column in zip(*rows, strict=True))


def _log_mean_exp(values: Sequence[float]) -> float:
    top = max(values)
    if len(values) == 1 or top == -math.inf:
        return top
    return top + math.log(math.fsum(math.exp(value - top) for value in values) / len(values))


def pool(candidates: Candidates, weight: float) -> tuple[float, ...]:
    """Score each candidate by both readings: [N], in nats.

    The scores are not normalized. Since Σ_y p^λ q^(1-λ) ≤ 1 (Hölder), exp(score) never exceeds the
    probability of y in the normalized pool over all texts.
    """
    return tuple(
        (weight * p if weight else 0.0) + ((1 - weight) * q if weight < 1 else 0.0)
        for p, q in zip(candidates.predicted, candidates.concluded, strict=True)
    )


def fit_weight(records: Sequence[tuple[Candidates, Sequence[bool]]]) -> WeightFit:
    """Find the λ nearest to ½ that the records do not rule out.

    For each λ from 0 to 1 in steps of 0.01, the scores are divided by the temperature T, from 1
    on, that makes gold likeliest among the candidates. T is for the comparison alone. Without it,
    a reading that tells right from wrong but is too sure would get too little weight: one
    confident error costs more than many right answers gain. Where the readings are not too sure,
    T is 1.

    Of the λ in the 95% likelihood interval (log-likelihood within χ²₁(0.95) / 2 = 1.92 of the
    best) the one nearest to ½ is taken, and of two such the larger: few records tell little about
    λ, and the best of theirs would be chance. The order of the records changes nothing.

    Records whose gold is not among the candidates have no likelihood, and those whose candidates
    are all gold are certain under every λ. Where both readings are the same, as where a rationale
    names nothing, every λ gives the same scores. None of these counts.

    Args:
        records: candidates, and for each candidate whether it equals gold.

    Returns:
        λ = ½ and 0 records where none counts.
    """
    usable = sorted(
        (one.predicted, one.concluded, tuple(map(bool, is_gold)))
        for one, is_gold in records
        if any(is_gold) and not all(is_gold) and one.predicted != one.concluded
    )
    if not usable:
        return WeightFit(EVEN, 0)
    predicted, concluded = (
        np.maximum(np.concatenate([row[side] for row in usable]), _FLOOR) for side in (0, 1)
    )
    is_gold = np.concatenate([row[2] for row in usable])
    starts = np.cumsum([0, *(len(row[0]) for row in usable[:-1])])
    losses = {
        weight: _least_loss(weight * predicted + (1 - weight) * concluded, starts, is_gold)
        for weight in (step / _STEPS for step in range(_STEPS + 1))
    }
    most = min(losses.values()) + _WITHIN / len(usable)
    likely = [weight for weight, loss in losses.items() if loss <= most]
    best = min(likely, key=lambda weight: (abs(weight - EVEN), -weight))
    return WeightFit(best, len(usable), adds=1.0 not in likely)


def _least_loss(scores: Floats, starts: NDArray[np.int64], is_gold: NDArray[np.bool_]) -> float:
    """Find the mean -ln of gold's share at its best temperature, from 1 on: nats.

    The loss is convex in 1 / T, so its slope has one change of sign between 0, where every
    candidate is as likely, and 1: found by bisection.
    """
    sizes = np.diff(starts, append=len(scores))

    def share(sharpness: float, counted: NDArray[np.bool_] | None) -> tuple[Floats, Floats]:
        """Return ln Σ exp(score) and the mean score of each record: [n] and [n]."""
        scaled = sharpness * scores
        if counted is not None:
            scaled = np.where(counted, scaled, -np.inf)
        sums = _log_sums(scaled, starts)
        weights = np.exp(scaled - np.repeat(sums, sizes))
        return sums, np.add.reduceat(weights * scores, starts)

    def loss_and_slope(sharpness: float) -> tuple[float, float]:
        (every, mean), (gold, mean_gold) = share(sharpness, None), share(sharpness, is_gold)
        return float((every - gold).mean()), float((mean - mean_gold).mean())

    low, high = 0.0, 1.0
    if (end := loss_and_slope(high))[1] <= 0:
        return end[0]
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        if loss_and_slope(middle)[1] > 0:
            high = middle
        else:
            low = middle
    return loss_and_slope(low)[0]


def _log_sums(scores: Floats, starts: NDArray[np.int64]) -> Floats:
    """Add up exp(score) within each record: [n] logarithms."""
    tops = np.maximum.reduceat(scores, starts)
    sizes = np.diff(starts, append=len(scores))
    sums: Floats = np.log(np.add.reduceat(np.exp(scores - np.repeat(tops, sizes)), starts)) + tops
    return sums
