"""Apply a student's saved operating point where ``--sure`` or ``--suspects`` needs it.

An operating point holds for one way of answering: the student is then asked in that way.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from mitools.asking.answering import Answering
from mitools.errors import UsageError
from mitools.operating.point import OperatingPoint, has_point

if TYPE_CHECKING:
    from mitools.asking.predict import OpenedStudent
    from mitools.explain.options import ExplainOptions
    from mitools.records import Record

__all__ = ["answering_of_point", "mark", "saved_point"]


def saved_point(opened: OpenedStudent) -> OperatingPoint | None:
    """Load the operating point of a student; None if it has none.

    Raises:
        StudentError: its file is damaged, of a newer mitools, or belongs to other weights.
    """
    if opened.folder is None or not has_point(opened.folder):
        return None
    return OperatingPoint.load(opened.folder, opened.digest)


def answering_of_point(point: OperatingPoint, options: ExplainOptions) -> Answering:
    """Return the way of answering that an operating point holds for.

    Raises:
        UsageError: the options ask for another one.
    """
    way = Answering(point.answer, point.draws, point.answer_weight, point.seed)  # type: ignore[arg-type]
    for name, wanted, default in (
        ("answer", way.way, None),
        ("draws", way.draws, 1),
        ("answer_weight", way.weight, None),
    ):
        given = getattr(options, name)
        if given not in (default, wanted):
            option = f"--{name.replace('_', '-')}"
            raise UsageError(
                f"the operating point of {options.student} was chosen with {option} {wanted}",
                hint=f"drop {option}, or choose another point: "
                f'"mitools eval --student {shlex.quote(str(options.student))} {option} {given} '
                '--target-accuracy 0.95"',
            )
    return way


def mark(record: Record, point: OperatingPoint, task: str | None) -> Record:
    """Mark in ``scores.sure`` whether the confidence of an answer reaches the threshold."""
    scores = record.get("scores") or {}
    return {**record, "scores": {**scores, "sure": point.is_sure(record, task)}}
