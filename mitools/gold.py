"""Checks of gold labels and label sets, before a teacher or a student is run on them.

An answer can never agree with a gold label that its task cannot read, and without a set of labels
teacher and student have to guess. Both would look like a bad teacher or a bad student later.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mitools.errors import MissingFieldError
from mitools.records import Record
from mitools.tasks import forms_among, task_of

__all__ = [
    "GoldCheck",
    "label_set",
    "label_to_learn",
    "teacher_answer",
    "with_known_labels",
    "with_label_sets",
]


_PLAIN_NUMBER = re.compile(r"[0-9]{1,30}(?:\.[0-9]{1,30})?")


@dataclass
class GoldCheck:
    """Counts gold labels that the record's task cannot read, and choices that look alike.

    Attributes:
        task: replaces the task of every record.
        known: number of records with a gold label.
        unreadable: number of those whose label is not a possible answer of their task.
        example: the first such label, in one line.
        example_id: the id of its record.
        example_task: the task of its record.
        alike: number of records of which two choices have the same normalized text.
        alike_example: the first two such choices.
        alike_id: the id of their record.
    """

    task: str | None = None
    known: int = 0
    unreadable: int = 0
    example: str = ""
    example_id: str = ""
    example_task: str = ""
    alike: int = 0
    alike_example: tuple[str, str] = ("", "")
    alike_id: str = ""

    def add(self, record: Record) -> bool:
        """Count a record; return False if it has a gold label that cannot be read."""
        label = record.get("label")
        name, choices = self.task or record.get("task"), record.get("choices")
        if choices and name not in ("equation", "text"):
            self._note_alike(record, choices)
        if not isinstance(label, str):
            return True
        self.known += 1
        # Most labels need no parsing, which would be the slowest step of a record.
        if name == "equation":
            is_plain = _PLAIN_NUMBER.fullmatch(label) is not None
        else:
            is_plain = name == "text" or bool(choices and label in choices)
        if is_plain:
            return True
        task = task_of(record, self.task)
        if task.is_valid(label, choices):
            return True
        self.unreadable += 1
        if self.unreadable == 1:
            self.example = label
            self.example_id, self.example_task = str(record.get("id", "")), task.name
        return False

    def watch(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield the records, and count them."""
        for record in records:
            self.add(record)
            yield record

    def _note_alike(self, record: Record, choices: Sequence[str]) -> None:
        alike = forms_among(choices).alike
        if alike is None:
            return
        self.alike += 1
        if self.alike == 1:
            self.alike_example, self.alike_id = alike, str(record.get("id", ""))

    def warnings(self) -> tuple[str | None, ...]:
        """Return the warnings, None for one that is not needed."""
        return self.warning(), self.alike_warning()

    def alike_warning(self) -> str | None:
        """Return a warning about choices that look alike; None if there are none."""
        if not self.alike:
            return None
        first, second = (_shortened(choice) for choice in self.alike_example)
        return (
            f"{self.alike:,} record{'s have' if self.alike > 1 else ' has'} choices that differ "
            f'only in case, quotes or the like, such as "{first}" and "{second}" (record '
            f"{self.alike_id}); these are compared exactly as they are written"
        )

    def warning(self) -> str | None:
        """Return a warning about gold labels that cannot be read; None if there are none."""
        if not self.unreadable:
            return None
        shown = _shortened(self.example)
        return (
            f"{self.unreadable:,} of {self.known:,} gold labels cannot be read by the task "
            f'{self.example_task} and agree with no answer, such as "{shown}" '
            f"(record {self.example_id})"
        )


def _shortened(label: str) -> str:
    """Write a label in one line; of a long one its end, where a solution has its result."""
    shown = " ".join(label.split())
    return shown if len(shown) <= 60 else f"…{shown[-59:]}"


def with_label_sets(records: Iterable[Record], task: str | None = None) -> Iterator[Record]:
    """Yield the records, and refuse the first of the task ``labels`` without a set of labels.

    Args:
        task: replaces the task of every record.

    Raises:
        MissingFieldError: a record of that task has no ``choices``.
    """
    for record in records:
        if not record.get("choices") and task_of(record, task).name == "labels":
            message = f'record "{record.get("id")}": the task labels needs the set of labels'
            hint = 'name it: "mitools load --labels A,B,C"; this also works on loaded records'
            raise MissingFieldError(message, hint=hint)
        yield record


def teacher_answer(record: Record) -> Mapping[str, Any]:
    """Return the field ``teacher``; empty where no teacher, or a student in its place, answered."""
    teacher: Mapping[str, Any] = record.get("teacher") or {}
    return {} if teacher.get("by") == "student" else teacher


def label_to_learn(
    record: Record, source: str = "auto", *, by_student: bool = False
) -> tuple[str, str | None]:
    """Choose the label that is learned from a record.

    A text of white space counts as missing.

    Args:
        record: the record.
        source: ``auto`` is gold where known, else the teacher's; ``gold`` or ``teacher`` is that
            one only.
        by_student: whether an answer that a student gave in the teacher's place counts as one.

    Returns:
        Whose label it is, ``gold`` or ``teacher``, and the label; "" and None where there is none.
    """
    teacher = (record.get("teacher") or {}) if by_student else teacher_answer(record)
    labels = {"gold": record.get("label"), "teacher": teacher.get("label")}
    for name in labels if source == "auto" else (source,):
        label = labels[name]
        if label and not label.isspace():
            return name, label
    return "", None


def label_set(metadata: Mapping[str, Any]) -> list[str] | None:
    """Return the labels that a student of the task ``labels`` learned; None if unknown."""
    labels = metadata.get("labels")
    if metadata.get("task") != "labels" or not isinstance(labels, list | tuple) or not labels:
        return None
    return list(labels) if all(isinstance(label, str) for label in labels) else None


def with_known_labels(
    records: Iterable[Record],
    metadata: Callable[[], Mapping[str, Any]] | None,
    task: str | None = None,
) -> Iterator[Record]:
    """Yield the records; those of the task ``labels``, or of none, get the student's label set.

    Args:
        metadata: returns the metadata of the student, called for the first record without choices;
            None if no student is asked.
        task: replaces the task of every record.
    """
    for record in records:
        if metadata is not None and not record.get("choices"):
            says_nothing = task is None and record.get("task") is None
            if says_nothing or task_of(record, task).name == "labels":
                known = label_set(metadata())
                record = {**record, "task": "labels", "choices": known} if known else record
        yield record
