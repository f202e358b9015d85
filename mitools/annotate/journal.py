"""The journal: every response that was paid for, kept by request, so that no one pays twice.

One SQLite file in WAL mode. A response is committed before its record is emitted and before its
place in the queue is given away, so a killed run loses at most the requests that were under way.
``synchronous=NORMAL``: a killed process loses nothing that was committed, a power cut may lose the
last moments but never damages the file.

Several processes may share a journal. Errors are kept for people to read, and are asked again.
"""

from __future__ import annotations

import contextlib
import os
import re
import sqlite3
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from mitools.errors import MitoolsError, OutputError, SourceError

__all__ = ["Entry", "Journal", "default_place"]

_APPLICATION = 0x6D69746C  # "mitl", so that another program's database is not taken for ours
_VERSION = 1
_CHECKED_BYTES = 100_000_000  # larger files would make every start wait
_BUSY_SECONDS = 60

_TABLE = """
CREATE TABLE IF NOT EXISTS responses (
  key TEXT PRIMARY KEY,      -- SHA-256 of body, provider and sample
  kind TEXT NOT NULL,        -- ok, or the kind of error
  response TEXT NOT NULL,    -- the server's JSON as it came, or the error's message
  record TEXT NOT NULL,      -- id of the record that asked first
  sample INTEGER NOT NULL,
  created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
)
"""
_FIND = "SELECT key, kind, response, record, sample FROM responses WHERE key = ?"
_STORE = """
INSERT INTO responses (key, kind, response, record, sample) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (key) DO UPDATE SET kind = excluded.kind, response = excluded.response,
  created = CURRENT_TIMESTAMP WHERE responses.kind <> 'ok'
"""


@dataclass(frozen=True, slots=True)
class Entry:
    """One response: ``kind`` is ``ok`` and ``response`` the server's JSON, or an error's."""

    key: str
    kind: str
    response: str
    record: str = ""
    sample: int = 0


def default_place(model: str) -> Path:
    """Say where the journal of a model is kept: the user's cache folder."""
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = re.sub(r"[^\w.-]+", "-", model).strip("-.") or "model"
    return base / "mitools" / "annotate" / f"{name}.sqlite3"


class Journal:
    """An open journal. Lookups and writes may come from any thread."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        """Open or make it.

        Raises:
            SourceError: it is damaged, or no journal.
            OutputError: it cannot be made or written.
        """
        self.path = Path(path)
        self._reading, self._writing = threading.Lock(), threading.Lock()
        with self._errors():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._for_writing = _connect(self.path)
            try:
                self._prepare(self._for_writing)
                self._for_reading = _connect(self.path)  # a lookup need not wait for a commit
            except BaseException:
                self._for_writing.close()
                raise

    def find(self, key: str) -> Entry | None:
        """Look a request up.

        Raises:
            SourceError: the journal is damaged.
        """
        try:
            with self._reading:
                row = self._for_reading.execute(_FIND, (key,)).fetchone()
        except sqlite3.Error as exc:
            raise self._explained(exc) from exc
        return None if row is None else Entry(*row)

    def write(self, entries: Iterable[Entry]) -> None:
        """Write responses, all in one commit; an answer is never replaced.

        Raises:
            OutputError: they cannot be written; none of them is.
        """
        rows = [(e.key, e.kind, e.response, e.record, e.sample) for e in entries]
        with self._errors(), self._writing:
            self._for_writing.execute("BEGIN IMMEDIATE")
            try:
                self._for_writing.executemany(_STORE, rows)
                self._for_writing.execute("COMMIT")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._for_writing.execute("ROLLBACK")
                raise

    def close(self) -> None:
        """Close the file."""
        with self._errors(), self._reading, self._writing:
            self._for_reading.close()
            self._for_writing.close()

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Make sure that this is a sound journal; make one of an empty file."""
        connection.execute("BEGIN")  # one view of the file, which another process may be making
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute("COMMIT")
        if tables and application != _APPLICATION:
            hint = 'name another file with "--journal"'
            raise SourceError(f"{self.path} is a database, but no journal", hint=hint)
        if version > _VERSION:
            message = f"journal {self.path} was made by a newer mitools"
            raise SourceError(message, hint='upgrade with "pip install -U mitools"')
        if self.path.stat().st_size <= _CHECKED_BYTES:
            (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if verdict != "ok":
                raise sqlite3.DatabaseError(verdict)
        _enter_wal(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        if not tables:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(_TABLE)
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {_VERSION}")
            connection.execute("COMMIT")

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as exc:
            raise self._explained(exc) from exc

    def _explained(self, exc: sqlite3.Error | OSError) -> MitoolsError:
        """Say in our own words what SQLite and the file system say."""
        another = 'use another place with "--journal PATH", or none with "--no-journal"'
        if isinstance(exc, OSError):
            return OutputError(f"journal {self.path}: {exc.strerror or exc}", hint=another)
        if isinstance(exc, sqlite3.OperationalError):
            hint = "free some space and run again" if "full" in str(exc) else another
            return OutputError(f"journal {self.path}: {exc}", hint=hint)
        hint = (
            f'save what can be saved with "sqlite3 {self.path} .recover | sqlite3 NEW" and go '
            'on with "--journal NEW", or move it away and pay again'
        )
        message = f"journal {self.path} is damaged ({exc}); nothing in it was changed"
        return SourceError(message, hint=hint)


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )


def _enter_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL; SQLite does not wait by itself while another process does the same."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as exc:
            if "locked" not in str(exc) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
