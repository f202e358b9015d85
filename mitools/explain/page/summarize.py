"""A summary computed from views: the figures of a page without those of ``mitools eval --summary``.

It has the form of a summary of ``eval``: blocks of metrics, each ``{value, ci95, n, status, reason,
…}``. Blocks of a given summary replace those computed here.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitools.evaluate.measures.calibration import (
    MEASURES,
    calibrate,
    confidence_nll,
    expected_calibration_error,
    mass_bins,
    null_bands,
    width_bins,
)
from mitools.evaluate.measures.consistency import Consistency
from mitools.evaluate.measures.labels import ACCURACY, MACRO_F1, macro_f1, rate
from mitools.evaluate.measures.metric import Metric
from mitools.evaluate.measures.ranking import COVERAGES, rank_statistics
from mitools.evaluate.simulators.tally import UNTRAINED
from mitools.explain.cards import TEACHER
from mitools.explain.summary_file import metric_at
from mitools.explain.view import Side, View
from mitools.tasks import task_named

__all__ = [
    "MAX_RESAMPLED",
    "ViewSummarizer",
    "doubts",
    "label_pair",
]

MAX_RESAMPLED = 2_000
"""Most records with resampled intervals; for 10,000 they would take 15 seconds, and ``eval``
computes them anyway."""

NO_INTERVAL = 'too many records to resample here; "mitools eval --summary" has the interval'

_RANKS = ("auroc", "aurc", "excess_aurc", *(f"accuracy_at_{share}" for share in COVERAGES))

NO_GOLD = "no record has both a gold label and a student's answer"


@dataclass
class ViewSummarizer:
    """Counts the views of one student; :meth:`summary` returns the figures.

    Attributes:
        who: whose answers these are.
        labelled: records with a gold label and an answer; ``right`` of them agree.
        models: answers by the name of the student.
        confusion: records of the task ``labels`` by gold and answer, both normalized; the answer is
            None if it is not one of the labels.
    """

    who: str
    labelled: int = 0
    right: int = 0
    models: Counter[str] = field(default_factory=Counter)
    confusion: Counter[tuple[str, str | None]] = field(default_factory=Counter)
    _answers: int = 0
    _tasks: set[str] = field(default_factory=set)
    _confidence: array[float] = field(default_factory=lambda: array("d"))
    _is_correct: array[int] = field(default_factory=lambda: array("b"))
    _consistency: Consistency = field(default_factory=Consistency)
    _untrained: int = 0
    _taught: int = 0
    _teacher_right: int = 0

    def add(self, view: View, side: Side | None, answer: Mapping[str, Any]) -> None:
        """Add one record.

        Args:
            view: its view.
            side: the student's answer in the view; None without one.
            answer: the student's answer in the record.
        """
        if view.teacher is not None and view.teacher.is_right is not None:
            self._taught += 1
            self._teacher_right += view.teacher.is_right
        if side is None:
            return
        self._answers += 1
        self._tasks.add(view.task)
        if model := answer.get("model"):
            self.models[model] += 1
        if side.supports is not None:
            self._consistency.add(side.supports, is_correct=side.is_right)
        elif answer.get("trained"):
            self._untrained += 1
        if side.is_right is None:
            return
        self.labelled += 1
        self.right += side.is_right
        if side.confidence is not None:
            self._confidence.append(side.confidence)
            self._is_correct.append(side.is_right)
        if (pair := label_pair(view, side)) is not None:
            self.confusion[pair] += 1

    @property
    def has_answers(self) -> bool:
        """Whether any record has an answer of the student."""
        return self._answers > 0

    def arrays(self) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """Return confidence [n] and correctness [n] of the records that have both."""
        return np.array(self._confidence), np.array(self._is_correct, dtype=bool)

    @property
    def name(self) -> str:
        """The name of the student in its answers; ``who`` if they have none."""
        if not self.models:
            return self.who
        others = " and others" if len(self.models) > 1 else ""
        return f"{self.models.most_common(1)[0][0]}{others}"

    def summary(self, seed: int, given: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Return the figures, in the form that ``eval`` writes.

        Args:
            seed: of the resampling.
            given: blocks to use instead of computed ones.
        """
        known = given or {}
        teacher = rate(
            TEACHER,
            self._teacher_right,
            self._taught,
            empty="no teacher label to compare with gold",
        )
        blocks: dict[str, Mapping[str, Metric]] = {"teacher": {"agrees": teacher}}
        if self.has_answers:
            accuracy = rate(ACCURACY, self.right, self.labelled, empty=NO_GOLD)
            blocks["label"] = {"accuracy": accuracy, "macro_f1": self._macro_f1(seed)}
            blocks["calibration"] = {} if "calibration" in known else self._calibration(seed)
            blocks["consistency"] = self._explained()
        plain = {
            block: {name: metric.as_json() for name, metric in metrics.items()}
            for block, metrics in blocks.items()
        }
        return {**plain, **known}

    def _explained(self) -> dict[str, Metric]:
        found = self._consistency.metrics()
        if self._untrained < self._answers:
            return found
        return {name: one.measure.not_applicable(UNTRAINED) for name, one in found.items()}

    def _macro_f1(self, seed: int) -> Metric:
        if self._tasks != {"labels"}:
            return MACRO_F1.not_applicable("the answers are not one fixed set of labels")
        return macro_f1(self.confusion, seed)

    def _calibration(self, seed: int) -> dict[str, Metric]:
        confidence, is_correct = self.arrays()
        if len(confidence) <= MAX_RESAMPLED:
            return calibrate(confidence, is_correct, seed)
        return _without_intervals(confidence, is_correct, seed)


def _without_intervals(
    confidence: NDArray[np.float64], is_correct: NDArray[np.bool_], seed: int
) -> dict[str, Metric]:
    """Return the metrics of ``measures.calibration.calibrate``, without resampled intervals."""
    n = len(confidence)
    groups, inverse = np.unique(confidence, return_inverse=True)
    right = np.bincount(inverse, is_correct, len(groups)).astype(np.float64)
    wrong = np.bincount(inverse, ~is_correct, len(groups)).astype(np.float64)
    bins = {"ece_width": width_bins(confidence), "ece_mass": mass_bins(confidence)}
    errors = {
        name: expected_calibration_error(confidence, is_correct, found)
        for name, found in bins.items()
    }
    nulls = null_bands(confidence, bins, errors, seed)
    ranks = rank_statistics(right[None, :], wrong[None, :])[0]
    values = {
        "mean_confidence": float(confidence.mean()),
        "brier": float(((confidence - is_correct) ** 2).mean()),
        "nll": float(confidence_nll(confidence, is_correct).mean()),
        **dict(zip(_RANKS, map(float, ranks), strict=True)),
    }
    plain = {
        name: MEASURES[name].undefined("all answers are right, or all are wrong", n)
        if np.isnan(value)
        else MEASURES[name].ok(value, n, no_interval=NO_INTERVAL)
        for name, value in values.items()
    }
    banded = {
        name: MEASURES[name].ok(errors[name], n, **nulls[name].as_details()) for name in errors
    }
    return {name: metric for name, metric in {**plain, **banded}.items() if name in MEASURES}


def doubts(summary: Mapping[str, Any], own: ViewSummarizer, count: int) -> Iterator[str]:
    """Yield warnings if a summary is not of the records that the page shows.

    Args:
        summary: that ``eval`` wrote.
        own: the counts of the page's records.
        count: number of the page's records.
    """
    records = summary.get("records")
    if isinstance(records, int) and records != count:
        yield f"the figures are of {records:,} records; this page has {count:,}"
        return
    metric = metric_at(summary, "label.accuracy")
    if metric is None or metric["value"] is None or not own.labelled:
        return
    if abs(metric["value"] - own.right / own.labelled) > 1e-5:
        yield "the figures are not of these records: their accuracy differs"


def label_pair(view: View, side: Side) -> tuple[str, str | None] | None:
    """Return gold and the answer, both normalized, for a confusion matrix.

    The answer is None if it is not one of the labels. None if the labels are not a fixed set, or
    gold is unknown.
    """
    if view.task != "labels" or view.gold is None or view.gold.label is None:
        return None
    task = task_named(view.task, view.choices)
    is_valid = task.is_valid(side.label, view.choices or None)
    given = task.form(side.label) if side.label is not None and is_valid else None
    return task.form(view.gold.label), given
