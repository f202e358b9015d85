"""Ask a student about records: its answers, its confidence in them, and its rationales."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mitools.annotate.protocol import Answered
from mitools.annotate.samples import readable_gold
from mitools.asking.answering import PREDICT, Answering, settle
from mitools.asking.opening import open_student
from mitools.asking.predict import OpenedStudent, one_each, predict
from mitools.asking.reader import Reader
from mitools.asking.readings import check_ways
from mitools.asking.respond import Respondent
from mitools.errors import StudentError
from mitools.gold import with_known_labels
from mitools.operating.confidence import Confidence
from mitools.operating.point import OperatingPoint, has_point
from mitools.records import Record, student_text
from mitools.tasks import Task, task_of

__all__ = ["AskedRecord", "Asking", "AskingStudent", "open_asking_student"]

_DIGITS = 6  # as in answers of a student


@dataclass(frozen=True, slots=True)
class Asking:
    """How a student is asked, and what counts as sure.

    Attributes:
        answering: the way of answering.
        confidence: what is compared with the threshold.
        threshold: the least confidence of a sure answer; None where no answer is sure.
        rationales: whether the confidence reads the student's rationale.
        point: the operating point that this comes from; None without one.
    """

    answering: Answering = PREDICT
    confidence: Confidence = field(default_factory=Confidence)
    threshold: float | None = None
    rationales: bool = False
    point: OperatingPoint | None = None

    @classmethod
    def of(cls, point: OperatingPoint, threshold: float | None = None) -> Asking:
        """Ask as for an operating point, with another threshold where one is given."""
        return cls(
            Answering(point.answer, point.draws, point.answer_weight, point.seed),  # type: ignore[arg-type]
            Confidence(point.confidence, point.temperature, point.weights),
            point.threshold if threshold is None else threshold,
            point.rationales,
            point,
        )


@dataclass(frozen=True, slots=True)
class AskedRecord:
    """A record with a student's answer.

    Attributes:
        record: as it came.
        answer: what would be its field ``student``.
        confidence: 0 to 1; None where the answer is not a possible label. A threshold is compared
            with all of its digits, as in ``mitools eval``: many answers may share one value.
        task: by which the answer is read; None means as the record says.
    """

    record: Record
    answer: Mapping[str, Any]
    confidence: float | None
    task: Task | None = None

    @property
    def written_confidence(self) -> float | None:
        """The confidence with as many digits as records hold."""
        return None if self.confidence is None else round(self.confidence, _DIGITS)


class AskingStudent:
    """A student that is asked in the way of its operating point.

    Attributes:
        opened: the student.
        asking: how it is asked.
        seconds: time that it took so far.
    """

    def __init__(self, opened: OpenedStudent, asking: Asking, task: str | None = None) -> None:
        """Prepare to ask.

        Args:
            task: the task of every record; None leaves it to the record.

        Raises:
            StudentError: the student cannot answer in this way.
        """
        check_ways(opened.student.metadata, asking.answering.way)
        self.opened = opened
        self.asking = asking
        self.seconds = 0.0
        self._task = task

    def ask(self, records: Sequence[Record]) -> list[AskedRecord]:
        """Ask for the labels of a batch, and for rationales where the confidence reads them.

        As in ``mitools eval``, a student that learned a set of labels chooses among them where a
        record names neither a task nor choices. The record itself stays as it came.

        Raises:
            StudentError: the student gave no usable number.
        """
        filled = [*with_known_labels(records, lambda: self.opened.student.metadata, self._task)]
        with self._timed():
            answers = self._answers(filled)
        return [self._asked(*parts) for parts in zip(records, filled, answers, strict=True)]

    def is_sure(self, asked: AskedRecord) -> bool:
        """Return whether the confidence is at or above the threshold."""
        threshold = self.asking.threshold
        if threshold is None or asked.confidence is None:
            return False
        return asked.confidence >= threshold

    def answered(self, batch: Sequence[AskedRecord]) -> list[Answered]:
        """Make records whose field ``teacher`` holds the student's answer and rationale."""
        with self._timed():
            rationales = self._rationales(batch)
        return [
            self._as_teacher(asked, rationale)
            for asked, rationale in zip(batch, rationales, strict=True)
        ]

    def _answers(self, records: Sequence[Record]) -> list[Mapping[str, Any]]:
        student, answering = self.opened.student, self.asking.answering
        # A label that comes from the student's own rationale comes with it.
        is_behind = student.metadata.get("order") == "rationale-label" or answering.way != "predict"
        shown = (self.asking.rationales or is_behind) and self.opened.has_rationales
        if answering.way == "predict":
            return [*predict(student, records, rationales=shown)]
        reader = Reader(student, answering, self._task)
        respondent = Respondent(reader, task=self._task, rationales=shown)
        return [answer for _, answer in respondent.answer([records])]

    def _asked(self, record: Record, filled: Record, answer: Mapping[str, Any]) -> AskedRecord:
        task = task_of(filled, self._task)
        confidence = self.asking.confidence.of({**filled, "student": answer}, task)
        return AskedRecord(record, answer, confidence, task)

    def _rationales(self, batch: Sequence[AskedRecord]) -> list[str | None]:
        """Return the rationales of a batch; only those that are missing are decoded."""
        found: list[str | None] = [asked.answer.get("rationale") for asked in batch]
        missing = [place for place, text in enumerate(found) if text is None]
        if missing and self.opened.has_rationales:
            student = self.opened.student
            inputs = [student_text(batch[place].record) for place in missing]
            labels = [batch[place].answer["label"] or "" for place in missing]
            is_behind = student.metadata.get("order") == "label-rationale"
            behind = (labels,) if is_behind else ()
            decoded = one_each(student.generate_rationales(inputs, *behind), inputs)
            for place, one in zip(missing, decoded, strict=True):
                found[place] = one.text
        return found

    def _as_teacher(self, asked: AskedRecord, rationale: str | None) -> Answered:
        record, label = asked.record, asked.answer["label"]
        task = asked.task or task_of(record, self._task)
        gold = readable_gold(record, task)
        teacher = {
            "label": label,
            "rationale": rationale or None,
            "agrees": None if gold is None else task.is_equal(label, gold),
            "model": self.opened.name,
            "by": "student",
            "student_confidence": asked.written_confidence,
        }
        return Answered({**record, "teacher": teacher}, None, 0, 0)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        began = time.perf_counter()
        try:
            yield
        finally:
            self.seconds += time.perf_counter() - began


def open_asking_student(
    folder: str,
    *,
    threshold: float | None = None,
    needs_point: bool = True,
    task: str | None = None,
    device: str | None = None,
    tokens_per_batch: int | None = None,
) -> AskingStudent:
    """Open a student with its operating point.

    Args:
        folder: of the student.
        threshold: replaces that of the operating point.
        needs_point: whether a threshold is needed. A student without an operating point answers
            as in ``mitools eval``, and its confidence is the probability of the label.
        task: the task of every record.
        device: a torch device.
        tokens_per_batch: the most tokens that the model reads at once.

    Raises:
        UsageError: there is no such device.
        StudentError: there is no student; or a threshold is needed, and it has no operating point,
            one of other weights, or one whose threshold is not known.
    """
    point = OperatingPoint.load(folder) if has_point(folder) else None
    precision = "fp32" if point is None else point.precision
    opened = open_student(Path(folder), device, tokens_per_batch, precision)  # type: ignore[arg-type]
    if threshold is None and needs_point and point is None:
        message = f"{folder} has no operating point, so it is not known when the student is sure"
        hint = (
            f'choose it: "mitools eval --student {folder} --target-accuracy 0.95 RECORDS", '
            'or set it: "--threshold 0.9"'
        )
        raise StudentError(message, hint=hint)
    if point is None:
        way, weight = settle(None, 1, None, opened.student.metadata)
        asking = Asking(Answering(way, weight=weight), threshold=threshold)
    else:  # read again, to compare the weights
        asking = Asking.of(OperatingPoint.load(folder, opened.digest), threshold)
    if needs_point and asking.threshold is None:
        target = "" if asking.point is None else f" {asking.point.target:g}"
        message = f"no threshold of {folder} reached the target{target}: no answer is sure"
        hint = 'choose a lower target with "mitools eval --target-accuracy", or set "--threshold"'
        raise StudentError(message, hint=hint)
    return AskingStudent(opened, asking, task)
