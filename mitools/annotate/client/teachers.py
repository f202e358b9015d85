"""The teachers whose answers a journal keeps: one asks an endpoint, the other only remembers."""

from __future__ import annotations

import asyncio

from mitools.annotate.client.endpoint import Endpoint, Outcome
from mitools.annotate.client.journal import UNREAD, Entry
from mitools.annotate.client.journal_writer import JournalWriter
from mitools.annotate.client.kept_replies import KeptReplies
from mitools.annotate.client.requests import Request
from mitools.annotate.protocol import Problem, Question, Reply, UnaskedError
from mitools.errors import MitoolsError, TeacherError

__all__ = ["ChatTeacher", "OfflineTeacher"]


class OfflineTeacher:
    """Answers from the journal alone."""

    resamples = 1
    is_immediate = True

    def __init__(self, memory: KeptReplies, *, must_know: bool = True) -> None:
        """Take the journal over; it is closed with the teacher.

        Args:
            memory: has the answers.
            must_know: whether a record that it does not know ends the run; otherwise the record
                is left without an answer.
        """
        self._memory = memory
        self._must_know = must_know

    def recall(self, question: Question) -> Reply:
        reply = self._memory.find(question, with_errors=True)
        if reply is not None:
            return reply
        place = f" {self._memory.journal.path}" if self._memory.journal else ""
        message = f"record {question.record['id']!r} is not in journal{place}"
        if self._must_know and question.sample == 0:
            raise TeacherError(message, hint='ask the teacher: leave out "--offline"')
        return Reply(problem=Problem("missing", message))

    async def ask(self, question: Question) -> Reply:
        return self.recall(question)

    def stop(self) -> None:
        pass

    async def close(self) -> None:
        if self._memory.journal is not None:
            await asyncio.to_thread(self._memory.journal.close)


class ChatTeacher:
    """Asks a chat endpoint; asks nothing that the journal knows."""

    resamples = 1
    is_immediate = False

    def __init__(self, memory: KeptReplies, endpoint: Endpoint) -> None:
        """Take journal and endpoint over; they are closed with the teacher."""
        self._memory = memory
        self._endpoint = endpoint
        self._is_closed = False
        self._scribe = None if memory.journal is None else JournalWriter(memory.journal)
        self._under_way: dict[str, asyncio.Future[Outcome]] = {}
        # The question is kept with its request, so that no other can have the same identity.
        self._prepared: dict[int, tuple[Question, Request]] = {}

    def recall(self, question: Question) -> Reply | None:
        request = self._memory.requests.make(question)
        reply = self._memory.find(question, request)
        if reply is None:
            self._prepared[id(question)] = (question, request)
        else:
            self._endpoint.recalled()
        return reply

    async def ask(self, question: Question) -> Reply:
        _, request = self._prepared.pop(id(question), (None, None))
        request = request or self._memory.requests.make(question)
        twin = self._under_way.get(request.key)
        if twin is not None:  # the same question a moment ago: one call serves both
            outcome = await asyncio.shield(twin)
            return self._reply(outcome, question, is_recalled=True)
        mine: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._under_way[request.key] = mine
        try:
            outcome = await self._fetch(request, question)
        except BaseException as exc:
            mine.set_exception(UnaskedError() if isinstance(exc, asyncio.CancelledError) else exc)
            mine.exception()  # nobody has to be waiting for it
            raise
        else:
            mine.set_result(outcome)
            return self._reply(outcome, question, is_recalled=outcome.is_known)
        finally:
            del self._under_way[request.key]

    def stop(self) -> None:
        self._endpoint.stop()

    async def close(self) -> None:
        if self._is_closed:
            return
        self._is_closed = True
        await self._endpoint.close()
        if self._scribe is not None:
            await self._scribe.close()

    def _reply(self, outcome: Outcome, question: Question, *, is_recalled: bool) -> Reply:
        """Interpret an outcome, which is in the journal by now."""
        if outcome.answer is None:
            return self._memory.read(outcome.entry, question, is_recalled=is_recalled)
        return self._memory.interpret(outcome.answer, question, is_recalled=is_recalled)

    async def _fetch(self, request: Request, question: Question) -> Outcome:
        """Send until there is an answer, and write it down."""

        async def keep(kind: str, response: str) -> Entry:
            record = str(question.record["id"])
            name = f"{request.key}/{UNREAD}" if kind == UNREAD else request.key
            entry = Entry(name, kind, response, record, question.sample)
            if self._scribe is not None:
                try:
                    await self._scribe.keep(entry)
                except MitoolsError:
                    self.stop()  # pay for nothing that cannot be kept
                    raise
            return entry

        def known() -> Entry | None:
            return self._memory.find_entry(request)

        return await self._endpoint.complete(request, known, keep)
