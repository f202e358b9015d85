"""The teachers with a journal: one asks an endpoint, the other answers from the journal alone."""

from __future__ import annotations

import asyncio

from mitools.annotate.client.endpoint import Endpoint, RequestOutcome
from mitools.annotate.client.reply_store import ReplyStore
from mitools.annotate.client.requests import Request
from mitools.annotate.protocol import Problem, Question, Reply, UnaskedError
from mitools.errors import TeacherError

__all__ = ["ChatTeacher", "OfflineTeacher"]

_NAMES_A_COMMIT = 1000


class OfflineTeacher:
    """Answers from the journal alone.

    The results of a batch do not tell which record asked; where the journal may be written, that is
    added to them.
    """

    resamples = 1
    is_immediate = True

    def __init__(self, store: ReplyStore, *, must_know: bool = True) -> None:
        """Take ownership of the store; it is closed with the teacher.

        Args:
            store: the journal's replies.
            must_know: whether a record that is missing there ends the run; otherwise it gets no
                answer.
        """
        self._store = store
        self._must_know = must_know
        self._names: list[tuple[str, str, int]] = []  # for the journal, not written yet

    def recall(self, question: Question) -> Reply:
        request = self._store.requests.make(question)
        reply = self._store.find(question, request, with_errors=True)
        if reply is not None:
            self._names.append((request.key, str(question.record["id"]), question.sample))
            if len(self._names) >= _NAMES_A_COMMIT:
                self._write_names()
            return reply
        place = f" {self._store.journal.path}" if self._store.journal else ""
        message = f"record {question.record['id']!r} is not in journal{place}"
        if self._must_know and question.sample <= 0:
            raise TeacherError(message, hint='ask the teacher: leave out "--offline"')
        return Reply(problem=Problem("missing", message))

    async def ask(self, question: Question) -> Reply:
        return self.recall(question)

    def stop(self) -> None:
        pass

    async def close(self) -> None:
        try:
            self._write_names()
        finally:
            await self._store.close()

    def _write_names(self) -> None:
        names, self._names = self._names, []
        journal = self._store.journal
        if names and journal is not None and not journal.is_read_only:
            journal.name(names)


class ChatTeacher:
    """Asks a chat endpoint the questions that the journal does not answer."""

    resamples = 1
    is_immediate = False

    def __init__(self, store: ReplyStore, endpoint: Endpoint) -> None:
        """Take ownership of store and endpoint; they are closed with the teacher."""
        self._store = store
        self._endpoint = endpoint
        self._is_closed = False
        self._in_flight: dict[str, asyncio.Future[RequestOutcome]] = {}  # by request key
        self._check: asyncio.Task[None] | None = None  # whether the server can score choices
        # The question is kept with its request, so no other object can get the same id().
        self._prepared: dict[int, tuple[Question, Request]] = {}

    def recall(self, question: Question) -> Reply | None:
        request = self._store.requests.make(question)
        reply = self._store.find(question, request)
        if reply is None:
            self._prepared[id(question)] = (question, request)
        else:
            self._endpoint.recalled()
        return reply

    async def ask(self, question: Question) -> Reply:
        if self._store.requests.options.score_choices:
            # All questions wait for one check, before anything is paid for.
            self._check = self._check or asyncio.create_task(self._endpoint.check_scoring())
            await asyncio.shield(self._check)
        _, request = self._prepared.pop(id(question), (None, None))
        request = request or self._store.requests.make(question)
        twin = self._in_flight.get(request.key)
        if twin is not None:  # an equal question is in flight: one call serves both
            outcome, is_recalled = await asyncio.shield(twin), True
        else:
            outcome = await self._send(request, question)
            is_recalled = outcome.is_known
        # The response is in the journal by now, so an error while reading it loses nothing.
        if outcome.answer is None:
            return self._store.reader.read_entry(outcome.entry, question, is_recalled=is_recalled)
        return self._store.reader.read_answer(outcome.answer, question, is_recalled=is_recalled)

    async def _send(self, request: Request, question: Question) -> RequestOutcome:
        """Send a request; equal questions that come meanwhile wait for its outcome."""
        future: asyncio.Future[RequestOutcome] = asyncio.get_running_loop().create_future()
        self._in_flight[request.key] = future
        try:
            outcome = await self._endpoint.complete(request, question, self._store)
        except BaseException as exc:
            is_cancelled = isinstance(exc, asyncio.CancelledError)
            future.set_exception(UnaskedError() if is_cancelled else exc)
            future.exception()  # avoids a warning if no task waits for it
            raise
        else:
            future.set_result(outcome)
            return outcome
        finally:
            del self._in_flight[request.key]

    def stop(self) -> None:
        self._endpoint.stop()

    async def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        await self._endpoint.close()
        await self._store.close()
