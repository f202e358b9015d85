"""Fold the student beside its teacher into figures: agreement, calibration against it, suspects.

Agreement needs no gold label. It is not an accuracy: a student that repeats every mistake of its
teacher agrees with it everywhere.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from mitools.evaluate.measures.calibration import MEASURES as CALIBRATION
from mitools.evaluate.measures.calibration import calibrate
from mitools.evaluate.measures.labels import rate
from mitools.evaluate.measures.metric import Measure, Metric
from mitools.evaluate.operating.calibrate import reference_label
from mitools.records import Record
from mitools.tasks import Task

__all__ = ["MEASURES", "SURE", "BesideTeacher", "is_suspect"]

SURE = 0.9
"""The least confidence of a sure answer where a record holds no ``scores.sure``."""

_AGAINST: Mapping[str, tuple[str, str]] = {
    "ece_width": ("ECE of agreement, equal width", "Expected calibration error"),
    "ece_mass": ("ECE of agreement, equal mass", "Expected calibration error"),
    "brier": ("Brier score of agreement", "Brier score"),
    "auroc": ("AUROC of agreement", "AUROC"),
    "aurc": ("AURC of agreement", "Area under the risk-coverage curve"),
}

MEASURES: Mapping[str, Measure] = {
    "agreement": Measure(
        "agreement with the teacher",
        "fraction",
        higher_is_better=True,
        about="Share of records with a teacher label whose student label equals it. The teacher "
        "may be wrong: this is not an accuracy.",
    ),
    "accuracy": Measure(
        "accuracy of the teacher",
        "fraction",
        higher_is_better=True,
        about="Accuracy of the teacher on the records that have a gold label and a teacher label.",
    ),
    "student_accuracy": Measure(
        "accuracy of the student beside it",
        "fraction",
        higher_is_better=True,
        about="Accuracy of the student on the same records.",
    ),
    "confidence": Measure(
        "mean confidence of the teacher",
        "fraction",
        higher_is_better=None,
        about="Mean of teacher.confidence, over the records that have it and a gold label.",
    ),
    "ece": Measure(
        "ECE of the teacher, equal width",
        "fraction",
        higher_is_better=False,
        about="Expected calibration error of teacher.confidence: whether the teacher's label "
        "equals gold as often as it says. Soft labels are only as good as these probabilities.",
    ),
    "suspects": Measure(
        "suspects",
        "fraction",
        higher_is_better=None,
        about="Share of records on which the student is sure, and its label, the teacher's and "
        "gold, as far as they are known, are not all equal. A person should check them.",
    ),
    **{
        name: replace(
            CALIBRATION[name],
            title=title,
            about=f"{what} of the confidence, where an answer counts as right if it equals the "
            "teacher's label. It is about agreement, not about accuracy.",
        )
        for name, (title, what) in _AGAINST.items()
    },
}

_NO_TEACHER = "no record has a teacher label"


def is_suspect(record: Record, task: Task) -> bool:
    """Return whether a person should check a record.

    The student is sure, by ``scores.sure`` or else by a confidence of :data:`SURE`, and its label,
    the teacher's and gold are not all equal; labels that are missing or cannot be read do not
    count.
    """
    label = record["student"].get("label")
    is_sure = (record.get("scores") or {}).get("sure")
    if is_sure is None:
        is_sure = (record["student"].get("confidence") or 0.0) >= SURE
    others = (reference_label(record, task, name) for name in ("gold", "teacher"))
    known = [one for one in (label, *others) if one is not None]
    return bool(is_sure) and any(not task.is_equal(known[0], one) for one in known[1:])


@dataclass
class BesideTeacher:
    """Fold records that hold ``student`` and ``scores``."""

    _n: int = 0
    _taught: int = 0
    _agreed: int = 0
    _both: int = 0
    _teacher_right: int = 0
    _student_right: int = 0
    _compared: int = 0
    _suspects: int = 0
    _confidence: array[float] = field(default_factory=lambda: array("d"))
    _agrees: array[int] = field(default_factory=lambda: array("b"))
    _stated: array[float] = field(default_factory=lambda: array("d"))  # by the teacher itself
    _stated_right: array[int] = field(default_factory=lambda: array("b"))

    def add(self, record: Record, task: Task) -> None:
        student, is_correct = record["student"], record["scores"]["correct"]
        taught = reference_label(record, task, "teacher")
        self._n += 1
        if taught is not None or is_correct is not None:
            self._compared += 1
            self._suspects += is_suspect(record, task)
        if taught is None:
            return
        agrees = task.is_equal(student.get("label"), taught)
        self._taught += 1
        self._agreed += agrees
        if is_correct is not None:
            self._both += 1
            is_right = task.is_equal(taught, record.get("label"))
            self._teacher_right += is_right
            if record["teacher"].get("confidence") is not None:
                self._stated.append(record["teacher"]["confidence"])
                self._stated_right.append(is_right)
            self._student_right += is_correct
        if student.get("confidence") is not None:
            self._confidence.append(student["confidence"])
            self._agrees.append(agrees)

    def metrics(self, seed: int) -> dict[str, Metric]:
        """Compute :data:`MEASURES`; undefined without a teacher's labels."""
        no_gold = "no record has both a gold label and a teacher label"
        found = {
            "agreement": rate(MEASURES["agreement"], self._agreed, self._taught, empty=_NO_TEACHER),
            "accuracy": rate(MEASURES["accuracy"], self._teacher_right, self._both, empty=no_gold),
            "student_accuracy": rate(
                MEASURES["student_accuracy"], self._student_right, self._both, empty=no_gold
            ),
            "suspects": rate(
                MEASURES["suspects"],
                self._suspects,
                self._compared,
                empty="no record has a teacher label or a gold label",
            ),
        }
        confidence = np.array(self._confidence, dtype=np.float64)
        against = calibrate(confidence, np.array(self._agrees, dtype=bool), seed)
        for name in _AGAINST:
            metric = replace(against[name], measure=MEASURES[name])
            if metric.status == "undefined":
                empty = "no record has both a teacher label and a confidence"
                alike = "the student agrees with the teacher everywhere, or nowhere"
                metric = replace(metric, reason=alike if len(confidence) else empty)
            found[name] = metric
        return found | self._own_calibration(seed)

    def _own_calibration(self, seed: int) -> dict[str, Metric]:
        """Compare the teacher's own confidence with gold."""
        stated = np.array(self._stated, dtype=np.float64)
        against = calibrate(stated, np.array(self._stated_right, dtype=bool), seed)
        found = {
            name: replace(against[source], measure=MEASURES[name])
            for name, source in (("confidence", "mean_confidence"), ("ece", "ece_width"))
        }
        if len(stated):
            return found
        reason = "no record has both a gold label and teacher.confidence (--top-logprobs)"
        return {name: replace(metric, reason=reason) for name, metric in found.items()}
