"""Temperature scaling: one divisor of all log-probabilities.

Scored choices are scaled as a softmax, p ∝ exp(s / T). A decoded label has one probability, so it
is scaled against all other texts taken as one other choice. The best answer stays the best one.
Pure functions on arrays; T is fitted on one set of answers and tested on another.

Source: Guo et al., arXiv:1706.04599.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

__all__ = [
    "COLDEST",
    "HOTTEST",
    "AnswerRows",
    "answers_from",
    "fit_temperature",
    "mean_nll",
    "scaled",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

COLDEST = 0.01
HOTTEST = 100.0
"""The range of the search. A minimum at either end means that the records do not determine a
temperature: all answers are right, or the probabilities carry no information on gold."""

_SMALLEST = float(np.finfo(np.float64).tiny)


@dataclass(frozen=True, slots=True)
class AnswerRows:
    """Probabilities of all possible answers, record after record.

    Attributes:
        log_probs: [M] natural logarithms, the rows of all records one after the other.
        starts: [n] where the row of each record begins.
        gold: [n] position in ``log_probs`` of the gold answer.
        given: [n] position of the student's answer.
    """

    log_probs: Floats
    starts: Ints
    gold: Ints
    given: Ints


def answers_from(rows: Iterable[tuple[list[float], int, int]]) -> AnswerRows:
    """Build :class:`AnswerRows` from rows of probabilities, index of gold, index of the answer.

    A probability of 0 counts as the smallest float.
    """
    flat: list[float] = []
    starts: list[int] = []
    gold: list[int] = []
    given: list[int] = []
    for chances, right, answer in rows:
        starts.append(len(flat))
        gold.append(len(flat) + right)
        given.append(len(flat) + answer)
        flat += chances
    logs = np.log(np.maximum(np.array(flat, dtype=np.float64), _SMALLEST))
    indices = (np.array(index, dtype=np.int64) for index in (starts, gold, given))
    return AnswerRows(logs, *indices)


def scaled(answers: AnswerRows, temperature: float) -> Floats:
    """Compute the log-probabilities [M] at a temperature; each row is normalized again."""
    return _normalized(answers.log_probs / temperature, answers.starts)


def _normalized(scores: Floats, starts: Ints) -> Floats:
    sizes = np.diff(starts, append=len(scores))
    lifted = scores - np.repeat(np.maximum.reduceat(scores, starts), sizes)
    totals = np.add.reduceat(np.exp(lifted), starts)
    logs: Floats = lifted - np.repeat(np.log(totals), sizes)
    return logs


def mean_nll(answers: AnswerRows, temperature: float) -> float:
    """Compute the mean -log of gold's probability: nats, lower is better; 0 on empty input."""
    if not len(answers.starts):
        return 0.0
    return float(-scaled(answers, temperature)[answers.gold].mean())


def fit_temperature(answers: AnswerRows) -> float | None:
    """Find the temperature with the least :func:`mean_nll`.

    The loss is convex in 1 / T, so it has one minimum along log T as well.

    Returns:
        None where there are no answers, or where the minimum is at an end of the range.
    """
    if not len(answers.starts):
        return None
    minimum = minimize_scalar(
        lambda log_temperature: mean_nll(answers, math.exp(log_temperature)),
        bounds=(math.log(COLDEST), math.log(HOTTEST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    least_at_the_ends = min(mean_nll(answers, end) for end in (COLDEST, HOTTEST))
    return None if least_at_the_ends <= minimum.fun + 1e-9 else math.exp(float(minimum.x))
