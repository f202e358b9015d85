"""The weight λ of a student's two readings of the label, fitted on validation records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from mitools.asking.answering import Answering, Way
from mitools.asking.combine import Candidates, WeightFit, fit_weight
from mitools.asking.reader import Reader
from mitools.asking.readings import Reading, answer
from mitools.records import Record
from mitools.tasks import task_of

if TYPE_CHECKING:
    from mitools.student.protocol import Student

__all__ = ["count_right", "fit_readings", "read_records", "which_are_gold"]

_BATCH = 64


def which_are_gold(record: Record, candidates: Candidates, task: str | None = None) -> list[bool]:
    """State for each candidate whether it equals the gold label: [N]."""
    compared, gold = task_of(record, task), record.get("label")
    return [compared.is_equal(label, gold) for label in candidates.labels]


def read_records(student: Student, records: Iterable[Record]) -> list[tuple[Record, Reading]]:
    """Ask a student by both readings, with its greedy rationale.

    Args:
        student: one that has both readings.
        records: what is asked about.

    Raises:
        StudentError: the student gave no usable number.
    """
    reader, rest = Reader(student, Answering("both")), iter(records)
    found: list[tuple[Record, Reading]] = []
    while chunk := list(islice(rest, _BATCH)):
        found += zip(chunk, reader.read(chunk, rationales=False), strict=True)
    return found


def fit_readings(pairs: Sequence[tuple[Record, Reading]]) -> WeightFit:
    """Fit the weight of the two readings.

    Args:
        pairs: records with gold labels, and what the student gave for each.

    Returns:
        λ, fitted on the records whose gold label is one of several possible answers; ½ and 0
        records where there is none.
    """
    return fit_weight(
        [
            (reading.candidates, which_are_gold(record, reading.candidates))
            for record, reading in pairs
            if reading.candidates is not None
        ]
    )


def count_right(pairs: Sequence[tuple[Record, Reading]], way: Way, fit: WeightFit) -> int:
    """Count the records that one way answers with their gold label.

    Args:
        pairs: records with gold labels, and what the student gave for each.
        way: a way in which it can answer.
        fit: λ of the way ``both``.
    """
    return sum(
        task_of(record).is_equal(answer(reading, way, fit)["label"], record["label"])
        for record, reading in pairs
    )
