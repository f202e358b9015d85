"""The stage as one function: records in, records with the teacher's answers out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mitools.annotate.failures import open_failures
from mitools.annotate.notices import Notices
from mitools.annotate.open_teacher import open_teacher
from mitools.annotate.options import AnnotateOptions
from mitools.annotate.protocol import Front
from mitools.annotate.run import AnnotationRun
from mitools.records import Reader, Record

__all__ = ["annotate_records"]


def annotate_records(
    records: Iterable[Record],
    options: AnnotateOptions,
    *,
    notices: Notices | None = None,
    front: Front | None = None,
) -> Iterator[Record]:
    """Let a teacher answer and explain each record, as ``mitools annotate`` does.

    Memory is bounded: four records are held for each request in flight. Answers are kept in the
    journal as they arrive, so a run that is broken off goes on where it stopped. Closing the
    iterator, or leaving its loop by an error, cancels what is in flight and closes the journal.

    Args:
        records: with ``input``; those without ``id`` get one. They are taken in a thread of the
            run's own, so a generator that is used elsewhere must not be given.
        options: which teacher is asked, and how.
        notices: receive warnings and notes; without it they are dropped.
        front: decides which records the teacher is asked about; without it, all of them.

    Yields:
        Each record with its field ``teacher``, in input order unless the options say otherwise. A
        record without an answer says why in ``teacher.error``.

    Raises:
        UsageError: the options do not go together.
        DataError: a record is not valid.
        TeacherError: no further request can succeed; raised after all answers that arrived.
        SourceError, OutputError: a file cannot be read or written.

    Example:
        >>> problem = {"id": "a", "input": "One and one?", "label": "2", "task": "equation"}
        >>> replayed = {**problem, "completion": "1 + 1 = 2. The answer is 2."}
        >>> [record] = annotate_records([replayed], AnnotateOptions(teacher="replay"))
        >>> record["teacher"]["rationale"], record["teacher"]["agrees"]
        ('1 + 1 = 2.', True)
    """
    options.check()
    if front is not None:
        options.check_front()
    return _annotated(records, options, notices or Notices(), front)


def _annotated(
    records: Iterable[Record], options: AnnotateOptions, notices: Notices, front: Front | None
) -> Iterator[Record]:
    with (
        open_teacher(options, notices) as opened,
        open_failures(options.on_failure) as handle_failure,
        AnnotationRun(
            opened.first_asked(_admitted(records)),
            opened.teacher,
            options,
            handle_failure=handle_failure,
            front=front,
        ) as run,
    ):
        yield from run
    if warning := run.gold.warning():
        notices.warn(warning)


def _admitted(records: Iterable[Record]) -> Iterator[Record]:
    """Validate records and give ids, as for lines of a file."""
    reader = Reader(needs=("input",))
    yield from reader.admit_objects(records)
    reader.check_not_empty(["the records"])
