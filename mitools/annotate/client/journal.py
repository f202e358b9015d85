"""The journal: an SQLite file of responses by request key, so no request is paid for twice.

The file is in WAL mode. A response is committed before its record is emitted and before its place
in the pace is released, so a killed run loses at most the requests in flight.
``synchronous=NORMAL``: a killed process loses nothing that was committed; a power cut may lose the
last commits but does not damage the file.

Several processes may share a journal. Errors are stored for people to read, and requested again.

Opening it for writing makes a test write. If a later commit fails, or if the file is deleted,
renamed or replaced while it is in use, its responses go to a rescue file beside it
(:mod:`mitools.annotate.client.rescue`), which the next opening takes in.
"""

from __future__ import annotations

import contextlib
import os
import re
import shlex
import sqlite3
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import islice
from pathlib import Path

from mitools.annotate.client.rescue import Entry, find_rescued, read_rescued, write_rescue
from mitools.annotate.client.sqlite_text import from_sqlite, to_sqlite
from mitools.errors import MitoolsError, OutputError, SourceError

__all__ = ["IN_BATCH", "UNREAD", "Entry", "Journal", "default_place"]

UNREAD = "unread"
"""Kind of a success whose body is not an answer; stored under a separate key, for people."""

IN_BATCH = "in_batch"
"""Kind of an entry whose request is in a batch at the endpoint; its response names the batch."""

_MAGIC = b"SQLite format 3\0"
_APPLICATION = 0x6D69746C  # "mitl"; tells a journal from other databases
_VERSION = 1
_CHECKED_BYTES = 100_000_000  # checking larger files would delay every start
_BUSY_SECONDS = 60
_MOST_RECENT = 4_000_000  # characters; as much as SQLite leaves in the log file by default

# What SQLite raises if the file is intact but cannot be written.
_REFUSALS = (sqlite3.OperationalError, sqlite3.DataError, sqlite3.ProgrammingError)

_TABLE = """
CREATE TABLE IF NOT EXISTS responses (
  key TEXT PRIMARY KEY,      -- SHA-256 of body, provider and sample
  kind TEXT NOT NULL,        -- ok, or the kind of error
  response TEXT NOT NULL,    -- the server's JSON as it came, or the error's message
  record TEXT NOT NULL,      -- id of the record that asked first
  sample INTEGER NOT NULL,   -- from 0; -1 for a text that was scored
  created TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
)
"""
_FIND = "SELECT key, kind, response, record, sample FROM responses WHERE key = ?"
_EVERY = "SELECT key, kind, response, record, sample FROM responses"
_NAME = "UPDATE responses SET record = ?, sample = ? WHERE key IN (?, ?) AND record = ''"
_RECORDS = "SELECT key, record FROM responses WHERE sample >= 0 ORDER BY rowid"
_STORE = """
INSERT INTO responses (key, kind, response, record, sample) VALUES {}
ON CONFLICT (key) DO UPDATE SET kind = excluded.kind, response = excluded.response,
  created = CURRENT_TIMESTAMP WHERE responses.kind <> 'ok'
"""


# A statement releases the GIL; getting it back takes milliseconds while the event loop is busy.
# So many rows go into one statement.
_ROWS_A_STATEMENT = 100


@cache
def _store_sql(rows: int) -> str:
    return _STORE.format(", ".join(["(?, ?, ?, ?, ?)"] * rows))


def default_place(model: str) -> Path:
    """Return the default path of a model's journal, in the user's cache folder."""
    if sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    elif os.name == "nt":
        base = Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    name = re.sub(r"[^\w.-]+", "-", model).strip("-.") or "model"
    return base / "mitools" / "annotate" / f"{name}.sqlite3"


class Journal:
    """An open journal. Lookups and writes may come from any thread.

    Attributes:
        path: of the file.
        is_read_only: whether it is only read.
        has_written: whether a response was written since it was opened.
    """

    def __init__(self, path: str | os.PathLike[str], *, is_read_only: bool = False) -> None:
        """Open or create it, and take in its rescue files.

        Args:
            path: of the file.
            is_read_only: whether it is only read.

        Raises:
            SourceError: it is damaged, or not a journal.
            OutputError: it cannot be made or written.
        """
        self.path = Path(path)
        self.is_read_only = is_read_only
        self._reading, self._writing = threading.Lock(), threading.Lock()
        self.has_written = False
        self._is_displaced = False
        self._is_rescued = False
        self._is_closed = False
        self._recent: list[Entry] = []
        self._recent_size = 0
        with self._errors():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._for_writing = _connect(self.path)
            try:
                self._prepare(self._for_writing)
                self._identity = _identity(self.path)
                if not is_read_only:
                    self._try_writing()
                    self._take_in_rescued()
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
        return None if row is None else _entry(row)

    def keys_by_record(self) -> Iterator[tuple[str, str]]:
        """Yield the id of each record that asked for an answer, and the key of its request.

        Raises:
            SourceError: the journal is damaged.
        """
        try:
            with self._reading:
                rows = self._for_reading.execute(_RECORDS).fetchall()
        except sqlite3.Error as exc:
            raise self._explained(exc) from exc
        for key, record in rows:
            yield record if isinstance(record, str) else from_sqlite(record), key

    def write(self, entries: Iterable[Entry]) -> None:
        """Write responses in one commit; an answer is never replaced.

        Raises:
            OutputError: they cannot be written, or the file is no longer at its path.
        """
        entries = list(entries)
        with self._errors(), self._writing:
            self._check_place()
            self.has_written = True
            self._store(entries)
            self._remember(entries)
            self._check_place()

    def name(self, names: Iterable[tuple[str, str, int]]) -> None:
        """State which record asked for a response, where that is not known.

        Args:
            names: key of a request, id of the record, and sample.

        Raises:
            OutputError: it cannot be written, or the file is no longer at its path.
        """
        rows = [(to_sqlite(r), sample, key, f"{key}/{UNREAD}") for key, r, sample in names]
        with self._errors(), self._writing:
            self._check_place()
            with self._transaction():
                self._for_writing.executemany(_NAME, rows)

    def rescue(self, entries: Sequence[Entry], reason: MitoolsError) -> OutputError:
        """Write entries that :meth:`write` could not write to a rescue file.

        If the journal is no longer at its path, all its entries are added, once.

        Returns:
            The error to raise: the reason, and the path of the rescue file.
        """
        with self._writing:
            kept = [*entries]
            if self._is_displaced and not self._is_rescued:
                self._is_rescued = True
                kept += self._all_entries()
            try:
                place = write_rescue(self.path, kept)
            except OSError as exc:
                message = (
                    f"{reason.message}; its last answers cannot be kept anywhere else either: {exc}"
                )
                return OutputError(message, hint=reason.hint)
        hint = f"its answers are in {place}, which the next run takes in"
        if place.parent != self.path.parent:
            hint = f"its answers are in {place}: move it beside the journal for the next run"
        return OutputError(reason.message, hint=hint)

    def close(self) -> None:
        """Close the file; a second call does nothing.

        Raises:
            OutputError: the file that was written is no longer at its path.
        """
        if self._is_closed:
            return
        self._is_closed = True
        lost: OutputError | None = None
        if self.has_written and not self._is_rescued:
            try:
                self._check_place()
            except OutputError as exc:
                lost = self.rescue((), exc)
        with self._errors(), self._reading, self._writing:
            self._for_reading.close()
            self._for_writing.close()
        if lost is not None:
            raise lost

    def _check_place(self) -> None:
        """Check that the open file is still the one at its path."""
        if not self._is_displaced:
            try:
                identity = _identity(self.path)
            except OSError:
                identity = None
            self._is_displaced = identity != self._identity
        if self._is_displaced:
            message = f"journal {self.path} was deleted, renamed or replaced during the run"
            raise OutputError(message, hint="run it again to go on")

    def _try_writing(self) -> None:
        """Make a test write, so an unwritable file is found before anything is paid for."""
        with self._transaction():
            self._for_writing.execute(f"PRAGMA user_version = {_VERSION}")

    def _take_in_rescued(self) -> None:
        for place in find_rescued(self.path):
            self._store(read_rescued(place))
            place.unlink(missing_ok=True)  # another process may have taken it in as well

    def _store(self, entries: Iterable[Entry]) -> None:
        with self._transaction():
            left = iter(entries)
            while group := list(islice(left, _ROWS_A_STATEMENT)):
                values: list[str | bytes | int] = []
                for e in group:
                    values += (e.key, e.kind, to_sqlite(e.response), to_sqlite(e.record), e.sample)
                self._for_writing.execute(_store_sql(len(group)), values)

    def _remember(self, entries: Sequence[Entry]) -> None:
        """Hold entries that are only in the log file so far, not in the journal's main file.

        If the journal was moved and another one is created at its path, SQLite resets the log
        file, which it finds by name; these entries would be lost.
        """
        self._recent += entries
        self._recent_size += sum(len(entry.response) for entry in entries)
        if self._recent_size > _MOST_RECENT:
            # Copy the log into the main file; after a complete copy nothing needs to be held.
            busy, in_log, moved = self._for_writing.execute("PRAGMA wal_checkpoint").fetchone()
            if not busy and in_log == moved:
                self._recent, self._recent_size = [], 0
            elif self._recent_size > 8 * _MOST_RECENT:  # a reader blocks the copy; bound the memory
                self._recent, self._recent_size = [*entries], 0

    def _all_entries(self) -> list[Entry]:
        """Read all readable entries of a journal that is no longer at its path."""
        entries = list(self._recent)
        with contextlib.suppress(sqlite3.Error):
            for row in self._for_writing.execute(_EVERY):
                entries.append(_entry(row))  # keep those before an error
        return entries

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._for_writing.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._for_writing.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._for_writing.execute("ROLLBACK")
            raise

    def _prepare(self, connection: sqlite3.Connection) -> None:
        """Check that this is an intact journal; create the table in an empty file."""
        connection.execute("BEGIN")  # a consistent view, as another process may be creating it
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute("COMMIT")
        if tables and application != _APPLICATION:
            hint = 'name another file with "--journal"'
            raise SourceError(f"{self.path} is a database, but not a journal", hint=hint)
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
        """Turn an error of SQLite or of the file system into one with a hint."""
        another = 'use another place with "--journal PATH", or none with "--no-journal"'
        if isinstance(exc, OSError):
            return OutputError(f"journal {self.path}: {exc.strerror or exc}", hint=another)
        if isinstance(exc, _REFUSALS):
            hint = "free some space and run again" if "full" in str(exc) else another
            return OutputError(f"journal {self.path}: {exc}", hint=hint)
        if _is_foreign(self.path):
            hint = 'name another file with "--journal"'
            return SourceError(f"{self.path} is not a journal", hint=hint)
        saving = f"sqlite3 {shlex.quote(str(self.path))} .recover | sqlite3 NEW"
        hint = (
            f'save what can be saved with "{saving}" and go on with "--journal NEW", or move it '
            "away and pay again"
        )
        message = f"journal {self.path} is damaged ({exc}); nothing in it was changed"
        return SourceError(message, hint=hint)


def _identity(path: Path) -> tuple[int, int]:
    status = path.stat()
    return status.st_dev, status.st_ino


def _is_foreign(path: Path) -> bool:
    """Return whether a file holds something, but not a database."""
    try:
        with path.open("rb") as stream:
            head = stream.read(len(_MAGIC))
    except OSError:
        return False
    return bool(head) and head != _MAGIC


def _entry(row: tuple[str, str, str | bytes, str | bytes, int]) -> Entry:
    key, kind, response, record, sample = row
    if isinstance(response, str) and isinstance(record, str):  # nearly always
        return Entry(key, kind, response, record, sample)
    return Entry(key, kind, from_sqlite(response), from_sqlite(record), sample)


def _connect(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(
        path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
    )


def _enter_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL; SQLite does not wait while another process does the same."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as exc:
            if "locked" not in str(exc) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
