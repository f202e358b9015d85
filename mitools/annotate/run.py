"""One run of records through a teacher: concurrent, in order, with bounded memory.

Three threads, so a slow reader, a slow teacher and a slow writer do not block each other:

- the first reads records, and answers those that need no waiting (journal, replay, demo);
- the second runs the event loop that asks the other questions;
- the caller's thread takes out the finished records, by default in input order.

Records pass between threads in batches, as waking a thread costs more than handling a record.
There are four places per request in flight, and at least 256 for a teacher that answers without
waiting, or where a front answers many of the records. A record holds a place from before it is read
until its batch is written, so memory is bounded, and a blocked output starts no request.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from types import TracebackType
from typing import Any

from mitools.annotate.conversation import Conversation
from mitools.annotate.loop_thread import LoopThread
from mitools.annotate.options import AnnotateOptions
from mitools.annotate.outlet import Outcome, Outlet, Place
from mitools.annotate.protocol import (
    Answered,
    Dialogue,
    Front,
    Passed,
    Question,
    Reply,
    Teacher,
    ToTeacher,
    UnaskedError,
)
from mitools.annotate.strategy import Strategy, converse
from mitools.annotate.tally import Tally
from mitools.annotate.unanswered import Unanswered
from mitools.errors import MitoolsError, TeacherError
from mitools.gold import GoldCheck, with_label_sets
from mitools.records import Record
from mitools.tasks import task_of

__all__ = ["AnnotationRun", "OnFailure", "StoppedError"]

_WINDOW = 4
_IMMEDIATE_PLACES = 256  # for immediate answers: larger batches, fewer thread switches
_FEWEST_JUDGED = 50  # records before the share of failures is checked
_READER_PATIENCE_SECONDS = 1.0
_FRONT_PATIENCE_SECONDS = 60.0  # a thread inside a model must not outlive the interpreter


class StoppedError(Exception):
    """Raised by a source of records that was woken to stop."""


OnFailure = Callable[[Record], Record | None]
"""Receives a record without an answer; returns the record to pass on, or raises to end the run."""


class AnnotationRun:
    """One pass of records through a teacher; a context manager, to be iterated once.

    Attributes:
        tally: counts what happened.
        gold: counts the gold labels that the task cannot read.
        unanswered: the first records whose replies hold no answer.
        late_error: of a finished run whose teacher answered nothing, while other records have the
            answer of a student or were passed on. To be raised when these are written.
    """

    def __init__(
        self,
        records: Iterable[Record],
        teacher: Teacher,
        options: AnnotateOptions,
        *,
        handle_failure: OnFailure | None = None,
        on_stop: Callable[[], None] | None = None,
        front: Front | None = None,
    ) -> None:
        """Prepare a run; nothing is read yet.

        Args:
            records: with ``id`` and ``input``; read in a thread of the run's own.
            teacher: answers; it is closed with the run.
            options: of the stage; those of the teacher itself are not looked at.
            handle_failure: receives each record that got no answer; without it all are passed on.
            on_stop: called when reading is to stop, from any thread; wakes a source that waits.
            front: decides which records the teacher is asked about; without it, all of them.

        Raises:
            SourceError: the template of the options cannot be read.
        """
        self.tally = Tally()
        self.gold = GoldCheck(options.task)
        self.unanswered = Unanswered(options)
        self.late_error: TeacherError | None = None
        first = islice(records, options.limit)
        watched = self.gold.watch(with_label_sets(first, options.task))
        self._items = map(ToTeacher, watched) if front is None else front.route(watched)
        self._front = front
        self._teacher = teacher
        self._options = options
        self._strategy = Strategy.of(options)
        self._handle_failure = handle_failure
        self._on_stop = on_stop
        places = _WINDOW * options.concurrency
        if teacher.is_immediate or front is not None:
            places = max(places, _IMMEDIATE_PLACES)
        self._outlet = Outlet(places, is_ordered=options.is_ordered)
        self._is_stopping = False
        self._is_read = False  # whether the input came to its end
        self._is_whole = True  # in order, nothing may follow a record that was dropped
        self._error: BaseException | None = None
        self._loop = LoopThread()
        self._inbox: deque[tuple[Place, Conversation]] = deque()  # for the event loop's thread
        self._is_inbox_due = False
        self._asking: set[asyncio.Task[None]] = set()
        self._reader = threading.Thread(target=self._read, name="reader", daemon=True)

    @property
    def has_open(self) -> bool:
        """Whether another run may ask more than this one did, after it has ended."""
        return not self._is_read or self.tally.finished < self.tally.read or self.tally.is_faulty

    def __enter__(self) -> AnnotationRun:
        self._reader.start()
        self._loop.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop all threads and close the teacher.

        Requests in flight are cancelled. Only after an error they are finished and kept in the
        journal, as they are paid for; not after a second ^C or a closed downstream.
        """
        self.stop()
        self._outlet.close()  # the reader may wait for a place
        # A source without on_stop may never wake.
        has_front = self._front is not None
        self._reader.join(_FRONT_PATIENCE_SECONDS if has_front else _READER_PATIENCE_SECONDS)
        is_error = kind is not None and issubclass(kind, Exception)
        is_patient = is_error and not issubclass(kind or Exception, BrokenPipeError)
        try:
            try:
                if is_patient:
                    self._loop.wait_for(self._finish_requests())
            finally:
                self._loop.wait_for(self._cancel_requests())
        finally:
            self._loop.close()

    def stop(self) -> None:
        """Stop reading and sending; requests in flight are finished. Safe from any thread."""
        if self._is_stopping:
            return
        self._is_stopping = True
        self._teacher.stop()
        if self._front is not None:
            self._front.stop()
        if self._on_stop is not None:
            self._on_stop()

    def __iter__(self) -> Iterator[Record]:
        """Yield the annotated records; raises as :meth:`batches` does, and ``late_error``."""
        for batch in self.batches():
            yield from batch
        if self.late_error is not None:
            raise self.late_error

    def batches(self) -> Iterator[list[Record]]:
        """Yield the annotated records, all that are ready at once.

        Raises:
            TeacherError: no further request can succeed; raised after all finished records.
            MitoolsError: an error of reading the records; also raised after them.
        """
        failure: MitoolsError | None = None
        while failure is None and (outcomes := self._outlet.next_batch()):
            batch, failure = self._settle_all(outcomes)
            if batch:
                yield batch
            # The places are released only now, so a blocked output blocks the reader.
            if self.tally.judged >= _FEWEST_JUDGED:
                self._check_failures()
            self._check_first_replies()
            self._outlet.release(len(outcomes))
        if failure is not None:
            raise failure
        self._finish()

    def _settle_all(self, outcomes: list[Outcome]) -> tuple[list[Record], MitoolsError | None]:
        """Count outcomes, up to the first failure that ``handle_failure`` raises for."""
        batch: list[Record] = []
        for outcome in outcomes:
            try:
                record = self._settle(outcome)
            except MitoolsError as exc:
                return batch, exc
            if record is not None:
                batch.append(record)
        return batch, None

    def _settle(self, outcome: Outcome) -> Record | None:
        """Count an outcome; returns the record to pass on, if any."""
        # An error ends the run; a record that was not asked leaves a gap in the order.
        if isinstance(outcome, BaseException):
            self._is_whole = False
            if isinstance(outcome, Exception) and not isinstance(outcome, UnaskedError):
                self._error = self._error or outcome
                self.stop()
        is_dropped = self._options.is_ordered and not self._is_whole
        if isinstance(outcome, BaseException) or is_dropped:
            self.tally.unasked += 1
            return None
        if isinstance(outcome, Passed):
            self.tally.passed += 1
            return outcome.record
        self.tally.add(outcome)
        self.unanswered.add(outcome)
        if outcome.problem is not None and self._handle_failure is not None:
            return self._handle_failure(outcome.record)
        return outcome.record

    def _check_failures(self) -> None:
        """Stop the run if too many records fail."""
        most, failed, of = self._options.max_error_rate, self.tally.failed, self.tally.judged
        if not self._options.is_ordered:  # failures may be the first to finish
            of = self.tally.read - self.tally.unasked - self.tally.by_student - self.tally.passed
        if most is None or not of or failed.total() / of <= most or self._error is not None:
            return
        self._error = self.unanswered.too_many(self.tally, of)
        self.stop()

    def _check_first_replies(self) -> None:
        """Stop the run if no reply so far holds an answer."""
        error = self.unanswered.too_many_at_first(self.tally)
        if error is not None and self._error is None:
            self._error = error
            self.stop()

    def _finish(self) -> None:
        self.tally.check()
        if not self._is_stopping:
            self._is_read = True
            self._check_failures()
        if self._error is not None:
            raise self._error
        failed = self.tally.failed.total()
        if failed and failed == self.tally.judged and not self._is_stopping:
            error = self.unanswered.none_at_all(self.tally)
            if failed == self.tally.finished:
                raise error
            self.late_error = error

    def _read(self) -> None:
        """Read records as places become free; runs in its own thread."""
        try:
            while (place := self._outlet.take_place()) is not None and not self._is_stopping:
                item = next(self._items, None)
                if item is None:
                    break
                self.tally.read += 1
                if isinstance(item, ToTeacher):
                    self._begin(place, item)
                else:
                    self._outlet.fill(place, item)
                place = None
        except StoppedError:
            pass
        except BaseException as exc:
            self._error = self._error or exc
        finally:
            if place is not None:
                self._outlet.give_back(place)
            self._outlet.end()

    def _begin(self, place: Place, item: ToTeacher) -> None:
        """Answer a record without waiting, or pass it to the event loop."""
        try:
            task = task_of(item.record, self._options.task)
            dialogue = converse(item.record, task, self._strategy, self._teacher.resamples)
            if item.about:
                dialogue = _with_fields(dialogue, item.about)
            conversation = Conversation(dialogue, self._teacher.recall)
        except Exception as exc:
            self._outlet.fill(place, exc)
            return
        if conversation.answered is not None:
            self._outlet.fill(place, conversation.answered)
            return
        self._inbox.append((place, conversation))
        if not self._is_inbox_due:
            self._is_inbox_due = True
            self._loop.call_soon(self._empty_inbox)

    def _empty_inbox(self) -> None:
        self._is_inbox_due = False  # before emptying: later records schedule the next call
        while self._inbox:
            place, conversation = self._inbox.popleft()
            asking = asyncio.get_running_loop().create_task(self._ask(place, conversation))
            self._asking.add(asking)  # the loop itself may forget a task
            asking.add_done_callback(self._asking.discard)

    async def _ask(self, place: Place, conversation: Conversation) -> None:
        outcome: Outcome = UnaskedError()
        try:
            outcome = await self._converse(conversation)
        except Exception as exc:
            outcome = exc
        finally:  # also where it is cancelled
            self._outlet.fill(place, outcome)

    async def _converse(self, conversation: Conversation) -> Answered:
        while conversation.answered is None:
            questions = conversation.open
            if len(questions) == 1:  # a separate task would cost as much as the question
                conversation.supply([await self._teacher.ask(questions[0])])
            else:
                conversation.supply(await self._ask_at_once(questions))
        return conversation.answered

    async def _ask_at_once(self, questions: Sequence[Question]) -> list[Reply]:
        """Ask several questions concurrently; if one fails, the others are still finished."""
        asking = (self._teacher.ask(question) for question in questions)
        outcomes = await asyncio.gather(*asking, return_exceptions=True)
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        if failures:  # prefer the error that stopped the run to UnaskedError
            raise min(failures, key=lambda failure: isinstance(failure, UnaskedError))
        return [outcome for outcome in outcomes if isinstance(outcome, Reply)]

    async def _finish_requests(self) -> None:
        """Wait for requests in flight; nothing new is sent by then."""
        while self._asking:
            await asyncio.wait(self._asking)

    async def _cancel_requests(self) -> None:
        tasks = list(self._asking)  # not the teacher's own tasks, which it cancels itself
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._teacher.close()


def _with_fields(dialogue: Dialogue, about: Mapping[str, Any]) -> Dialogue:
    """Add fields to ``teacher`` of the record that a dialogue ends with."""
    answered = yield from dialogue
    teacher = {**answered.record["teacher"], **about}
    return replace(answered, record={**answered.record, "teacher": teacher})
