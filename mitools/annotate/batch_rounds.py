"""Rounds of batches: send what is open, wait, take in the results, until no question is open.

A strategy that asks again, depending on an answer, takes a further round; so does a budget that
has room again when the cost of the answers is known.
"""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import TracebackType

from mitools.annotate.batch import MOST_BYTES, MOST_REQUESTS, batch_line
from mitools.annotate.batch_flights import Flights, OnWaiting, Refusal
from mitools.annotate.client.batch_api import BatchApi
from mitools.annotate.client.budget import Budget
from mitools.annotate.client.journal import IN_BATCH, Entry, Journal
from mitools.annotate.client.reply_store import ReplyStore
from mitools.annotate.client.requests import Request
from mitools.annotate.client.teachers import OfflineTeacher
from mitools.annotate.conversation import Conversation
from mitools.annotate.notices import Notices
from mitools.annotate.protocol import Question, Reply
from mitools.annotate.run import StoppedError
from mitools.annotate.strategy import Strategy, converse
from mitools.errors import BudgetError, OutputError
from mitools.gold import with_label_sets
from mitools.records import Record
from mitools.spool import RecordSpool
from mitools.tasks import task_of

__all__ = ["BatchTeacher"]

_FEWEST = 100  # requests of a batch that is not divided further


class BatchTeacher(OfflineTeacher):
    """Answers from the journal, which batches fill before the first record leaves."""

    def __init__(
        self,
        store: ReplyStore,
        journal: Journal,
        api: BatchApi,
        budget: Budget | None = None,
        notices: Notices | None = None,
    ) -> None:
        """Take ownership of store and API; they are closed with the teacher.

        Args:
            store: finds the replies that are there.
            journal: notes what is in which batch, and keeps the results.
            api: of the endpoint.
            budget: counts and limits the cost; None for neither.
            notices: receive what is sent and taken in.

        Raises:
            SourceError: the template of the options cannot be read.
        """
        super().__init__(store, must_know=False)
        self._options = store.requests.options
        self._journal = journal
        self._api = api
        self._stopped = threading.Event()
        self._flights = Flights(
            api, journal, self._options, budget, notices or Notices(), self._stopped
        )
        self._strategy = Strategy.of(self._options)
        self._shortage: BudgetError | None = None
        self._tried: set[bytes] = set()  # requests that this run has sent, or has waited for
        self._fresh: set[bytes] = set()  # those of them that no record was made of yet
        self._most_requests = MOST_REQUESTS
        self._is_one_by_one = False  # one batch at a time, after the account's limit was met

    def answering(
        self, records: Iterable[Record], on_waiting: OnWaiting | None = None
    ) -> Iterator[Record]:
        """Take in all records, have their questions answered in batches, and yield them.

        Args:
            records: with ids; read to their end, or to the limit of the options.
            on_waiting: receives the progress of the batches.

        Raises:
            StoppedError: :meth:`stop` was called.
            TeacherError: no further request can succeed.
            OutputError: the temporary files or the journal cannot be written.
        """
        with RecordSpool() as spool:
            for record in islice(records, self._options.limit):
                self._check_stopped()
                spool.add(record)
            spool.flush()
            with _folder() as folder:
                while self._send_open(spool, folder):
                    refusal = self._flights.wait(folder, on_waiting or _ignore)
                    if refusal is not None:
                        self._send_less(refusal)
            self._fresh = set(self._tried)
            yield from spool

    def recall(self, question: Question) -> Reply:
        """Answer from the journal; what this run's batches put there counts as asked by this run.

        Raises:
            BudgetError: the question was not asked, as the budget is used up.
        """
        key = bytes.fromhex(self._store.requests.make(question).key)
        shortage = None if key in self._tried else self._shortage
        if shortage is not None and self._store.find(question) is None:
            raise shortage
        reply = super().recall(question)
        if key not in self._fresh:
            return reply
        self._fresh.discard(key)  # an equal question costs nothing more
        return replace(reply, is_recalled=False)

    def stop(self) -> None:
        self._stopped.set()

    async def close(self) -> None:
        self._api.close()
        await super().close()

    def _send_open(self, records: Iterable[Record], folder: Path) -> bool:
        """Send the open requests; returns whether a batch is at work."""
        self._shortage = None
        with _Parcel(folder / "requests.jsonl") as parcel:
            for record in with_label_sets(records, self._options.task):
                self._check_stopped()
                for question, request in self._open_requests(record):
                    self._take_up(question, request, parcel)
                if self._is_one_by_one and self._flights:
                    break
            self._send(parcel)
        self._flights.settle_files()
        return bool(self._flights)

    def _open_requests(self, record: Record) -> Iterator[tuple[Question, Request]]:
        task = task_of(record, self._options.task)
        dialogue = converse(record, task, self._strategy, self.resamples)
        for question in Conversation(dialogue, self._reply_so_far).open:
            yield question, self._store.requests.make(question)

    def _reply_so_far(self, question: Question) -> Reply | None:
        """Find an answer, or the failure of a request that this run has sent."""
        reply = self._store.find(question)
        if reply is None and self._tried:
            key = bytes.fromhex(self._store.requests.make(question).key)
            if key in self._tried and key not in self._flights:
                reply = self._store.find(question, with_errors=True)
        return reply

    def _take_up(self, question: Question, request: Request, parcel: _Parcel) -> None:
        """Put an open request into the parcel, unless it is in a batch or was sent in vain."""
        key = bytes.fromhex(request.key)
        if key in parcel or key in self._flights:
            return
        entry = self._journal.find(request.key)
        if entry is not None and entry.kind == IN_BATCH:
            self._flights.resume(entry)
            self._flights.reserve(key, request, is_sent=True)
            self._tried.add(key)
            return
        if key in self._tried or self._shortage is not None:
            return
        line = batch_line(request)
        if parcel.is_full(len(line), self._most_requests):
            self._send(parcel)
        if self._is_one_by_one and self._flights:
            return
        try:
            self._flights.reserve(key, request)
        except BudgetError as exc:  # the answers of this round may leave room for the next
            self._shortage = exc
            return
        parcel.add(
            line, Entry(request.key, IN_BATCH, "", str(question.record["id"]), question.sample)
        )

    def _send(self, parcel: _Parcel) -> None:
        """Send what is in the parcel, which is empty afterwards."""
        if parcel.entries:
            self._tried.update(bytes.fromhex(key) for key in parcel.entries)
            self._flights.send(parcel.path, parcel.written())
            parcel.empty()

    def _send_less(self, refusal: Refusal) -> None:
        """Go on with smaller batches, one at a time.

        Raises:
            TeacherError: they are small already.
        """
        if refusal.is_alone:
            if refusal.size <= _FEWEST:
                raise refusal.error
            self._most_requests = refusal.size // 2
        self._is_one_by_one = True
        self._tried -= refusal.keys

    def _check_stopped(self) -> None:
        if self._stopped.is_set():
            raise StoppedError


class _Parcel:
    """A file of requests that is being written.

    Attributes:
        path: of the file.
        entries: for the journal, by key.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.entries: dict[str, Entry] = {}
        self._size = 0
        with _file_errors():
            self._file = path.open("wb")

    def __enter__(self) -> _Parcel:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        with contextlib.suppress(OSError):  # what was not sent is not needed
            self._file.close()

    def __contains__(self, key: bytes) -> bool:
        return key.hex() in self.entries

    def is_full(self, size: int, most_requests: int) -> bool:
        """Tell whether a line of so many bytes is one too many."""
        is_too_long = self._size + size > MOST_BYTES
        return bool(self.entries) and (is_too_long or len(self.entries) >= most_requests)

    def add(self, line: bytes, entry: Entry) -> None:
        with _file_errors():
            self._file.write(line)
        self._size += len(line)
        self.entries[entry.key] = entry

    def written(self) -> list[Entry]:
        """Write the file to its end; returns the entries of its requests."""
        with _file_errors():
            self._file.flush()
        return list(self.entries.values())

    def empty(self) -> None:
        with _file_errors():
            self._file.seek(0)
            self._file.truncate()
        self.entries, self._size = {}, 0


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """Make a folder for temporary files; it is removed at the end."""
    with contextlib.ExitStack() as stack:
        with _file_errors():
            name = stack.enter_context(tempfile.TemporaryDirectory(ignore_cleanup_errors=True))
        yield Path(name)


@contextlib.contextmanager
def _file_errors() -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        folder = tempfile.tempdir or "any folder for temporary files"
        message = f"cannot write the requests of a batch to {folder}: {exc.strerror or exc}"
        hint = "free some space there, or name a folder with more space: TMPDIR=FOLDER"
        raise OutputError(message, hint=hint) from exc


def _ignore(_done: int, _total: int, _batches: int) -> None:
    """Show no progress."""
