"""The weight λ of a student's two readings of the label, fitted on validation records."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import TYPE_CHECKING

from mitools.asking.answering import Answering
from mitools.asking.combine import Candidates, WeightFit, fit_weight
from mitools.asking.reader import Reader
from mitools.records import Record
from mitools.tasks import task_of

if TYPE_CHECKING:
    from mitools.student.protocol import Student

__all__ = ["fit_student", "which_are_gold"]

_BATCH = 64


def which_are_gold(record: Record, candidates: Candidates, task: str | None = None) -> list[bool]:
    """State for each candidate whether it equals the gold label: [N]."""
    compared, gold = task_of(record, task), record.get("label")
    return [compared.is_equal(label, gold) for label in candidates.labels]


def fit_student(student: Student, records: Iterable[Record]) -> WeightFit:
    """Ask a student by both readings, with its greedy rationale, and fit their weight.

    Args:
        student: one that has both readings.
        records: with gold labels.

    Returns:
        λ, fitted on the records whose gold label is one of several possible answers; ½ and 0
        records where there is none.

    Raises:
        StudentError: the student gave no usable number.
    """
    reader, rest, judged = Reader(student, Answering("both")), iter(records), []
    while chunk := list(islice(rest, _BATCH)):
        for record, reading in zip(chunk, reader.read(chunk, rationales=False), strict=True):
            if reading.candidates is not None:
                judged.append((reading.candidates, which_are_gold(record, reading.candidates)))
    return fit_weight(judged)
