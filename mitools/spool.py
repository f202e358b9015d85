"""All records of a run in a temporary file, to be read again in order or one by one.

The file has no name, so it is gone when the process ends. Memory holds eight bytes per record. The
input may be a pipe or packed files.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import weakref
from array import array
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import IO

from mitools.bounds import OWN
from mitools.errors import OutputError
from mitools.files import input_errors
from mitools.records import Record, dump_line, parse_line

__all__ = ["Progress", "RecordSpool", "no_progress"]

Progress = Callable[
    [str, int | None], contextlib.AbstractContextManager[Callable[[int, str], None]]
]
"""Shows progress: takes a description and the total, if known. Its context takes an advance and a
text."""

_BUFFER_BYTES = 2**20


@contextlib.contextmanager
def no_progress(_what: str, _total: int | None) -> Iterator[Callable[[int, str], None]]:
    """Show nothing."""
    yield lambda _advance, _text: None


class RecordSpool:
    """Records on disk, in input order.

    The file is deleted with this object, or when it is left as a context manager.

    Raises:
        OutputError: there is not enough disk space.
    """

    def __init__(self) -> None:
        try:
            self._file = tempfile.TemporaryFile(buffering=_BUFFER_BYTES)  # noqa: SIM115
        except OSError as exc:
            raise _no_room(exc) from exc
        self._close = weakref.finalize(self, _close_quietly, self._file)
        self._ends = array("Q", [0])

    def __enter__(self) -> RecordSpool:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._close()

    def __len__(self) -> int:
        return len(self._ends) - 1

    def add(self, record: Record) -> None:
        """Append one record."""
        line = dump_line(record).encode() + b"\n"
        try:
            self._file.write(line)
        except OSError as exc:
            raise _no_room(exc) from exc
        self._ends.append(self._ends[-1] + len(line))

    def flush(self) -> None:
        """Make all added records readable; call it before the first read."""
        try:
            self._file.flush()
        except OSError as exc:
            raise _no_room(exc) from exc

    def __iter__(self) -> Iterator[Record]:
        """Yield all records; only one such pass at a time."""
        self._file.seek(0)
        with input_errors("the temporary file"):
            for line in self._file:
                yield parse_line(line.decode(), bounds=OWN)

    def numbered(self, what: str, progress: Progress) -> Iterator[tuple[int, Record]]:
        """Yield all records with their numbers, and show the progress of the pass."""
        with progress(what, len(self)) as update:
            for number, record in enumerate(self):
                update(1, "")
                yield number, record

    def __getitem__(self, index: int) -> Record:
        """Return one record, also in the middle of a pass."""
        start, end = self._ends[index], self._ends[index + 1]
        with input_errors("the temporary file"):
            line = os.pread(self._file.fileno(), end - start, start)
        return parse_line(line.decode(), bounds=OWN)


def _close_quietly(file: IO[bytes]) -> None:
    with contextlib.suppress(OSError):  # unwritten records are not needed any more
        file.close()


def _no_room(error: OSError) -> OutputError:
    folder = tempfile.tempdir or "any folder for temporary files"
    message = f"cannot keep the records in {folder}: {error.strerror or error}"
    hint = "free some space there, or name a folder with more space: TMPDIR=FOLDER"
    return OutputError(message, hint=hint)
