"""Gold labels and label sets, checked before anything is spent on them.

A gold label that its task cannot read agrees with no answer; a set of labels that nobody named
leaves teacher and student to guess. Both look like a bad teacher or a bad student afterwards.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mitools.errors import MissingFieldError
from mitools.records import Record
from mitools.tasks import task_of

__all__ = ["GoldCheck", "label_set", "with_known_labels", "with_label_sets"]


_PLAIN_NUMBER = re.compile(r"[0-9]{1,30}(?:\.[0-9]{1,30})?")


@dataclass
class GoldCheck:
    """Counts gold labels that the record's task cannot read.

    Attributes:
        task: the task of every record, whatever it says itself.
        known: records with a gold label.
        unreadable: those whose label is not a possible answer of their task.
        example: the first such label, in one line.
        example_id: the record that it is of.
        example_task: the task that cannot read it.
    """

    task: str | None = None
    known: int = 0
    unreadable: int = 0
    example: str = ""
    example_id: str = ""
    example_task: str = ""

    def add(self, record: Record) -> bool:
        """Count a record; False where it has a gold label that cannot be read."""
        label = record.get("label")
        if not isinstance(label, str):
            return True
        self.known += 1
        name, choices = self.task or record.get("task"), record.get("choices")
        # Most labels need no closer look, which would take longer than all else in a row.
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
        """Pass records on and count them."""
        for record in records:
            self.add(record)
            yield record

    def warning(self) -> str | None:
        """Say how many gold labels cannot be read; None where all can."""
        if not self.unreadable:
            return None
        shown = " ".join(self.example.split())
        shown = shown if len(shown) <= 60 else f"…{shown[-59:]}"
        return (
            f"{self.unreadable:,} of {self.known:,} gold labels cannot be read by the task "
            f'{self.example_task} and agree with no answer, such as "{shown}" '
            f"(record {self.example_id})"
        )


def with_label_sets(records: Iterable[Record], task: str | None = None) -> Iterator[Record]:
    """Pass records on, and refuse the first of the task ``labels`` that does not name its labels.

    Args:
        task: the task of every record, whatever it says itself.

    Raises:
        MissingFieldError: a record of that task has no ``choices``.
    """
    for record in records:
        if not record.get("choices") and task_of(record, task).name == "labels":
            message = f'record "{record.get("id")}": the task labels needs the set of labels'
            hint = 'name it: "mitools load --labels A,B,C", for records loaded before as well'
            raise MissingFieldError(message, hint=hint)
        yield record


def label_set(metadata: Mapping[str, Any]) -> list[str] | None:
    """Give the labels that a student of the task ``labels`` was taught; None where unknown."""
    labels = metadata.get("labels")
    if metadata.get("task") != "labels" or not isinstance(labels, list | tuple) or not labels:
        return None
    return list(labels) if all(isinstance(label, str) for label in labels) else None


def with_known_labels(
    records: Iterable[Record],
    metadata: Callable[[], Mapping[str, Any]] | None,
    task: str | None = None,
) -> Iterator[Record]:
    """Pass records on; those of the task ``labels``, or of none, get the student's label set.

    Args:
        metadata: what the student says about itself, asked for when the first record without
            choices arrives; None where no student is asked.
        task: the task of every record, whatever it says itself.
    """
    for record in records:
        if metadata is not None and not record.get("choices"):
            says_nothing = task is None and record.get("task") is None
            if says_nothing or task_of(record, task).name == "labels":
                known = label_set(metadata())
                record = {**record, "task": "labels", "choices": known} if known else record
        yield record
