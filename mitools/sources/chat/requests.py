"""The questions of a batch, by the id of each line, on disk: they may be larger than memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Any

from mitools.bounds import DEFAULTS, Bounds
from mitools.errors import MissingFieldError, SourceError, Where
from mitools.lines import line_rows, parse_line
from mitools.records import Record

__all__ = ["Requests"]

_HINT = "each line needs a custom_id, and the request in body"


class Requests:
    """Finds the request of a batch by its ``custom_id``.

    The file is the one that was sent: a line is a JSON object with ``custom_id`` and ``body``.
    """

    def __init__(self, path: str, bounds: Bounds = DEFAULTS) -> None:
        """Index the file.

        Raises:
            SourceError: it cannot be read, or two requests have one id.
            DataError: a line has no ``custom_id``.
        """
        self._path = path
        # The name "" gives a temporary file that is deleted when the connection closes.
        self._index = sqlite3.connect("", check_same_thread=False, isolation_level=None)
        self._index.execute("CREATE TABLE requests (id TEXT PRIMARY KEY, line BLOB)")
        self._bounds = bounds
        try:
            self._fill(path)
        except BaseException:
            self._index.close()
            raise

    def _fill(self, path: str) -> None:
        self._index.execute("BEGIN")
        lines = _lines(path, self._bounds)
        try:
            self._index.executemany("INSERT INTO requests VALUES (?, ?)", lines)
        except sqlite3.IntegrityError as exc:
            message = f"{path} has two requests with the same custom_id"
            raise SourceError(message, hint="give the file of one batch") from exc
        self._index.execute("COMMIT")

    def find(self, name: Any) -> Record | None:
        """Return the request with an id; None if there is none."""
        if not isinstance(name, str):
            return None
        query = "SELECT line FROM requests WHERE id = ?"
        row = self._index.execute(query, (_key(name),)).fetchone()
        if row is None:
            return None
        return parse_line(bytes(row[0]).decode(), Where(self._path), self._bounds)

    def close(self) -> None:
        self._index.close()


def _key(name: str) -> str:
    return name.encode("utf-8", "replace").decode()


def _lines(path: str, bounds: Bounds) -> Iterator[tuple[str, bytes]]:
    for row in line_rows(path, bounds):
        name = row.parse().get("custom_id")
        if not isinstance(name, str):
            message = 'field "custom_id" is missing'
            raise MissingFieldError(message, where=row.where, hint=_HINT)
        line = row.line()
        yield _key(name), line if isinstance(line, bytes) else line.encode()
