"""The confidence in an answer that an operating point compares with its threshold.

Plain functions of one answered record: the same values wherever a student answers. Whatever is
fitted is fitted on records that choose no threshold.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from mitools.schema import Record
from mitools.tasks import Task

__all__ = [
    "CONFIDENCES",
    "FEATURES",
    "FITTED",
    "NEEDS_RATIONALE",
    "Confidence",
    "ConfidenceName",
    "decoded_chances",
    "features",
]

ConfidenceName = Literal["label", "scaled", "margin", "agreement", "combined"]
CONFIDENCES: tuple[ConfidenceName, ...] = get_args(ConfidenceName)
"""``label``: the probability of the label. ``scaled``: the same at a fitted temperature.
``margin``: the probability of the best choice minus that of the second; of a decoded label, its
probability. ``agreement``: first how many readings agree with the label, then its probability.
``combined``: a logistic combination of :data:`FEATURES`."""

FITTED: frozenset[ConfidenceName] = frozenset(("scaled", "combined"))
"""Those with parameters that are fitted on records with gold."""

NEEDS_RATIONALE: frozenset[ConfidenceName] = frozenset(("agreement", "combined"))
"""Those that read the student's rationale, where it has one."""

FEATURES = ("log_odds", "margin", "readings", "concluded", "consistent", "in_set")
"""The terms of ``combined``. ``log_odds`` and ``concluded``: of the label in the chosen way of
answering, and behind the rationale, negative where that reading gives another label; ``margin``:
log of the ratio of the two best choices; ``readings`` and ``consistent``: 1 where both readings
give the label and where the rationale supports it, -1 where not, 0 where unknown, as where the
rationale names no answer; ``in_set``: log of the probability of all choices together. Without
choices, ``margin`` is ``log_odds`` and ``in_set`` 0."""

_SMALLEST = 1e-6
"""Records hold six significant digits: nearer to 1 than this, a probability is not known, nor is
what it leaves to all others. Log-odds are bounded alike on both sides."""

_TINIEST = sys.float_info.min
"""Counts as the probability of a choice that has 0; of small ones, records hold six digits."""


@dataclass(frozen=True, slots=True)
class Confidence:
    """A kind of confidence, with its fitted parameters.

    Attributes:
        kind: one of :data:`CONFIDENCES`.
        temperature: of ``scaled``; None for the other kinds.
        weights: of ``combined``: one for each of :data:`FEATURES`, then the constant term; None for
            the other kinds.
    """

    kind: ConfidenceName = "label"
    temperature: float | None = None
    weights: tuple[float, ...] | None = None

    def of(self, record: Record, task: Task) -> float | None:
        """Compute the confidence in a student's answer: 0 to 1, higher is surer.

        Args:
            record: with the answer in ``student``; gold and teacher are not read.
            task: how its labels are read.

        Returns:
            None where there is no answer, no probability of it, or where the answer is not a
            possible label.
        """
        student: Mapping[str, Any] = record.get("student") or {}
        label, stated = student.get("label"), student.get("confidence")
        if stated is None or not task.is_valid(label, record.get("choices") or None):
            return None
        chances = _ranked(student)
        if self.kind == "margin":
            return chances[0] - chances[1] if len(chances) > 1 else float(stated)
        if self.kind == "scaled":
            return _at_temperature(stated, chances, self.temperature or 1.0)
        if self.kind == "agreement":
            marks = [mark for mark in _marks(record, task) if mark is not None]
            levels = 2 * len(marks) + 1  # so that no probability outweighs a mark
            return float((sum(mark + 1 for mark in marks) + stated) / levels)
        if self.kind == "combined":
            terms = (*features(record, task), 1.0)
            pairs = zip(self.weights or (1.0,), terms, strict=False)
            return _sigmoid(math.fsum(weight * term for weight, term in pairs))
        return float(stated)


def features(record: Record, task: Task) -> tuple[float, ...]:
    """Compute :data:`FEATURES` of an answered record; every one is finite."""
    student: Mapping[str, Any] = record["student"]
    chances = _ranked(student)
    readings, consistent = _marks(record, task)
    behind = (student.get("answers") or {}).get("conclude") or {}
    concluded = 0.0
    if readings is not None and behind.get("confidence") is not None:
        concluded = readings * _softplus(_log_odds(behind["confidence"]))
    margin = _log_odds(float(student["confidence"]))
    if len(chances) > 1:
        margin = math.log(max(chances[0], _SMALLEST)) - math.log(max(chances[1], _SMALLEST))
    mass = student.get("in_set_mass")
    return (
        _log_odds(float(student["confidence"])),
        margin,
        float(readings or 0),
        concluded,
        float(consistent or 0),
        0.0 if mass is None else math.log(min(1.0, max(mass, _SMALLEST))),
    )


def _marks(record: Record, task: Task) -> tuple[int | None, int | None]:
    """Mark whether both readings give the label, and whether the rationale supports it.

    Returns:
        1 for yes, -1 for no, 0 for a rationale that names no answer; None where the student has
        one reading, or gave no rationale.
    """
    student: Mapping[str, Any] = record["student"]
    label, answers = student.get("label"), student.get("answers") or {}
    readings = consistent = None
    other = "conclude" if answers.get("conclude") else "named"
    if answers.get("predict") and answers.get(other):
        labels = [answers[way].get("label") for way in ("predict", other)]
        is_shared = task.is_equal(*labels) and task.is_equal(labels[0], label)
        readings = 1 if is_shared else -1
        if other == "named" and answers[other].get("votes") == 0:
            readings = 0  # no rationale names an answer: the student's own label stands there
    rationale = student.get("rationale")
    if rationale is not None:
        supported = task.supported(rationale, record.get("choices") or None)
        consistent = 0 if supported is None else 1 if task.is_equal(supported, label) else -1
    return readings, consistent


def _ranked(student: Mapping[str, Any]) -> Sequence[float]:
    return sorted((student.get("choices") or {}).values(), reverse=True)


def _at_temperature(stated: float, chances: Sequence[float], temperature: float) -> float:
    """Scale a choice's probability as a softmax, that of a decoded label against all others."""
    own, possible = stated, [*chances]
    if len(chances) < 2:
        possible = decoded_chances(stated)
        own = possible[0]
    logs = [math.log(max(chance, _TINIEST)) / temperature for chance in possible]
    own = math.log(max(own, _TINIEST)) / temperature
    top = max(logs)
    return min(1.0, math.exp(own - top) / math.fsum(math.exp(one - top) for one in logs))


def decoded_chances(stated: float) -> list[float]:
    """Return the probabilities of a decoded label and of all other texts, as far as known."""
    return [max(stated, _SMALLEST), max(1 - stated, _SMALLEST)]


def _log_odds(chance: float) -> float:
    inside = min(max(chance, _SMALLEST), 1 - _SMALLEST)
    return math.log(inside) - math.log1p(-inside)


def _softplus(value: float) -> float:
    return max(value, 0.0) + math.log1p(math.exp(-abs(value)))


def _sigmoid(value: float) -> float:
    if value >= 0:
        return 1 / (1 + math.exp(-value))
    return math.exp(value) / (1 + math.exp(value))
