"""All records of a run in a temporary file, so that they can be read twice and one by one.

The file has no name: it is gone when the stage ends, however it ends. What stays in memory is
eight bytes a record. Where the input comes from, a pipe or packed files, makes no difference.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from array import array
from collections.abc import Callable, Iterator
from types import TracebackType

from mitools.bounds import OWN
from mitools.errors import OutputError
from mitools.files import input_errors
from mitools.records import Record, dump_line, parse_line

__all__ = ["Progress", "RecordSpool"]

Progress = Callable[
    [str, int | None], contextlib.AbstractContextManager[Callable[[int, str], None]]
]
"""Show how far something is: what, and of how many. What it opens takes an advance and a text."""

_BUFFER_BYTES = 2**20


class RecordSpool:
    """Records on disk, in the order in which they came; a context that ends with them.

    Raises:
        OutputError: there is no room for them.
    """

    def __init__(self) -> None:
        try:
            self._file = tempfile.TemporaryFile(buffering=_BUFFER_BYTES)  # noqa: SIM115
        except OSError as exc:
            raise _no_room(exc) from exc
        self._ends = array("Q", [0])

    def __enter__(self) -> RecordSpool:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):  # what could not be written is not wanted any more
            self._file.close()

    def __len__(self) -> int:
        return len(self._ends) - 1

    def add(self, record: Record) -> None:
        line = dump_line(record).encode() + b"\n"
        try:
            self._file.write(line)
        except OSError as exc:
            raise _no_room(exc) from exc
        self._ends.append(self._ends[-1] + len(line))

    def flush(self) -> None:
        """Let what was added be read; before the first reading."""
        try:
            self._file.flush()
        except OSError as exc:
            raise _no_room(exc) from exc

    def __iter__(self) -> Iterator[Record]:
        """Give all records; one such pass at a time."""
        self._file.seek(0)
        with input_errors("the temporary file"):
            for line in self._file:
                yield parse_line(line.decode(), bounds=OWN)

    def numbered(self, what: str, progress: Progress) -> Iterator[tuple[int, Record]]:
        """Give all records with their numbers, and show how far the pass is."""
        with progress(what, len(self)) as update:
            for number, record in enumerate(self):
                update(1, "")
                yield number, record

    def __getitem__(self, index: int) -> Record:
        """Fetch one record, also in the middle of a pass."""
        start, end = self._ends[index], self._ends[index + 1]
        with input_errors("the temporary file"):
            line = os.pread(self._file.fileno(), end - start, start)
        return parse_line(line.decode(), bounds=OWN)


def _no_room(error: OSError) -> OutputError:
    folder = tempfile.tempdir or "any folder for temporary files"
    message = f"cannot keep the records in {folder}: {error.strerror or error}"
    hint = "free some space there, or name a roomier folder: TMPDIR=FOLDER"
    return OutputError(message, hint=hint)
