"""What ``mitools annotate`` does with a record that got no answer."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator

from mitools.errors import DataError, TeacherError
from mitools.files import appended_output
from mitools.records import Record, Writer, parse_line
from mitools.schema import get_path

__all__ = ["OnFailure", "failures"]

OnFailure = Callable[[Record], Record | None]


@contextlib.contextmanager
def failures(choice: str) -> Iterator[OnFailure | None]:
    """Give what is called with each record that got no answer."""
    if choice == "emit":
        yield None
    elif choice == "fail":
        yield _raise_failure
    else:
        path = choice.removeprefix("divert:")
        with appended_output(path, _is_failure) as stream:
            yield Writer(stream).write


def _is_failure(line: bytes) -> bool:
    """Tell whether the first line of a file is a record that got no answer."""
    try:
        record = parse_line(line.decode())
    except (ValueError, DataError):
        return False
    return get_path(record, "teacher.error") is not None


def _raise_failure(record: Record) -> None:
    error = record["teacher"]["error"]
    message = f"record {record['id']!r} got no answer: {error['kind']}: {error['message']}"
    raise TeacherError(message, hint='to go on without it: "--on-failure emit" or "divert:FILE"')
