"""Ways of answering: combining what a student's two readings say of the possible answers.

A student that concludes gives p(y | x), in its predict pass, and q(y | x, r), behind a rationale r
of its own. With K rationales the score of an answer y is

    score(y) = λ · ln p(y | x) + (1 − λ) · ln (1/K) Σ_k q(y | x, r_k)

λ = 1 is the way ``predict``, λ = 0 ``conclude``; ``both`` is a logarithmic opinion pool. Pure
functions on numbers: asking a student is the affair of :mod:`mitools.asking.readings`.

Source of the pool: Genest and Zidek, "Combining Probability Distributions", Statistical Science 1
(1986).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitools.asking.answering import EVEN, Way

__all__ = ["Candidates", "WeightFit", "average_draws", "fit_weight", "pool"]

Floats = NDArray[np.float64]

_STEPS = 100
_SAME_LOSS = 1e-12
_FLOOR = math.log(np.finfo(np.float64).tiny)
"""An impossible answer counts as one of the smallest probability a float64 holds, as for
:mod:`mitools.evaluate.measures.temperature`."""


@dataclass(frozen=True, slots=True)
class Candidates:
    """Possible answers of one record, as each reading scores them.

    Attributes:
        labels: N distinct answers.
        predicted: [N] ln p(y | x).
        concluded: [N] ln of the mean over rationales of q(y | x, r).
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
        nll: mean negative log-likelihood of gold among the candidates, in nats, for each way;
            empty where it was not fitted.
    """

    weight: float
    records: int
    nll: Mapping[Way, float]


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
    """Find the λ under which gold is likeliest among the candidates.

    The mean negative log-likelihood is convex in λ, so a grid in steps of 0.01 from 0 to 1 comes
    within 0.005 of the minimum. Of losses that are equal (to 1e-12) the λ nearest to ½ is taken,
    and of two such the larger. The order of the records changes nothing.

    Records whose gold is not among the candidates have no likelihood, and those whose candidates
    are all gold are certain under every λ: neither kind counts.

    Args:
        records: candidates, and for each candidate whether it equals gold.

    Returns:
        λ = ½ and 0 records where none counts.
    """
    usable = sorted(
        (one.predicted, one.concluded, tuple(map(bool, is_gold)))
        for one, is_gold in records
        if any(is_gold) and not all(is_gold)
    )
    if not usable:
        return WeightFit(EVEN, 0, {})
    predicted, concluded = (
        np.maximum(np.concatenate([row[side] for row in usable]), _FLOOR) for side in (0, 1)
    )
    is_gold = np.concatenate([row[2] for row in usable])
    starts = np.cumsum([0, *(len(row[0]) for row in usable[:-1])])

    def nll(weight: float) -> float:
        scores = weight * predicted + (1 - weight) * concluded  # [all candidates]
        return float((_log_sums(scores, starts) - _log_sums(scores, starts, is_gold)).mean())

    grid = [step / _STEPS for step in range(_STEPS + 1)]
    losses = {weight: nll(weight) for weight in grid}
    least = min(losses.values())
    nearly = [weight for weight, loss in losses.items() if loss <= least + _SAME_LOSS]
    best = min(nearly, key=lambda weight: (abs(weight - EVEN), -weight))
    by_way: dict[Way, float] = {"predict": nll(1.0), "conclude": nll(0.0), "both": nll(best)}
    return WeightFit(best, len(usable), by_way)


def _log_sums(
    scores: Floats, starts: NDArray[np.int64], is_counted: NDArray[np.bool_] | None = None
) -> Floats:
    """Add up exp(score) within each record: [n] logarithms; only those counted, where given."""
    if is_counted is not None:
        scores = np.where(is_counted, scores, -np.inf)
    tops = np.maximum.reduceat(scores, starts)
    sizes = np.diff(starts, append=len(scores))
    sums: Floats = np.log(np.add.reduceat(np.exp(scores - np.repeat(tops, sizes)), starts)) + tops
    return sums
