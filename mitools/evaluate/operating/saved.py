"""The operating point that is saved with a student, where it applies to an evaluation."""

from __future__ import annotations

from collections.abc import Callable

from mitools.asking.predict import OpenedStudent
from mitools.errors import StudentError
from mitools.evaluate.options import EvalOptions
from mitools.operating.point import OperatingPoint, has_point

__all__ = ["saved_point"]


def saved_point(
    opened: OpenedStudent, options: EvalOptions, warn: Callable[[str], None]
) -> OperatingPoint | None:
    """Load the operating point in the folder of a student.

    Args:
        opened: the student.
        options: how it answers.
        warn: receives the reason where there is a point that does not apply.

    Returns:
        None without one that applies.
    """
    if opened.folder is None or not has_point(opened.folder):
        return None
    try:
        point = OperatingPoint.load(opened.folder, opened.digest)
    except StudentError as exc:
        warn(f"the operating point is not used: {exc}")
        return None
    chosen_for = (point.answer, point.draws, point.answer_weight, point.precision)
    ours = (options.answering.way, options.draws, options.answer_weight, options.precision)
    if chosen_for != ours:
        weight = "" if point.answer_weight is None else f" --answer-weight {point.answer_weight}"
        precision = "" if point.precision == "fp32" else f" --precision {point.precision}"
        asked = f"--answer {point.answer} --draws {point.draws}{weight}{precision}"
        warn(f'the operating point is not used: it was chosen for "{asked}"')
        return None
    if point.rationales and not (options.rationales and opened.has_rationales):
        warn("the operating point is not used: its confidence reads rationales")
        return None
    if point.calibrated_on == "test" and options.split in (None, "test", "all"):
        warn(
            "half of the test records chose the saved operating point; "
            "the figures above its threshold are optimistic"
        )
    return point
