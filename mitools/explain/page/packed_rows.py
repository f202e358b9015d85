"""The records of the page, compressed: their rows, and their lines as ``--json`` writes them.

Both are gzip in base64, which the browser unpacks: the rows when the page opens, the lines later.
"""

from __future__ import annotations

import base64
import gzip
import tempfile
from collections.abc import Iterator
from typing import IO

__all__ = ["PackedRows"]

_LEVEL = 6
_CHUNK = 3 * 2**18  # bytes; a multiple of 3, so that the pieces of base64 can be joined


class PackedRows:
    """Rows and lines on their way into a page; a context manager.

    Attributes:
        count: rows added so far.
    """

    def __init__(self) -> None:
        self.count = 0
        self._rows, self._lines = _Packed(), _Packed()

    def __enter__(self) -> PackedRows:
        return self

    def __exit__(self, *_: object) -> None:
        self._rows.close()
        self._lines.close()

    def add(self, row: str, line: str) -> None:
        """Add a record.

        Args:
            row: JSON on one line.
            line: the record's JSON on one line.
        """
        self._rows.add(row)
        self._lines.add(line)
        self.count += 1

    def rows(self) -> Iterator[str]:
        """Yield all rows in base64; none can be added afterwards."""
        return self._rows.pieces()

    def lines(self) -> Iterator[str]:
        """Yield all lines in base64; none can be added afterwards."""
        return self._lines.pieces()


class _Packed:
    """Lines of text that are compressed into a temporary file."""

    def __init__(self) -> None:
        self._file: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115
        # Without a time, the same records give the same page.
        self._stream = gzip.GzipFile("", "wb", _LEVEL, self._file, mtime=0)

    def add(self, text: str) -> None:
        self._stream.write(f"{text}\n".encode())

    def pieces(self) -> Iterator[str]:
        self._stream.close()
        self._file.seek(0)
        while chunk := self._file.read(_CHUNK):
            yield base64.b64encode(chunk).decode()

    def close(self) -> None:
        self._stream.close()
        self._file.close()
