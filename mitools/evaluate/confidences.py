"""Fold confidences, and the probabilities of all choices, into figures.

A few numbers of each record are kept. The measures are computed in ``calibration``, ``classwise``
and ``temperature``.
"""

from __future__ import annotations

import math
from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from mitools.evaluate.measures.calibration import (
    MEASURES,
    calibrate,
    expected_calibration_error,
    mass_bins,
    null_bands,
    width_bins,
)
from mitools.evaluate.measures.classwise import CLASSWISE_ECE, classwise_metric
from mitools.evaluate.measures.metric import Measure, Metric
from mitools.evaluate.measures.statistics import mean_intervals
from mitools.evaluate.measures.temperature import (
    AnswerRows,
    answers_from,
    fit_temperature,
    mean_nll,
    scaled,
)
from mitools.records import Record
from mitools.tasks import Task

__all__ = ["AFTER", "CHOICE_MEASURES", "TEMPERATURE", "Confidences"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

CHOICE_MEASURES: Mapping[str, Measure] = {
    "gold_nll": Measure(
        "NLL of the gold choice",
        "nats",
        higher_is_better=False,
        about="Mean negative log-probability of gold among the scored choices.",
    ),
    "gold_brier": Measure(
        "Brier score over choices",
        "squared error",
        higher_is_better=False,
        about="Mean squared distance of all choice probabilities from gold, 0 to 2.",
    ),
    "in_set_mass": Measure(
        "in-set mass",
        "fraction",
        higher_is_better=True,
        about="Mean probability of the choices among all texts that the student could output.",
    ),
}
"""Means over the records whose choices were scored."""

TEMPERATURE = Measure(
    "fitted temperature",
    "ratio",
    higher_is_better=None,
    about="Divisor of the log-probabilities with the least NLL on the validation records: above 1 "
    "for an overconfident student, below 1 for an underconfident one.",
)

AFTER: Mapping[str, Measure] = {
    "nll": Measure(
        "NLL after scaling",
        "nats",
        higher_is_better=False,
        about="Mean negative log-probability of the outcome at the fitted temperature: of gold "
        "among scored choices, else of whether the decoded label is right.",
    ),
    "brier": Measure(
        "Brier score after scaling",
        "squared error",
        higher_is_better=False,
        about="Brier score of the confidence at the fitted temperature.",
    ),
    "ece_width": Measure(
        "ECE after scaling, width",
        "fraction",
        higher_is_better=False,
        about="Expected calibration error at the fitted temperature, 15 bins of equal width.",
    ),
    "ece_mass": Measure(
        "ECE after scaling, mass",
        "fraction",
        higher_is_better=False,
        about="Expected calibration error at the fitted temperature, 15 bins with the same number "
        "of records.",
    ),
    "mean_confidence": Measure(
        "mean scaled confidence",
        "fraction",
        higher_is_better=None,
        about="Mean confidence at the fitted temperature.",
    ),
}
"""Figures of the evaluated records at that temperature, each with its value ``before``. ``nll`` is
the loss that the temperature minimizes; the others are those of ``calibration``."""

NOT_ASKED = 'no temperature was asked for ("--temperature")'


@dataclass
class _Rows:
    """Probabilities of all possible answers of the records with a gold label."""

    rows: list[tuple[list[float], int, int]] = field(default_factory=list)
    is_correct: array[int] = field(default_factory=lambda: array("b"))

    def add(self, record: Record, task: Task) -> None:
        student, gold = record["student"], record.get("label")
        is_correct, confidence = record["scores"]["correct"], student.get("confidence")
        if is_correct is None or confidence is None:
            return
        if chances := student.get("choices"):
            names = list(chances)
            golds = [index for index, name in enumerate(names) if task.is_equal(name, gold)]
            if not golds or student.get("label") not in names:
                return
            row = (list(chances.values()), golds[0], names.index(student["label"]))
        else:
            row = ([confidence, 1 - confidence], 0 if is_correct else 1, 0)
        self.rows.append(row)
        self.is_correct.append(is_correct)

    def answers(self) -> tuple[AnswerRows, Bools]:
        """Return the rows, sorted: the order of the records must not change the last digits."""
        order = sorted(range(len(self.rows)), key=lambda index: self.rows[index])
        right = np.array(self.is_correct, dtype=bool)
        return answers_from(self.rows[index] for index in order), right[order]


@dataclass
class Confidences:
    """Fold records that hold ``student`` and ``scores``.

    Attributes:
        fits_temperature: whether to keep the rows that a temperature is fitted and tested on.
        stated: all confidences.
        confidence: those of the records with a gold label, for calibration.
        is_correct: whether the answers of these records are right.
        gold_nll, gold_brier, mass: see :data:`CHOICE_MEASURES`.
    """

    fits_temperature: bool = False
    stated: array[float] = field(default_factory=lambda: array("d"))
    confidence: array[float] = field(default_factory=lambda: array("d"))
    is_correct: array[int] = field(default_factory=lambda: array("b"))
    gold_nll: array[float] = field(default_factory=lambda: array("d"))
    gold_brier: array[float] = field(default_factory=lambda: array("d"))
    mass: array[float] = field(default_factory=lambda: array("d"))
    _by_label: dict[tuple[str, ...], array[float]] = field(default_factory=dict)
    _evaluated: _Rows = field(default_factory=_Rows)
    _valid: _Rows = field(default_factory=_Rows)

    def add(self, record: Record, task: Task) -> None:
        student, is_correct = record["student"], record["scores"]["correct"]
        if student.get("confidence") is not None:
            self.stated.append(student["confidence"])
            if is_correct is not None:
                self.confidence.append(student["confidence"])
                self.is_correct.append(is_correct)
        if student.get("in_set_mass") is not None:
            self.mass.append(student["in_set_mass"])
        if self.fits_temperature:
            self._evaluated.add(record, task)
        chances, gold = student.get("choices"), record.get("label")
        if not chances or gold is None:
            return
        of_gold = [p for choice, p in chances.items() if task.is_equal(choice, gold)]
        if of_gold:
            p = math.fsum(of_gold)
            self.gold_nll.append(-math.log(max(p, 1e-300)))
            squares = math.fsum(chance * chance for chance in chances.values())
            rest = math.fsum(chance * chance for chance in of_gold)
            self.gold_brier.append(squares - rest + (1 - p) ** 2)
            if task.name == "labels":
                labels = {task.form(name): p for name, p in chances.items()}
                self._add_labels(labels, task.form(gold))

    def _add_labels(self, chances: dict[str, float], gold: str) -> None:
        """Keep the probability of each label, followed by the index of gold."""
        labels = tuple(sorted(chances))
        kept = self._by_label.setdefault(labels, array("d"))
        kept.extend(chances[name] for name in labels)
        kept.append(labels.index(gold))

    def add_valid(self, record: Record, task: Task) -> None:
        """Add a record to fit the temperature on; it enters no other figure."""
        self._valid.add(record, task)

    def arrays(self) -> tuple[Floats, Bools]:
        return np.array(self.confidence), np.array(self.is_correct, dtype=bool)

    def metrics(self, tasks: Counter[str], seed: int) -> dict[str, Metric]:
        confidence, is_correct = self.arrays()
        measures, unscored = CHOICE_MEASURES, "no record had choices scored"
        no_choices = "no record with a gold label among its choices had them scored"
        found = calibrate(confidence, is_correct, seed)
        if len(self.stated) > len(confidence):  # the mean needs no gold label
            found["mean_confidence"] = _mean(MEASURES["mean_confidence"], self.stated, seed, "")
        return {
            **found,
            "classwise_ece": self._classwise(tasks, seed),
            "gold_nll": _mean(measures["gold_nll"], self.gold_nll, seed, no_choices),
            "gold_brier": _mean(measures["gold_brier"], self.gold_brier, seed, no_choices),
            "in_set_mass": _mean(measures["in_set_mass"], self.mass, seed, unscored),
        }

    def _classwise(self, tasks: Counter[str], seed: int) -> Metric:
        if set(tasks) != {"labels"}:
            return CLASSWISE_ECE.not_applicable("the answers are not one fixed set of labels")
        if len(self._by_label) > 1:
            return CLASSWISE_ECE.not_applicable("the records offer different sets of labels")
        if not self._by_label:
            return CLASSWISE_ECE.undefined("no record has a gold label among its scored labels")
        ((labels, kept),) = self._by_label.items()
        table = np.array(kept).reshape(-1, len(labels) + 1)
        return classwise_metric(table[:, :-1], table[:, -1].astype(np.int64), seed)

    def temperature(self, seed: int) -> dict[str, Metric]:
        """Fit on the validation records, and test on the evaluated ones."""
        if not self.fits_temperature:
            return self._everywhere("skipped", NOT_ASKED)
        if not self._valid.rows:
            return self._everywhere(
                "undefined", 'no record of the split "valid" has a gold label and a confidence'
            )
        if not self._evaluated.rows:
            return self._everywhere("undefined", "no evaluated record has both")
        valid, _ = self._valid.answers()
        fitted = fit_temperature(valid)
        if fitted is None:
            reason = "the validation records set no limit: all are right, or none the likelier"
            return self._everywhere("undefined", reason)
        fit = {"before": mean_nll(valid, 1.0), "after": mean_nll(valid, fitted)}
        return {
            "temperature": TEMPERATURE.ok(fitted, len(self._valid.rows), valid_nll=fit),
            **_after(*self._evaluated.answers(), fitted, seed),
        }

    @staticmethod
    def _everywhere(status: str, reason: str) -> dict[str, Metric]:
        measures = {"temperature": TEMPERATURE, **AFTER}
        if status == "skipped":
            return {name: measure.skipped(reason) for name, measure in measures.items()}
        return {name: measure.undefined(reason) for name, measure in measures.items()}


def _after(
    answers: AnswerRows, is_correct: Bools, temperature: float, seed: int
) -> dict[str, Metric]:
    n = len(is_correct)
    before, _ = _figures(answers, is_correct, 1.0)
    after, confidence = _figures(answers, is_correct, temperature)
    bins = {"ece_width": width_bins(confidence), "ece_mass": mass_bins(confidence)}
    nulls = null_bands(confidence, bins, after, seed)
    return {
        name: measure.ok(
            after[name],
            n,
            before=before[name],
            **(nulls[name].as_details() if name in nulls else {}),
        )
        for name, measure in AFTER.items()
    }


def _figures(
    answers: AnswerRows, is_correct: Bools, temperature: float
) -> tuple[dict[str, float], Floats]:
    confidence = np.minimum(np.exp(scaled(answers, temperature))[answers.given], 1.0)
    bins = {"ece_width": width_bins(confidence), "ece_mass": mass_bins(confidence)}
    figures = {
        "nll": mean_nll(answers, temperature),
        "brier": float(((confidence - is_correct) ** 2).mean()),
        "mean_confidence": float(confidence.mean()),
    }
    for name, bin_of in bins.items():
        figures[name] = expected_calibration_error(confidence, is_correct, bin_of)
    return figures, confidence


def _mean(measure: Measure, values: array[float], seed: int, empty: str) -> Metric:
    if not values:
        return measure.not_applicable(empty)
    column = np.array(values)[:, None]
    value = math.fsum(values) / len(values)
    return measure.ok(value, len(values), mean_intervals(column, seed)[0])
