"""Is the label right? Rates with intervals, and macro-F1 where the set of labels is fixed.

Functions of counts. :mod:`mitools.tasks` decides whether a label is right or valid;
:mod:`mitools.evaluate.score` applies that to records.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitools.evaluate.measures.comparison import smallest_detectable
from mitools.evaluate.measures.metric import Measure, Metric
from mitools.evaluate.measures.statistics import (
    bootstrap,
    clustered_interval,
    spread_interval,
    wilson_interval,
)

__all__ = [
    "ACCURACY",
    "DECODE_AGREEMENT",
    "EXACT_MATCH",
    "INPUT_TRUNCATED",
    "MACRO_F1",
    "NO_GOLD",
    "VALID",
    "accuracy",
    "macro_f1",
    "rate",
]

ACCURACY = Measure(
    "accuracy",
    "fraction",
    higher_is_better=True,
    about="Share of records with a gold label whose label equals it, as the task compares labels. "
    "A record without a label is wrong.",
)

EXACT_MATCH = Measure(
    "exact match",
    "fraction",
    higher_is_better=True,
    about="Share of records with a gold label whose label has the same characters, outer spaces "
    "aside.",
)

VALID = Measure(
    "valid labels",
    "fraction",
    higher_is_better=True,
    about="Share of records whose label is a possible answer of the task.",
)

DECODE_AGREEMENT = Measure(
    "decoding agrees",
    "fraction",
    higher_is_better=True,
    about="Share of records with scored choices where greedy decoding gives the choice that scored "
    "best.",
)

MACRO_F1 = Measure(
    "macro-F1",
    "fraction",
    higher_is_better=True,
    about="Mean F1 over the labels that occur as gold or as an answer, each label with the same "
    "weight.",
)

INPUT_TRUNCATED = Measure(
    "truncated inputs",
    "fraction",
    higher_is_better=False,
    about="Share of records whose input was longer than the student's length limit: its end was "
    "not read.",
)

NO_GOLD = "no record has a gold label"

Confusion = Mapping[tuple[str, str | None], int]
"""Records by gold label and answer; the answer is None where it is not in the set."""


def rate(measure: Measure, hits: int, n: int, *, empty: str) -> Metric:
    """State a share of ``n`` items with Wilson's interval; undefined, because ``empty``, at 0."""
    if not n:
        return measure.undefined(empty)
    return measure.ok(hits / n, n, wilson_interval(hits, n))


def accuracy(correct: int, n: int, groups: Sequence[tuple[int, int]]) -> Metric:
    """State :data:`ACCURACY`, and the smallest detectable difference to another student.

    It assumes a student with the same accuracy and independent errors. Where both are right on
    the same records, smaller differences can be detected. Records of a group count once for it,
    and the interval takes the groups as units. Undefined at 0 records.

    Args:
        correct: records that are right.
        n: records with a gold label.
        groups: of the groups, records that are right and records; others are groups of their own.
    """
    found = rate(ACCURACY, correct, n, empty=NO_GOLD)
    if (share := found.value) is None:
        return found
    units = n - sum(size - 1 for _, size in groups)
    details: dict[str, Any] = {}
    if units < n:
        interval = clustered_interval(correct, n, groups)
        found, details = replace(found, ci95=interval), {"groups": units}
    spread = math.sqrt(2 * share * (1 - share))
    if (least := smallest_detectable(spread, units)) is not None:
        details["smallest_detectable"] = least
    return replace(found, details=details)


def macro_f1(confusion: Confusion, seed: int) -> Metric:
    """Average F1 over the labels of a fixed set.

    Labels that never occur, as gold or as an answer, do not count. An answer outside the set is a
    false negative for its gold label and a false positive for no label. Undefined on empty input.
    The interval is a bootstrap over records.
    """
    cells = sorted(confusion, key=lambda cell: (cell[0], cell[1] is None, cell[1] or ""))
    tally = np.array([confusion[cell] for cell in cells], dtype=np.int64)
    n = int(tally.sum())
    if not n:
        return MACRO_F1.undefined("no record has a gold label")
    names = sorted({name for cell in cells for name in cell if name is not None})
    gold = np.array([[cell[0] == name for name in names] for cell in cells], dtype=np.float64)
    given = np.array([[cell[1] == name for name in names] for cell in cells], dtype=np.float64)

    def statistic(counts: NDArray[np.float64]) -> NDArray[np.float64]:
        return _mean_f1(counts @ (gold * given), counts @ gold, counts @ given)

    value = float(statistic(tally[None, :].astype(np.float64))[0])
    if n < 2:
        return MACRO_F1.ok(value, n)
    draws = bootstrap(np.repeat(np.arange(len(cells)), tally), len(cells), statistic, seed)
    return MACRO_F1.ok(value, n, spread_interval(draws))


def _mean_f1(
    hits: NDArray[np.float64], gold: NDArray[np.float64], given: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Average 2·hits / (gold + given) over the labels that occur: [R, K] to [R]."""
    sizes = gold + given
    occurs = sizes > 0
    f1 = np.divide(2 * hits, sizes, out=np.zeros_like(hits), where=occurs)
    mean: NDArray[np.float64] = f1.sum(axis=1) / occurs.sum(axis=1)
    return mean
