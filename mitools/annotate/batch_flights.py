"""Batches at work: make them, wait for them, and take their results into the journal.

The journal notes which request is in which batch: first the uploaded file, then the batch that is
made of it. So a run that is broken off anywhere goes on with the batches that are at work.
"""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from mitools.annotate.batch import Result, import_results
from mitools.annotate.client.batch_api import (
    BatchApi,
    BatchState,
    NoListError,
    PassingError,
    UnclearError,
)
from mitools.annotate.client.budget import Budget, Reservation
from mitools.annotate.client.journal import IN_BATCH, Entry, Journal
from mitools.annotate.client.pace import backoff
from mitools.annotate.client.requests import Request
from mitools.annotate.notices import Notices
from mitools.annotate.options import AnnotateOptions
from mitools.annotate.run import StoppedError
from mitools.errors import DataError, SourceError, TeacherError

__all__ = ["Flights", "OnWaiting", "Refusal"]

_NOT_SENT = "not_sent"
_FILE = "file "  # before the id of an uploaded file of which no batch may have been made

_FIRST_LOOK_SECONDS = 1.0
_LONGEST_LOOK_SECONDS = 60.0
_SLOWER = 1.5

OnWaiting = Callable[[int, int, int], None]
"""Receives how many requests are done, of how many, in how many batches."""


@dataclass
class Refusal:
    """Batches that were refused, as the account may have no more requests waiting.

    Attributes:
        error: what the endpoint said.
        size: number of requests of the smallest of them.
        is_alone: whether no other batch of this run was at work.
        keys: of all their requests.
    """

    error: TeacherError
    size: int
    is_alone: bool
    keys: set[bytes]

    def joined(self, other: Refusal | None) -> Refusal:
        """Add an earlier refusal."""
        if other is None:
            return self
        smallest = min(self.size, other.size)
        return Refusal(self.error, smallest, self.is_alone, self.keys | other.keys)


@dataclass
class _Flight:
    """A batch at work.

    Attributes:
        keys: of its requests.
        done: number of requests that are answered or have failed.
    """

    keys: set[bytes] = field(default_factory=set)
    done: int = 0


class Flights:
    """All batches at work that hold requests of one run."""

    def __init__(
        self,
        api: BatchApi,
        journal: Journal,
        options: AnnotateOptions,
        budget: Budget | None,
        notices: Notices,
        stopped: threading.Event,
    ) -> None:
        """Start with none.

        Args:
            api: of the endpoint.
            journal: notes what is in which batch, and keeps the results.
            options: of the stage.
            budget: counts the cost of what is taken in; None for no cost.
            notices: receive what is sent and taken in.
            stopped: ends all waiting.
        """
        self._api = api
        self._journal = journal
        self._options = options
        self._budget = budget
        self._notices = notices
        self._stopped = stopped
        self._at_work: dict[str, _Flight] = {}  # by batch, or by file until it has a batch
        self._reserved: dict[bytes, Reservation] = {}
        self._unreachable_since: float | None = None
        self._has_warned_of_list = False

    def __len__(self) -> int:
        return len(self._at_work)

    def __contains__(self, key: bytes) -> bool:
        return any(key in flight.keys for flight in self._at_work.values())

    def reserve(self, key: bytes, request: Request, *, is_sent: bool = False) -> None:
        """Reserve the cost of a request.

        Raises:
            BudgetError: it does not fit now.
        """
        if self._budget is not None and key not in self._reserved:
            self._reserved[key] = self._budget.reserve_at_once(request, is_sent=is_sent)

    def resume(self, entry: Entry) -> None:
        """Add a request that an earlier run has sent."""
        flight = self._at_work.setdefault(entry.response, _Flight())
        flight.keys.add(bytes.fromhex(entry.key))

    def send(self, path: Path, entries: Iterable[Entry]) -> None:
        """Upload requests, and make a batch of them.

        Args:
            path: a file of their lines.
            entries: one for each request, with its record and sample.

        Raises:
            TeacherError: the endpoint refuses them, or it is away.
            StoppedError: the waiting was ended.
            OutputError: the journal cannot be written.
        """
        place = f"{_FILE}{self._api.upload(path)}"
        noted = [Entry(e.key, IN_BATCH, place, e.record, e.sample) for e in entries]
        self._journal.write(noted)
        self._at_work[place] = _Flight({bytes.fromhex(entry.key) for entry in noted})
        self._make_batch(place, is_new=True)

    def settle_files(self) -> None:
        """Find or make the batch of each file that an earlier run has uploaded.

        Raises:
            TeacherError: the endpoint refuses it, or it is away.
            StoppedError: the waiting was ended.
        """
        for place in [place for place in self._at_work if place.startswith(_FILE)]:
            self._make_batch(place, is_new=False)

    def _make_batch(self, place: str, *, is_new: bool) -> None:
        flight = self._at_work[place]
        try:
            state = self._made(place.removeprefix(_FILE), is_new=is_new)
        except PassingError:  # it may be made; the next run looks for it
            raise
        except TeacherError as exc:  # the next run sends them again
            self._forget(place, _NOT_SENT, exc.message)
            raise
        self._note(flight.keys, IN_BATCH, state.name)
        self._at_work[state.name] = self._at_work.pop(place)
        self._notices.note(f"batch {state.name}: {len(flight.keys):,} requests sent")

    def _made(self, file: str, *, is_new: bool) -> BatchState:
        """Make the batch of a file, unless it is made already: the answer may have been lost."""
        state = None if is_new else self._find(file)
        faults = 0
        while state is None:
            try:
                return self._api.create(file)
            except PassingError as exc:
                most = self._options.max_wait_seconds
                if faults == self._options.retries or exc.wait_seconds > most:
                    raise
                self._notices.note(f"{exc.message}; it is tried again")
                if self._stopped.wait(exc.wait_seconds or backoff(faults)):
                    raise StoppedError from exc
                faults += 1
                state = self._find(file)
                if state is None and isinstance(exc, UnclearError):
                    raise
        return state

    def _find(self, file: str) -> BatchState | None:
        try:
            return self._api.find(file)
        except NoListError as exc:
            if not self._has_warned_of_list:
                self._has_warned_of_list = True
                self._notices.warn(
                    f"the endpoint does not list its batches ({exc.message}): if it has made one "
                    f"of {file} already, its requests are paid for twice when another is made"
                )
            return None

    def wait(self, folder: Path, on_waiting: OnWaiting) -> Refusal | None:
        """Wait until all batches have ended, and take in their results.

        Args:
            folder: for downloads.
            on_waiting: receives the progress.

        Returns:
            What was refused, as the account has too many requests waiting; None if nothing was.

        Raises:
            StoppedError: the waiting was ended.
            TeacherError: the endpoint cannot be reached for longer than ``max_wait_seconds``, or a
                batch has failed.
        """
        total = sum(len(flight.keys) for flight in self._at_work.values())
        ended = 0
        refusal: Refusal | None = None
        delay = _FIRST_LOOK_SECONDS
        while True:
            for name, flight in list(self._at_work.items()):
                size = len(flight.keys)
                with self._passing_faults():
                    refused = self._look(name, flight, folder)
                    refusal = refusal if refused is None else refused.joined(refusal)
                ended += 0 if name in self._at_work else size
            at_work = self._at_work.values()
            on_waiting(ended + sum(flight.done for flight in at_work), total, len(at_work))
            if not self._at_work:
                return refusal
            if self._stopped.wait(delay):
                self._notices.note(self._going_on())
                raise StoppedError
            delay = min(delay * _SLOWER, _LONGEST_LOOK_SECONDS)

    @contextlib.contextmanager
    def _passing_faults(self) -> Iterator[None]:
        """Let a fault of the endpoint pass, unless they have lasted for too long."""
        try:
            yield
        except PassingError as exc:
            now = time.monotonic()
            if self._unreachable_since is None:
                self._unreachable_since = now
                self._notices.note(f"{exc.message}; it is tried again")
            if now - self._unreachable_since > self._options.max_wait_seconds:
                raise
        else:
            self._unreachable_since = None

    def _look(self, name: str, flight: _Flight, folder: Path) -> Refusal | None:
        """Ask how far a batch is, and take in its results if it has ended."""
        state = self._api.state(name)
        flight.done = min(state.done, len(flight.keys))
        return self._end(state, folder) if state.has_ended else None

    def _end(self, state: BatchState, folder: Path) -> Refusal | None:
        """Take in the results of a batch that has ended; returns its refusal, if it was refused."""
        keys = set(self._at_work[state.name].keys)
        if state.status != "failed" or state.result_files:
            self._take_in(state, folder)
            return None
        problem = state.problem or "no reason given"
        self._forget(state.name, _NOT_SENT, problem)
        message = f"batch {state.name} has failed: {problem}"
        if not state.is_over_limit:
            raise TeacherError(message, hint="fix it, and run the same command again")
        hint = "wait until other batches of the account have ended, then run the same command again"
        return Refusal(TeacherError(message, hint=hint), len(keys), not self._at_work, keys)

    def _take_in(self, state: BatchState, folder: Path) -> None:
        flight = self._at_work[state.name]
        left = set(flight.keys)

        def take(result: Result) -> bool:
            key = bytes.fromhex(result.entry.key)
            if key not in left:  # of another batch, or a second time
                return False
            left.discard(key)
            self._settle(key, result)
            return True

        path = folder / "results.jsonl"
        most_bytes = self._options.max_response_bytes * len(left)
        answers = failures = 0
        for file in state.result_files:
            self._api.download(file, path, most_bytes)
            try:
                taken = import_results([str(path)], self._journal, take)
            except (DataError, SourceError) as exc:
                message = f"the results of batch {state.name} are not readable: {exc.message}"
                hint = "run the same command again to fetch them again"
                raise TeacherError(message, hint=hint) from exc
            answers, failures = answers + taken.answers, failures + taken.failures
        missing = len(left)
        flight.keys = left
        kind = "expired" if state.status == "expired" else "unanswered"
        self._forget(state.name, kind, f"batch {state.name} is {state.status} without an answer")
        rest = f", {missing:,} requests without a result" if missing else ""
        counts = f"{answers:,} answers, {failures:,} failures{rest}"
        self._notices.note(f"batch {state.name} is {state.status}: {counts}")

    def _settle(self, key: bytes, result: Result) -> None:
        """Count the cost of a result, as that of a response to a single request."""
        reservation = self._reserved.pop(key, None)
        if self._budget is None or reservation is None:
            return
        if result.is_answer:
            self._budget.settle(reservation, json.loads(result.entry.response))
        elif result.is_maybe_billed:
            self._budget.settle_lost(reservation)
        else:
            self._budget.release(reservation)

    def _forget(self, place: str, kind: str, message: str) -> None:
        """Drop a batch, and note why its requests have no answer."""
        flight = self._at_work.pop(place)
        self._note(flight.keys, kind, message)
        for key in flight.keys:
            reservation = self._reserved.pop(key, None)
            if reservation is not None and self._budget is not None:
                self._budget.release(reservation)

    def _note(self, keys: Iterable[bytes], kind: str, response: str) -> None:
        self._journal.write([Entry(key.hex(), kind, response) for key in sorted(keys)])

    def _going_on(self) -> str:
        count = len(self._at_work)
        names = next(iter(self._at_work)) if count == 1 else f"{count:,} batches"
        verb = "goes" if count == 1 else "go"
        return f"{names} {verb} on at the endpoint: the same command takes the answers in"
