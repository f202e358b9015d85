"""Fold judged records into figures for each value of a field, such as accuracy by category.

Of each record a few numbers are kept, and each value once. No figure depends on the order of the
records.
"""

from __future__ import annotations

import math
import re
from array import array
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitools.errors import MissingFieldError
from mitools.evaluate import beside_teacher
from mitools.evaluate.field_values import MISSING, OTHERS, FieldSearch, value_name
from mitools.evaluate.measures.calibration import MEASURES as CALIBRATION
from mitools.evaluate.measures.calibration import calibration_errors
from mitools.evaluate.measures.consistency import CONSISTENCY
from mitools.evaluate.measures.labels import ACCURACY, accuracy, rate
from mitools.evaluate.measures.metric import Measure, Metric
from mitools.evaluate.operating.calibrate import reference_label
from mitools.records import Record
from mitools.tasks import Task

__all__ = ["FEWEST", "MEASURES", "MOST_VALUES", "ByField"]

Columns = Mapping[str, NDArray[Any]]

MOST_VALUES = 60
"""Values of a field with figures of their own: the most frequent ones. MMLU has 57 subjects."""

FEWEST: Mapping[str, int] = {"consistency": 20, "mean_confidence": 20, "ece_width": 100}
"""Records below which a figure is undefined: it would mostly be chance. Accuracy and agreement have
their interval, which says so by itself."""

_OF_RUN: Mapping[str, Measure] = {
    "accuracy": ACCURACY,
    "consistency": CONSISTENCY,
    "mean_confidence": CALIBRATION["mean_confidence"],
    "ece_width": CALIBRATION["ece_width"],
    "agreement": beside_teacher.MEASURES["agreement"],
}


def _by_value_of(name: str, measure: Measure) -> Measure:
    least = f", at least {FEWEST[name]} of them" if name in FEWEST else ""
    about = f"{measure.about} Over the records with one value of a field{least}."
    return replace(measure, title=f"{measure.title}, by value", about=about)


MEASURES: Mapping[str, Measure] = {
    name: _by_value_of(name, measure) for name, measure in _OF_RUN.items()
}
"""Main figures of the whole run, here over the records with one value of a field."""

_NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_NONE = -1


@dataclass
class _Values:
    """The values of one field: the number of each by its name, and [n] that of each record."""

    numbers: dict[str, int] = field(default_factory=dict)
    of_record: array[int] = field(default_factory=lambda: array("i"))

    def add(self, name: str) -> None:
        self.of_record.append(self.numbers.setdefault(name, len(self.numbers)))


@dataclass
class _Outcomes:
    """The verdicts on each record, -1 where there is none."""

    is_correct: array[int] = field(default_factory=lambda: array("b"))
    is_consistent: array[int] = field(default_factory=lambda: array("b"))
    agrees: array[int] = field(default_factory=lambda: array("b"))
    confidence: array[float] = field(default_factory=lambda: array("d"))
    group: array[int] = field(default_factory=lambda: array("i"))
    _groups: dict[str, int] = field(default_factory=dict)

    def add(self, record: Record, task: Task) -> None:
        student, scores = record["student"], record["scores"]
        taught = reference_label(record, task, "teacher")
        agrees = None if taught is None else task.is_equal(student.get("label"), taught)
        self.is_correct.append(_verdict(scores["correct"]))
        self.is_consistent.append(_verdict(scores.get("consistent")))
        self.agrees.append(_verdict(agrees))
        confidence, group = student.get("confidence"), record.get("group")
        self.confidence.append(math.nan if confidence is None else confidence)
        number = _NONE if group is None else self._groups.setdefault(group, len(self._groups))
        self.group.append(number)

    def columns(self) -> dict[str, NDArray[Any]]:
        """Return an array [n] for each of the outcomes."""
        return {
            "is_correct": np.array(self.is_correct, dtype=np.int64),
            "is_consistent": np.array(self.is_consistent, dtype=np.int64),
            "agrees": np.array(self.agrees, dtype=np.int64),
            "confidence": np.array(self.confidence, dtype=np.float64),
            "group": np.array(self.group, dtype=np.int64),
        }


def _verdict(value: bool | None) -> int:
    return _NONE if value is None else int(value)


@dataclass
class ByField:
    """Fold records that hold ``student`` and ``scores``; :meth:`section` then gives the figures.

    Attributes:
        fields: names of fields, or dotted paths; without any, nothing is kept.
    """

    fields: Sequence[str] = ()
    _values: dict[str, _Values] = field(init=False)
    _search: FieldSearch = field(init=False)
    _outcomes: _Outcomes = field(default_factory=_Outcomes)

    def __post_init__(self) -> None:
        self._values = {name: _Values() for name in self.fields}
        self._search = FieldSearch(self.fields)

    def add(self, record: Record, task: Task) -> None:
        """Add a judged record.

        Raises:
            InvalidFieldError: the value of a field is a list or an object; nothing is added.
        """
        if not self._values:
            return
        names = [value_name(record, path) for path in self._values]
        for values, name in zip(self._values.values(), names, strict=True):
            values.add(name)
        self._search.add(record)
        self._outcomes.add(record, task)

    def missing(self) -> MissingFieldError | None:
        """Return the error about a field that no record has; None if every field occurs."""
        return self._search.error() if self._outcomes.group else None

    def section(self, seed: int) -> dict[str, dict[str, dict[str, Any]]]:
        """Compute the figures by field and value.

        Returns:
            By field and by value, ``records`` and :data:`MEASURES`. Values are ordered as numbers
            where all are numbers, else by their records. Of more than :data:`MOST_VALUES`, those
            with the most records come first, and the rarer ones and those of one record share
            :data:`~mitools.evaluate.field_values.OTHERS`, with their number in ``values``. The last
            is :data:`~mitools.evaluate.field_values.MISSING`.
        """
        columns = self._outcomes.columns()
        return {path: _by_value(values, columns, seed) for path, values in self._values.items()}


def _by_value(values: _Values, columns: Columns, seed: int) -> dict[str, dict[str, Any]]:
    number_of = np.array(values.of_record, dtype=np.int64)
    counts = np.bincount(number_of, minlength=len(values.numbers))
    own, others = _divided({name: int(counts[n]) for name, n in values.numbers.items()})

    def figures_of(*names: str) -> dict[str, Any]:
        chosen = np.isin(number_of, [values.numbers[name] for name in names])
        return _figures({name: column[chosen] for name, column in columns.items()}, seed)

    found = {name: figures_of(name) for name in own}
    if others:
        found[OTHERS] = {"values": len(others), **figures_of(*others)}
    if MISSING in values.numbers:
        found[MISSING] = figures_of(MISSING)
    return found


def _divided(counts: Mapping[str, int]) -> tuple[list[str], list[str]]:
    """Return the values with figures of their own, in order, and those that are told together."""
    names = sorted(counts.keys() - {MISSING})
    if are_numbers := all(map(_NUMBER.fullmatch, names)):
        names.sort(key=float)
    is_cut = len(names) > MOST_VALUES
    if is_cut or not are_numbers:
        names.sort(key=lambda name: -counts[name])
    if not is_cut:
        return names, []
    own = [name for name in names[:MOST_VALUES] if counts[name] > 1]
    return own, names[len(own) :]


def _figures(columns: Columns, seed: int) -> dict[str, Any]:
    """Compute the figures of some records, from the columns of these alone."""
    is_correct = columns["is_correct"]
    has_gold = is_correct != _NONE
    unclear, no_teacher = "no rationale supports an answer", "no record has a teacher label"
    found = {
        "accuracy": _accuracy(is_correct[has_gold], columns["group"][has_gold]),
        "consistency": _rate("consistency", columns["is_consistent"], unclear),
        **_calibration(columns["confidence"], is_correct, seed),
        "agreement": _rate("agreement", columns["agrees"], no_teacher),
    }
    named = {name: replace(found[name], measure=measure) for name, measure in MEASURES.items()}
    return {"records": len(is_correct), **named}


def _accuracy(is_correct: NDArray[np.int64], groups: NDArray[np.int64]) -> Metric:
    _, places = np.unique(groups[groups != _NONE], return_inverse=True)
    sizes, right = np.bincount(places), np.bincount(places, is_correct[groups != _NONE])
    pairs = [(int(hits), int(n)) for hits, n in zip(right, sizes, strict=True)]
    return accuracy(int(is_correct.sum()), len(is_correct), pairs)


def _rate(name: str, verdicts: NDArray[np.int64], empty: str) -> Metric:
    n = int((verdicts != _NONE).sum())
    if 0 < n < FEWEST.get(name, 0):
        return _too_few(name, n)
    return rate(MEASURES[name], int((verdicts == 1).sum()), n, empty=empty)


def _calibration(
    confidence: NDArray[np.float64], is_correct: NDArray[np.int64], seed: int
) -> dict[str, Metric]:
    """Compute the mean over all stated confidences, and the error over those with a gold label."""
    stated = confidence[~np.isnan(confidence)]
    is_judged = ~np.isnan(confidence) & (is_correct != _NONE)
    n, judged = len(stated), int(is_judged.sum())
    if n >= FEWEST["mean_confidence"]:
        mean = MEASURES["mean_confidence"].ok(math.fsum(stated) / n, n)
    else:
        mean = _too_few("mean_confidence", n, "no record has a confidence")
    if judged >= FEWEST["ece_width"]:
        right = is_correct[is_judged].astype(bool)
        error = calibration_errors(confidence[is_judged], right, seed)["ece_width"]
    else:
        empty = "no record has both a gold label and a confidence"
        error = _too_few("ece_width", judged, empty)
    return {"mean_confidence": mean, "ece_width": error}


def _too_few(name: str, n: int, empty: str = "") -> Metric:
    few = f"too few records: {n}, at least {FEWEST[name]} are needed"
    return MEASURES[name].undefined(few if n else empty, n)
