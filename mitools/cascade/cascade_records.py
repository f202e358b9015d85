"""Annotate with a student before the teacher, as one function."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mitools.annotate.annotate_records import annotate_records
from mitools.annotate.notices import Notices
from mitools.annotate.options import AnnotateOptions
from mitools.cascade.open_front import open_front
from mitools.cascade.options import CascadeOptions
from mitools.records import Record

__all__ = ["cascade_records"]


def cascade_records(
    records: Iterable[Record],
    options: AnnotateOptions,
    cascade: CascadeOptions,
    *,
    notices: Notices | None = None,
) -> Iterator[Record]:
    """Let a student answer what it is sure of, and a teacher the rest.

    With ``least_sure`` or ``random``, the teacher is asked about so many records, and all others
    pass on as they are.

    Args:
        records: as for :func:`~mitools.annotate.annotate_records.annotate_records`.
        options: of the teacher.
        cascade: of the student.
        notices: receive warnings and notes; without it they are dropped.

    Yields:
        Each record; ``teacher.by`` says who answered it.

    Raises:
        UsageError: the options do not go together.
        StudentError: the student or its operating point cannot be used.
        DataError, TeacherError, SourceError, OutputError: as for annotate.
    """
    front = open_front(cascade, options, notices)
    return annotate_records(records, options, notices=notices, front=front)
