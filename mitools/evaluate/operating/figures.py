"""Figures of the evaluated records at an operating point.

They are folded from ``scores.sure`` of the records, so judged records give them again without the
threshold.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mitools.evaluate.measures.labels import rate
from mitools.evaluate.measures.metric import Measure, Metric
from mitools.evaluate.measures.ranking import area_under_risk
from mitools.evaluate.measures.statistics import Z95, wilson_interval
from mitools.evaluate.operating.calibrate import reference_label
from mitools.gold import teacher_answer
from mitools.operating.point import OperatingPoint
from mitools.records import Record
from mitools.tasks import Task

__all__ = ["MEASURES", "OperatingFigures"]

_NO_POINT = "the records hold what is sure, but not the threshold"

MEASURES: Mapping[str, Measure] = {
    "threshold": Measure(
        "confidence threshold",
        "probability",
        higher_is_better=None,
        about="Least confidence of an answer that the student may give by itself, chosen so that "
        "the accuracy at or above it is at least the target with probability 1 - risk. It rests on "
        "new records that are exchangeable with those that chose it. Of records of one group or "
        "with the same input, one chose it, and the accuracy holds for one of each: over all "
        "records it may differ where large groups are harder or easier than small ones.",
    ),
    "coverage": Measure(
        "answered by the student",
        "fraction",
        higher_is_better=True,
        about="Share of records whose answer is at or above the threshold.",
    ),
    "accuracy": Measure(
        "accuracy of answered records",
        "fraction",
        higher_is_better=True,
        about="Accuracy of the answers at or above the threshold.",
    ),
    "accuracy_below": Measure(
        "accuracy below the threshold",
        "fraction",
        higher_is_better=True,
        about="Accuracy of the student's answers below the threshold, which are left to the "
        "teacher.",
    ),
    "with_teacher": Measure(
        "accuracy, the rest by the teacher",
        "fraction",
        higher_is_better=True,
        about="Accuracy over the records with gold where the student answers at or above the "
        "threshold and the teacher below it. A teacher that was asked and gave no label is wrong. "
        "Where it was asked about part of the records below, its accuracy on these stands for all "
        "of them.",
    ),
    "agreement": Measure(
        "agreement of answered records",
        "fraction",
        higher_is_better=True,
        about="Share of answers at or above the threshold that equal the teacher's label. The "
        "teacher may be wrong: this is not an accuracy.",
    ),
    "aurc": Measure(
        "AURC of the chosen confidence",
        "fraction",
        higher_is_better=False,
        about="Area under the risk-coverage curve of the confidence that the threshold is for.",
    ),
    "chosen_coverage": Measure(
        "answered, calibration records",
        "fraction",
        higher_is_better=True,
        about="Share of the records that chose the threshold at or above it.",
    ),
    "chosen_accuracy": Measure(
        "accuracy, calibration records",
        "fraction",
        higher_is_better=True,
        about="Accuracy at or above the threshold on the records that chose it; optimistic, as "
        "they chose it.",
    ),
    "chosen_agreement": Measure(
        "agreement, calibration records",
        "fraction",
        higher_is_better=True,
        about="Agreement with the teacher at or above a threshold that was chosen without gold, on "
        "the records that chose it.",
    ),
}

NOT_ASKED = 'no operating point was asked for ("--target-accuracy")'
NONE_REACHED = "no threshold reaches the target, so no answer is sure"


def _was_asked(record: Record) -> bool:
    """Return whether the teacher was asked, also where it gave no label."""
    answer = teacher_answer(record)
    return "label" in answer or answer.get("error") is not None


@dataclass
class _Counts:
    """Answers, and how many of them equal their reference."""

    n: int = 0
    right: int = 0

    def add(self, is_right: bool) -> None:
        self.n += 1
        self.right += is_right

    @property
    def share(self) -> float:
        """The share that is right; 0 where there are no answers."""
        return self.right / self.n if self.n else 0.0

    def margins(self) -> tuple[float, float]:
        """Compute how far Wilson's interval reaches below and above the share."""
        low, high = wilson_interval(self.right, self.n) or (0.0, 0.0)
        return self.share - low, high - self.share

    def metric(self, name: str, empty: str) -> Metric:
        return rate(MEASURES[name], self.right, self.n, empty=empty)


@dataclass
class OperatingFigures:
    """Fold records with ``scores.sure``; others are passed over.

    Attributes:
        point: the operating point; None where only the records tell what is sure.
    """

    point: OperatingPoint | None = None
    _n: int = 0
    _sure: int = 0
    _above: _Counts = field(default_factory=_Counts)
    _below: _Counts = field(default_factory=_Counts)
    _taught: _Counts = field(default_factory=_Counts)
    _agreed: _Counts = field(default_factory=_Counts)
    _confidence: array[float] = field(default_factory=lambda: array("d"))
    _is_right: array[int] = field(default_factory=lambda: array("b"))

    def add(self, record: Record, task: Task) -> None:
        scores, label = record["scores"], record["student"].get("label")
        is_sure, is_correct = scores.get("sure"), scores["correct"]
        if is_sure is None:
            return
        self._n += 1
        self._sure += is_sure
        taught = reference_label(record, task, "teacher")
        if is_correct is not None:
            (self._above if is_sure else self._below).add(is_correct)
            if not is_sure and _was_asked(record):
                self._taught.add(task.is_equal(taught, record.get("label")))
            self._rank(record, task, is_correct)
        if is_sure and taught is not None:
            self._agreed.add(task.is_equal(label, taught))

    def _rank(self, record: Record, task: Task, is_correct: bool) -> None:
        """Keep the confidence for the ranking; one without a usable answer ranks last."""
        if self.point is not None:
            stated = self.point.confidence_in(record, task.name)
            self._confidence.append(-1.0 if stated is None else stated)
            self._is_right.append(is_correct)

    def metrics(self) -> dict[str, Metric]:
        """Compute :data:`MEASURES`; skipped where no record says whether its answer is sure."""
        if not self._n:
            return {name: measure.skipped(NOT_ASKED) for name, measure in MEASURES.items()}
        point = self.point
        none = NONE_REACHED if point and point.threshold is None else "no answer is sure"
        no_gold = none if not self._sure else "no sure answer has a gold label"
        no_teacher = none if not self._sure else "no sure answer has a teacher label beside it"
        found = {
            "coverage": rate(MEASURES["coverage"], self._sure, self._n, empty=""),
            "accuracy": self._above.metric("accuracy", no_gold),
            "accuracy_below": self._below.metric(
                "accuracy_below", "no answer below the threshold has a gold label"
            ),
            "with_teacher": self._with_teacher(),
            "agreement": self._agreed.metric("agreement", no_teacher),
            "aurc": self._aurc(),
            **self._chosen(),
        }
        return {name: found[name] for name in MEASURES}

    def _with_teacher(self) -> Metric:
        """Join the student's answers above the threshold and the teacher's below it.

        Where the teacher answered part of the records below, both accuracies are weighted with the
        shares of all records, and their intervals are joined with the error of the shares.

        Source of the interval: Zou and Donner, Statistics in Medicine 27(10), 2008.
        """
        measure, sure, taught = MEASURES["with_teacher"], self._above, self._taught
        left = self._below.n
        if left and not taught.n:
            return measure.undefined("no record below the threshold has an answer of the teacher")
        counts = {"below": left, "asked": taught.n}
        if taught.n == left:
            right, n = sure.right + taught.right, sure.n + left
            found = rate(measure, right, n, empty="no record has a gold label")
            return replace(found, details=counts) if n else found
        n = sure.n + left
        covered = sure.n / n
        value = covered * sure.share + (1 - covered) * taught.share
        of_shares = Z95 * (sure.share - taught.share) * math.sqrt(covered * (1 - covered) / n)
        below, above = (
            math.hypot(covered * own, (1 - covered) * other, of_shares)
            for own, other in zip(sure.margins(), taught.margins(), strict=True)
        )
        interval = max(0.0, value - below), min(1.0, value + above)
        return measure.ok(value, sure.n + taught.n, interval, **counts)

    def _aurc(self) -> Metric:
        measure = MEASURES["aurc"]
        if self.point is None:
            return measure.not_applicable(_NO_POINT)
        if not self._confidence:
            return measure.undefined("no record has both a gold label and the confidence")
        values, place = np.unique(np.array(self._confidence), return_inverse=True)
        is_right = np.array(self._is_right, dtype=bool)
        right, wrong = (
            np.bincount(place[kept], minlength=len(values)).astype(np.float64)
            for kept in (is_right, ~is_right)
        )
        return measure.ok(float(area_under_risk(right, wrong)), len(is_right))

    def _chosen(self) -> dict[str, Metric]:
        """State the threshold, and its figures on the records that chose it."""
        names = ("threshold", "chosen_coverage", "chosen_accuracy", "chosen_agreement")
        point = self.point
        if point is None:
            return {name: MEASURES[name].not_applicable(_NO_POINT) for name in names}
        details: dict[str, Any] = {
            "target": point.target,
            "risk": point.risk,
            "confidence": point.confidence,
            "reference": point.reference,
            "calibrated_on": point.calibrated_on,
        }
        threshold = MEASURES["threshold"]
        reason = "it was chosen on gold labels"
        other = "it was chosen on the teacher's labels, without gold"
        own = rate(
            MEASURES["chosen_accuracy" if point.reference == "gold" else "chosen_agreement"],
            point.right,
            point.answered,
            empty=NONE_REACHED,
        )
        return {
            "threshold": Metric(threshold, "undefined", n=point.records, reason=NONE_REACHED)
            if point.threshold is None
            else threshold.ok(point.threshold, point.records, **details),
            "chosen_coverage": rate(
                MEASURES["chosen_coverage"], point.answered, point.records, empty=NONE_REACHED
            ),
            "chosen_accuracy": own
            if point.reference == "gold"
            else MEASURES["chosen_accuracy"].not_applicable(other),
            "chosen_agreement": own
            if point.reference == "teacher"
            else MEASURES["chosen_agreement"].not_applicable(reason),
        }
