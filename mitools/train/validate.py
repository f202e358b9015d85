"""Label accuracy during training, on records that training does not see."""

from __future__ import annotations

from collections.abc import Sequence

from mitools.records import parse_line
from mitools.student.api import Student
from mitools.tasks import task_of

__all__ = ["measure_accuracy"]


def measure_accuracy(student: Student, lines: Sequence[str]) -> float:
    """Share of records whose label the student gets right, by the task's own equality.

    Unit: share, 0 to 1; higher is better. Records without a label are left out; 0 where none is
    left. A record with choices is answered by the choice with the highest score.

    Args:
        student: the model in training, as one asks it later.
        lines: records as JSON, each with ``input``, ``label``, ``task`` and maybe ``choices``.
    """
    records = [record for record in map(parse_line, lines) if record["label"] is not None]
    closed = [record for record in records if record.get("choices")]
    open_ended = [record for record in records if not record.get("choices")]
    answers = _choose(student, closed) + [
        found.text for found in student.generate_labels([record["input"] for record in open_ended])
    ]
    right = [
        task_of(record).is_equal(answer, record["label"])
        for record, answer in zip(closed + open_ended, answers, strict=True)
    ]
    return sum(right) / max(1, len(right))


def _choose(student: Student, records: Sequence[dict[str, object]]) -> list[str]:
    choices: list[list[str]] = [list(record["choices"]) for record in records]  # type: ignore[call-overload]
    scores = student.score_choices([str(record["input"]) for record in records], choices)
    return [
        row[max(range(len(row)), key=row_scores.__getitem__)]
        for row, row_scores in zip(choices, scores, strict=True)
    ]
