"""Handling of records without an answer: pass on, end the run, or write to a file."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from mitools.annotate.run import OnFailure
from mitools.errors import DataError, TeacherError
from mitools.files import appended_output
from mitools.records import Record, Writer, parse_line
from mitools.schema import get_path

__all__ = ["open_failures"]


@contextlib.contextmanager
def open_failures(choice: str) -> Iterator[OnFailure | None]:
    """Open the handler of records without an answer; None if all are passed on.

    Args:
        choice: ``emit``, ``fail`` or ``divert:FILE``.

    Raises:
        OutputError: the file cannot be written, or holds something else.
    """
    if choice == "emit":
        yield None
    elif choice == "fail":
        yield _raise_failure
    else:
        path = choice.removeprefix("divert:")
        with appended_output(path, _is_failure) as stream:
            yield Writer(stream).write


def _is_failure(line: bytes) -> bool:
    """Tell whether the first line of a file is a record without an answer."""
    try:
        record = parse_line(line.decode())
    except (ValueError, DataError):
        return False
    return get_path(record, "teacher.error") is not None


def _raise_failure(record: Record) -> None:
    error = record["teacher"]["error"]
    message = f"record {record['id']!r} got no answer: {error['kind']}: {error['message']}"
    hint = 'to continue without it: "--on-failure emit" or "--on-failure divert:FILE"'
    raise TeacherError(message, hint=hint)
