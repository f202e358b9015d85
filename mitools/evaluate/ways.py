"""Fold the answers in each way of answering into figures that stand side by side.

Works on records whose ``student`` holds ``answers``; the figures of the chosen way are those of
the whole summary as well.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from mitools.asking.answering import WAYS, Way
from mitools.evaluate.measures.calibration import MEASURES as CALIBRATION
from mitools.evaluate.measures.calibration import calibrate
from mitools.evaluate.measures.consistency import CONSISTENCY, Consistency, supports_whose
from mitools.evaluate.measures.labels import ACCURACY, rate
from mitools.evaluate.measures.metric import Measure, Metric
from mitools.records import Record
from mitools.tasks import Task

__all__ = ["BY_WAY", "READINGS", "FoldedWays"]

_CALIBRATION = ("mean_confidence", "ece_width", "ece_mass", "brier", "nll", "auroc")

READINGS: Mapping[str, Measure] = {
    "weight": Measure(
        "weight of the predict pass",
        "ratio",
        higher_is_better=None,
        about="λ of the answers by both readings: 1 counts the predict pass alone, 0 the label "
        "behind the rationale alone, or what the rationale names where the student has no label "
        "behind it; n is the number of validation records that it was fitted on, here or in "
        "training, 0 where it was set or nothing determined it.",
    ),
    "agreement": Measure(
        "readings that agree",
        "fraction",
        higher_is_better=None,
        about="Share of records with the same label from the predict pass and from behind the "
        "rationale, or, of a student without that reading, from what the rationale names; then "
        "only records whose rationale names an answer count.",
    ),
    "accuracy_agreed": Measure(
        "accuracy where readings agree",
        "fraction",
        higher_is_better=True,
        about="Accuracy on the records on which both readings give the same label.",
    ),
}
"""Figures of the two readings together."""

_EACH: Mapping[str, Measure] = {
    "accuracy": ACCURACY,
    "accuracy_disagreed": Measure(
        "accuracy where they differ",
        "fraction",
        higher_is_better=True,
        about="Accuracy on the records on which the two readings give different labels.",
    ),
    **{name: CALIBRATION[name] for name in _CALIBRATION},
    "consistency": CONSISTENCY,
    "tokens": Measure(
        "tokens decoded per record",
        "tokens",
        higher_is_better=False,
        about="Mean number of tokens decoded for an answer, rationales included; scored choices "
        "cost no decoded token.",
    ),
    "seconds": Measure(
        "seconds per record",
        "seconds",
        higher_is_better=False,
        about="Time that the student takes for an answer, on this machine and at this batch size.",
    ),
}

BY_WAY: Mapping[Way, Mapping[str, Measure]] = {
    way: {
        name: replace(measure, title=f"{measure.title}, {way}") for name, measure in _EACH.items()
    }
    for way in WAYS
}
"""Figures of the answers in each way. The rationale of a record is the greedy one, also where
labels are read behind drawn ones: ``consistency`` is about that one, and there its tokens and time
do not count."""

_ONE_READING = "the student has one reading only"
_UNNAMED = "no rationale names an answer"
_NOT_ASKED = "no answer was given in this way"
_SCORED_AGAIN = "time is measured where a student answers"


@dataclass
class _Answers:
    """The answers in one way."""

    n: int = 0
    gold: int = 0
    correct: int = 0
    disagreed: int = 0
    disagreed_correct: int = 0
    tokens: int = 0
    confidence: array[float] = field(default_factory=lambda: array("d"))
    is_correct: array[int] = field(default_factory=lambda: array("b"))
    consistency: Consistency = field(default_factory=Consistency)

    def add(self, answer: Mapping[str, Any], record: Record, task: Task, agrees: bool) -> None:
        label, gold, scores = answer.get("label"), record.get("label"), record["scores"]
        self.n += 1
        self.tokens += int(answer.get("tokens") or 0)
        is_correct = None if scores["correct"] is None else task.is_equal(label, gold)
        if is_correct is not None:
            self.gold += 1
            self.correct += is_correct
            self.disagreed += not agrees
            self.disagreed_correct += is_correct and not agrees
            if answer.get("confidence") is not None:
                self.confidence.append(answer["confidence"])
                self.is_correct.append(is_correct)
        if "supported" in scores:
            whose = supports_whose(scores["supported"], label, gold, task.is_equal)
            self.consistency.add(whose, is_correct=is_correct)

    def metrics(self, way: Way, seconds: float | None, seed: int) -> dict[str, Metric]:
        confidence = np.array(self.confidence, dtype=np.float64)
        calibration = calibrate(confidence, np.array(self.is_correct, dtype=bool), seed)
        measures = BY_WAY[way]
        found = {
            "accuracy": rate(ACCURACY, self.correct, self.gold, empty="no record has a gold label"),
            "accuracy_disagreed": rate(
                measures["accuracy_disagreed"],
                self.disagreed_correct,
                self.disagreed,
                empty="the readings agree on every record with a gold label",
            ),
            **{name: calibration[name] for name in _CALIBRATION},
            "consistency": self.consistency.metrics()["consistency"],
            "tokens": measures["tokens"].ok(self.tokens / self.n, self.n),
            "seconds": measures["seconds"].skipped(_SCORED_AGAIN)
            if seconds is None
            else measures["seconds"].ok(seconds, self.n),
        }
        return {name: replace(one, measure=measures[name]) for name, one in found.items()}


@dataclass
class FoldedWays:
    """Fold records that hold ``student.answers`` and ``scores``; others are passed over.

    Attributes:
        seconds: time per record of each way; empty where no student was asked.
    """

    seconds: Mapping[Way, float] = field(default_factory=dict)
    _by_way: dict[Way, _Answers] = field(default_factory=lambda: {way: _Answers() for way in WAYS})
    _weights: Counter[tuple[float, int]] = field(default_factory=Counter)
    _unnamed: int = 0
    _compared: int = 0
    _agreed: int = 0
    _agreed_gold: int = 0
    _agreed_correct: int = 0

    def add(self, record: Record, task: Task) -> None:
        answers = record["student"].get("answers")
        if not answers:
            return
        other = "conclude" if "conclude" in answers else "named"
        labels = [(answers.get(way) or {}).get("label") for way in ("predict", other)]
        # Where no rationale names an answer, "named" gives the label of the predict pass again.
        is_named = other == "conclude" or (answers.get("named") or {}).get("votes") != 0
        agrees = not is_named or task.is_equal(*labels) or "predict" not in answers
        if "predict" in answers and other in answers:
            self._unnamed += not is_named
            self._compared += is_named
            self._agreed += is_named and agrees
            if is_named and agrees and record["scores"]["correct"] is not None:
                self._agreed_gold += 1
                self._agreed_correct += task.is_equal(labels[0], record.get("label"))
        for way in WAYS:
            if answers.get(way):
                self._by_way[way].add(answers[way], record, task, agrees)
        if pooled := answers.get("both"):
            weight = pooled.get("weight")
            if weight is not None:
                self._weights[float(weight), int(pooled.get("fitted_on") or 0)] += 1

    def section(self, seed: int) -> dict[str, Any] | None:
        """Compute :data:`READINGS`, and of each way :data:`BY_WAY`; None without any answers."""
        if not any(answers.n for answers in self._by_way.values()):
            return None
        if not self._compared and not self._unnamed:
            together = {name: one.not_applicable(_ONE_READING) for name, one in READINGS.items()}
        else:
            together = {
                "weight": self._weight(),
                "agreement": rate(
                    READINGS["agreement"], self._agreed, self._compared, empty=_UNNAMED
                ),
                "accuracy_agreed": rate(
                    READINGS["accuracy_agreed"],
                    self._agreed_correct,
                    self._agreed_gold,
                    empty="the readings agree on no record with a gold label"
                    if self._compared
                    else _UNNAMED,
                ),
            }
        return {**together, **{way: self._metrics(way, seed) for way in WAYS}}

    def _metrics(self, way: Way, seed: int) -> dict[str, Metric]:
        answers = self._by_way[way]
        missing = {n: one.not_applicable(_NOT_ASKED) for n, one in BY_WAY[way].items()}
        if not answers.n:
            return missing
        found = answers.metrics(way, self.seconds.get(way), seed)
        if not self._compared:
            lacking = BY_WAY[way]["accuracy_disagreed"]
            found["accuracy_disagreed"] = (
                lacking.undefined(_UNNAMED)
                if self._unnamed
                else lacking.not_applicable(_ONE_READING)
            )
        return found

    def _weight(self) -> Metric:
        measure = READINGS["weight"]
        if not self._weights:
            return measure.not_applicable("no answer was given by both readings")
        if len(self._weights) != 1:
            return measure.undefined("the records were answered with different weights")
        ((weight, fitted_on),) = self._weights
        return measure.ok(weight, fitted_on, is_fitted=fitted_on > 0)
