"""Open what stands before the teacher, from the options."""

from __future__ import annotations

from mitools.annotate.notices import Notices
from mitools.annotate.options import AnnotateOptions
from mitools.cascade.options import CascadeOptions
from mitools.cascade.selection import Selection
from mitools.cascade.sure_answers import SureAnswers

__all__ = ["open_front"]


def open_front(
    cascade: CascadeOptions, options: AnnotateOptions, notices: Notices | None = None
) -> SureAnswers | Selection | None:
    """Open the student of the options, before any record is read.

    Args:
        cascade: which student, and what it decides.
        options: of the teacher; the task is read.
        notices: receive what there is to say about the operating point, also while records are
            read.

    Returns:
        None where the teacher is asked about every record.

    Raises:
        UsageError: the options do not go together.
        StudentError: the student or its operating point cannot be used.
    """
    cascade.check()
    if cascade.random is not None:
        return Selection(cascade.random, cascade.seed)
    if cascade.student is None:
        return None
    from mitools.cascade.ask_student import open_asking_student

    student = open_asking_student(
        cascade.student,
        threshold=cascade.threshold,
        needs_point=cascade.answers,
        task=options.task,
        device=cascade.device,
        tokens_per_batch=cascade.tokens_per_batch,
    )
    if cascade.least_sure is not None:
        count, seed, size = cascade.least_sure, cascade.seed, cascade.batch_size
        return Selection(count, seed, student, size, spreads=cascade.spreads)
    point = student.asking.point
    if point is not None and point.reference == "teacher" and cascade.threshold is None:
        text = "the operating point states agreement with the teacher, not accuracy"
        (notices or Notices()).note(text)
    return SureAnswers(student, cascade.batch_size, notices if cascade.threshold is None else None)
