"""An operating point: the threshold above which a student answers by itself, and what it promises.

It is saved as ``operating_point.json`` in the student's folder. ``mitools eval --target-accuracy``
chooses and writes it; stages that let a student answer in place of its teacher read it.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

from mitools.errors import StudentError
from mitools.files import atomic_output
from mitools.operating.confidence import CONFIDENCES, FEATURES, Confidence, ConfidenceName
from mitools.schema import TASKS, Record
from mitools.tasks import task_of

__all__ = ["FORMAT", "POINT_NAME", "OperatingPoint", "Reference", "has_point"]

POINT_NAME = "operating_point.json"
FORMAT = 1

Reference = Literal["gold", "teacher"]

_LARGEST = 1 << 20  # bytes
_HINT = 'choose it again: "mitools eval --student DIR --target-accuracy 0.95"'


@dataclass(frozen=True, kw_only=True)
class OperatingPoint:
    """A threshold of confidence, and the accuracy that answers at or above it have.

    With probability at least 1 - ``risk`` over the calibration records, the accuracy is at least
    ``target``. This rests on exchangeability: new records must come as if drawn at random from
    where the calibration records came from. It is the accuracy for one record of each group (or of
    each input that is repeated): over all records it may differ where large groups are harder or
    easier than small ones.

    Attributes:
        target: the least accuracy of the answers at or above the threshold, 0 to 1.
        risk: the probability of a threshold whose accuracy is below the target.
        threshold: the least confidence of an answer that counts as sure; None where no threshold
            reached the target, so that no answer is sure.
        confidence: kind of the confidence.
        temperature: see :class:`~mitools.operating.confidence.Confidence`.
        weights: see :class:`~mitools.operating.confidence.Confidence`.
        reference: what an answer was compared with: ``gold`` labels, or those of the ``teacher``
            where no record had a gold label. Then ``target`` is an agreement and not an accuracy.
        answer: the way of answering: ``predict``, ``conclude``, ``both`` or ``named``.
        draws: rationales that a label is read behind.
        answer_weight: weight of the predict pass in answers by both readings; None elsewhere.
        seed: of drawn rationales.
        precision: in which the student answered, ``fp32`` or ``bf16``.
        rationales: whether the confidence reads the student's rationale, so that the student must
            be asked for it.
        task: the task of the calibration records.
        calibrated_on: the split that they came from.
        records: number of calibration records, one of each group or input.
        answered: number of those at or above the threshold.
        right: number of those whose answer equals the reference.
        data_hash: hash of the calibration records without the answers.
        student: hash of the student's files; None where it has no folder.
        mitools: version that chose the threshold.
    """

    target: float
    risk: float
    threshold: float | None
    confidence: ConfidenceName = "label"
    temperature: float | None = None
    weights: tuple[float, ...] | None = None
    reference: Reference = "gold"
    answer: str = "predict"
    draws: int = 1
    answer_weight: float | None = None
    seed: int = 0
    precision: str = "fp32"
    rationales: bool = False
    task: str = "text"
    calibrated_on: str = "valid"
    records: int = 0
    answered: int = 0
    right: int = 0
    data_hash: str = ""
    student: str | None = None
    mitools: str = ""

    def __post_init__(self) -> None:
        """Check every field.

        Raises:
            ValueError: a field has the wrong type or an impossible value; the message names it.
        """
        for name, is_ok in _CHECKS.items():
            if not is_ok(getattr(self, name)):
                raise ValueError(f'"{name}" cannot be {_shown(getattr(self, name))}')
        if not self.right <= self.answered <= self.records:
            raise ValueError('"right", "answered" and "records" contradict each other')
        for name, is_needed in (
            ("temperature", self.confidence == "scaled"),
            ("weights", self.confidence == "combined"),
            ("answer_weight", self.answer == "both"),
        ):
            if (getattr(self, name) is not None) is not is_needed:
                missing = "is missing" if is_needed else "has no use here"
                raise ValueError(f'"{name}" {missing}')

    @property
    def coverage(self) -> float | None:
        """Share of the calibration records at or above the threshold; None without records."""
        return self.answered / self.records if self.records else None

    @property
    def accuracy(self) -> float | None:
        """Accuracy of these, against the reference; None where there are none."""
        return self.right / self.answered if self.answered else None

    def confidence_in(self, record: Record, task: str | None = None) -> float | None:
        """Compute the confidence that is compared with the threshold.

        Args:
            record: an answered record, see :class:`~mitools.operating.confidence.Confidence`.
            task: a task in place of the record's own.
        """
        kind = Confidence(self.confidence, self.temperature, self.weights)
        return kind.of(record, task_of(record, task))

    def is_sure(self, record: Record, task: str | None = None) -> bool:
        """Return whether a student may answer a record by itself.

        Args:
            record: with the answer in ``student``, given in the way :attr:`answer`.
            task: a task in place of the record's own.
        """
        stated = self.confidence_in(record, task)
        return self.threshold is not None and stated is not None and stated >= self.threshold

    def save(self, folder: str | os.PathLike[str]) -> Path:
        """Write ``operating_point.json`` into a folder, in place of an earlier one.

        Returns:
            The path of the file.

        Raises:
            OutputError: the folder is missing, full or not writable.
        """
        path = Path(folder) / POINT_NAME
        with atomic_output(path) as stream:
            document = {"format": FORMAT, **asdict(self)}
            json.dump(document, stream, indent=2, ensure_ascii=False, allow_nan=False)
            stream.write("\n")
        return path

    @classmethod
    def load(cls, folder: str | os.PathLike[str], student: str | None = None) -> OperatingPoint:
        """Read the operating point of a student.

        Args:
            folder: of the student.
            student: the hash of its files; None does not compare it.

        Raises:
            StudentError: there is none, its file is damaged, of a newer mitools, or belongs to
                another student.
        """
        path = Path(folder) / POINT_NAME
        values = _read(path)
        if values.pop("format", None) != FORMAT:
            message = f"{path} has a format that this mitools does not read"
            raise StudentError(message, hint='upgrade: "pip install -U mitools"')
        known = {item.name for item in fields(cls)}
        for name in ("target", "risk", "threshold"):
            if name not in values:
                raise StudentError(f'{path}: "{name}" is missing', hint=_HINT)
        if isinstance(values.get("weights"), list):
            values["weights"] = tuple(values["weights"])
        try:
            point = cls(**{name: value for name, value in values.items() if name in known})
        except ValueError as exc:
            raise StudentError(f"{path}: {exc}", hint=_HINT) from exc
        if student is not None and point.student is not None and point.student != student:
            message = f"{path} belongs to another student: the weights have changed since"
            raise StudentError(message, hint=_HINT)
        return point


def has_point(folder: str | os.PathLike[str]) -> bool:
    """Return whether a folder has an operating point, valid or not."""
    return (Path(folder) / POINT_NAME).exists()


def _read(path: Path) -> dict[str, Any]:
    try:
        if not path.exists():
            raise StudentError(f"{path.parent} has no operating point ({path.name})", hint=_HINT)
        if not path.is_file() or path.stat().st_size > _LARGEST:
            raise StudentError(f"{path} is not a file of at most {_LARGEST >> 20} MiB", hint=_HINT)
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as exc:
        raise StudentError(f"cannot read {path}: {exc}", hint=_HINT) from exc
    if not isinstance(values, dict):
        raise StudentError(f"{path} is not a JSON object", hint=_HINT)
    return values


def _shown(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 40 else f"{text[:39]}…"


def _is_number(low: float, high: float) -> Callable[[Any], bool]:
    """Make a check for a finite number from ``low`` to ``high``."""

    def check(value: Any) -> bool:
        is_number = type(value) in (int, float)
        # Compared before it is converted: an integer may be too large for a float.
        return is_number and low <= value <= high and math.isfinite(value)

    return check


def _is_count(most: float = 1 << 53) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and 0 <= value <= most


def _or_none(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


def _is_one_of(*allowed: str) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, str) and value in allowed


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and len(value) <= 1_000 and value.isprintable()


def _is_weights(value: Any) -> bool:
    is_weight = _is_number(-1e6, 1e6)
    return type(value) is tuple and len(value) == len(FEATURES) + 1 and all(map(is_weight, value))


def _is_inside(value: Any) -> bool:
    return _is_number(0, 1)(value) and 0 < value < 1


_CHECKS: Mapping[str, Callable[[Any], bool]] = {
    "target": _is_inside,
    "risk": _is_inside,
    "threshold": _or_none(_is_number(0, 1)),
    "confidence": _is_one_of(*CONFIDENCES),
    "temperature": _or_none(_is_number(1e-3, 1e3)),
    "weights": _or_none(_is_weights),
    "reference": _is_one_of("gold", "teacher"),
    "answer": _is_one_of("predict", "conclude", "both", "named"),
    "draws": lambda value: type(value) is int and 1 <= value <= 1_000_000,
    "answer_weight": _or_none(_is_number(0, 1)),
    "seed": lambda value: type(value) is int and abs(value) <= 1 << 63,
    "precision": _is_one_of("fp32", "bf16"),
    "rationales": lambda value: type(value) is bool,
    "task": _is_one_of(*TASKS),
    "calibrated_on": _is_text,
    **dict.fromkeys(("records", "answered", "right"), _is_count()),
    "data_hash": _is_text,
    "student": _or_none(_is_text),
    "mitools": _is_text,
}
