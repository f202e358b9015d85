"""An OpenAI-compatible endpoint: requests are paced, kept within limits, and retried.

Decides what a fault means for its request and for the run; ``sender`` sends a request once. This is
the only layer of retries (openai/openai-python#1725).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mitools.annotate.client.budget import Budget
from mitools.annotate.client.faults import Busy, Fatal, Fault, RequestRejected, Transient
from mitools.annotate.client.first_faults import FirstFaults
from mitools.annotate.client.hints import advise, is_about_settings
from mitools.annotate.client.journal import IN_BATCH, UNREAD, Entry
from mitools.annotate.client.model_list import ModelList, shutdown_date, suggest
from mitools.annotate.client.pace import Pace, backoff
from mitools.annotate.client.rate_limit import PerMinute, RateLimit
from mitools.annotate.client.reply_store import ReplyStore
from mitools.annotate.client.requests import Request, Requests
from mitools.annotate.client.scoring_faults import is_about_scoring, scoring_refused
from mitools.annotate.client.sender import Admission, Sender
from mitools.annotate.client.transport import Transport
from mitools.annotate.notices import Notices
from mitools.annotate.protocol import Question, UnaskedError
from mitools.annotate.token_logprobs import has_logprobs, read_prompt_tokens
from mitools.errors import BudgetError, MitoolsError, TeacherError, TeacherRefusedError

__all__ = ["Endpoint", "RequestOutcome"]

_FIRST_CONTACT_TRIES = 3
_LAST_LOOK_SECONDS = 0.25  # wait for the list of models at the end of a run


@dataclass(frozen=True, slots=True)
class RequestOutcome:
    """The result of a request.

    Attributes:
        entry: its entry in the journal.
        answer: the parsed chat completion, if it has just arrived.
        is_known: whether another process had sent the request already.
    """

    entry: Entry
    answer: Mapping[str, Any] | None = None
    is_known: bool = False


@dataclass(slots=True)
class _Tries:
    """The history of one request.

    Attributes:
        faults: number of faults that cost a retry.
        busy_since: patience clock at which the server first asked it to wait; None before that.
        answers_seen: number of answered requests at its last busy response.
        has_failed_before: whether it failed in an earlier run.
    """

    faults: int = 0
    busy_since: float | None = None
    answers_seen: int = 0
    has_failed_before: bool = False


class Endpoint:
    """Sends requests in their turn, within the budget, and retries them."""

    def __init__(
        self, requests: Requests, budget: Budget | None = None, notices: Notices | None = None
    ) -> None:
        """Make the client; nothing is sent yet.

        Args:
            requests: the endpoint's URL, the model, and the options.
            budget: counts and limits the cost; None for neither.
            notices: receive pauses that the server asks for, and warnings of a shutdown.

        Raises:
            TeacherRefusedError: there is no API key.
        """
        self._requests = requests
        self._options = requests.options
        self._provider = requests.provider
        self._notices = notices or Notices()
        self._has_warned_of_batch = False
        self._transport = Transport(requests.options, requests.url)
        self._models = ModelList(self._transport)
        self._first_faults = FirstFaults(requests.options.alike_failures)
        self._pace = Pace(
            requests.options.concurrency, requests.options.max_wait_seconds, self._note_pause
        )
        self._sender = Sender(
            self._transport, requests.options.timeout_seconds, budget, self._rate_limit()
        )
        self._loop: asyncio.AbstractEventLoop | None = None
        self._answers = 0
        self._looking: asyncio.Task[None] | None = None
        self._explaining: asyncio.Task[TeacherError] | None = None
        self._is_stopped = False  # also before the loop is known

    def _rate_limit(self) -> RateLimit | None:
        limits = PerMinute.of(self._options)
        return RateLimit(limits, self._pace, self._notices.warn) if limits.flags() else None

    def stop(self) -> None:
        """Send no further request. Safe from any thread."""
        self._is_stopped = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._halt)

    async def close(self) -> None:
        tasks = [task for task in (self._looking, self._explaining) if task is not None]
        if tasks:
            await asyncio.wait(tasks, timeout=_LAST_LOOK_SECONDS)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        await self._transport.close()

    def recalled(self) -> None:
        """Note that an earlier run got an answer, so a fault is seldom one of every request."""
        self._first_faults.recalled()

    async def complete(
        self, request: Request, question: Question, store: ReplyStore
    ) -> RequestOutcome:
        """Get one completion. Its place in the pace is held until it is in the journal.

        Args:
            request: what to send.
            question: the question that it asks.
            store: keeps the response; another process may have stored the answer already.

        Raises:
            TeacherError: every further request would fail in the same way.
            OutputError: the journal cannot be written; nothing more is sent.
            UnaskedError: the run was stopped before there was an answer.
        """
        self._loop = asyncio.get_running_loop()
        if self._is_stopped:
            raise UnaskedError

        async def keep(kind: str, response: str) -> Entry:
            try:
                return await store.keep(request, question, kind, response)
            except MitoolsError:
                self.stop()  # do not pay for responses that cannot be stored
                raise

        tries = _Tries()
        is_retry = False
        while True:
            async with self._pace.turn(is_retry=is_retry):
                admission = await self._admit(request)
                # Another process may have stored the answer, or an earlier run its failure.
                entry = None if is_retry else store.find_entry(request)
                if entry is not None and entry.kind == "ok":
                    self._sender.withdraw(admission)
                    return RequestOutcome(entry, is_known=True)
                if entry is not None and entry.kind == IN_BATCH:
                    self._warn_of_batch(entry.response)
                elif entry is not None:
                    tries.has_failed_before = True
                # Send, and store the response before the place is released.
                try:
                    raw, answer = await self._sender.send(request, admission)
                except Fault as exc:
                    if exc.body is not None:
                        await keep(UNREAD, exc.body)
                    fault = self._weighed(exc)
                else:
                    self._succeeded(request, answer)
                    return RequestOutcome(await keep("ok", raw), answer)
                # Retry after a delay, fail the request, or stop the run.
                delay = self._delay(fault, tries, admission.at)
                if delay is None:
                    await self._check_all(request, fault, tries)
                    return RequestOutcome(await keep(fault.kind, fault.message))
            is_retry = True
            if delay:
                await self._pace.sleep(delay)

    async def check_scoring(self) -> None:
        """Send one request that asks for the tokens of a prompt, if choices are to be scored.

        A fault that is not about scoring, such as a busy server or an unknown model, is left to the
        requests that follow.

        Raises:
            TeacherError: the server does not return them.
        """
        way = self._options.score_choices
        if way is None:
            return
        request = self._requests.scoring([{"role": "user", "content": "1 + 1 = ?"}], "2")
        cause: Fault | None = None
        try:
            _, answer = await self._sender.send(request, await self._admit(request))
        except Fault as exc:
            if not is_about_scoring(exc, way):
                return
            cause = exc
        else:
            if read_prompt_tokens(answer):
                return
        self._halt()
        raise scoring_refused(self._provider, way, cause) from cause

    async def _admit(self, request: Request) -> Admission:
        """Wait until a request may be sent."""
        try:
            return await self._sender.admit(request)
        except BudgetError:
            self._halt()
            raise

    def _warn_of_batch(self, batch: str) -> None:
        """Warn, once, of a request that is in a batch already, and is paid for again now."""
        if not self._has_warned_of_batch:
            self._has_warned_of_batch = True
            self._notices.warn(
                f"requests of {batch} are sent again and paid for again: stop, and add --batch to "
                "take its answers"
            )

    def _note_pause(self, seconds: float, words: str) -> None:
        self._notices.note(f"the teacher asks to wait {seconds:.1f} s ({words})")

    def _succeeded(self, request: Request, answer: Mapping[str, Any]) -> None:
        self._answers += 1
        is_first = self._answers == 1 and not request.is_scoring
        if is_first and self._requests.settings.get("logprobs"):
            self._check_logprobs(answer)
        self._first_faults.answered()
        self._pace.succeeded()
        if self._looking is None and self._notices.on_warning is not None:
            self._looking = asyncio.create_task(self._look_at_models(self._notices.on_warning))

    def _check_logprobs(self, answer: Mapping[str, Any]) -> None:
        """Warn if the first answer lacks the log-probabilities that were asked for."""
        if not has_logprobs(answer):
            self._notices.warn(
                f"{self._provider} returns no log-probabilities for {self._requests.model}: "
                "answers have no probabilities (leave --top-logprobs out, or use another server)"
            )

    async def _look_at_models(self, warn: Callable[[str], None]) -> None:
        """Warn if the endpoint lists a shutdown date of the model."""
        model = self._requests.model
        date = shutdown_date(model, await self._list_models())
        if date is not None:
            warn(f"{self._provider} shuts {model} down on {date.isoformat()}")

    async def _list_models(self) -> list[Mapping[str, Any]]:
        self._sender.count()
        return await self._models.entries()

    def _weighed(self, fault: Fault) -> Fault:
        """Sort a fault again by what happened before it."""
        if isinstance(fault, Fatal):
            # An endpoint that has answered has the path and the model.
            if self._answers and not fault.is_refusal:
                return Transient("server_error", fault.message, fault.words)
        elif isinstance(fault, RequestRejected) and is_about_settings(
            fault, self._requests.settings
        ):
            return Fatal(fault.message, fault.words)
        return fault

    def _delay(self, fault: Fault, tries: _Tries, sent_at: float) -> float | None:
        """Choose the seconds to wait before a retry; None if there is no retry.

        A busy server makes all requests wait, which costs no retry, unless it refuses one request
        while it answers others.

        Raises:
            TeacherError: the server has asked to wait for too long.
        """
        if isinstance(fault, RequestRejected | Fatal):
            return None
        if isinstance(fault, Busy):
            self._hold(fault, sent_at)
            now = self._pace.patience_clock()
            tries.busy_since = now if tries.busy_since is None else tries.busy_since
            is_alone = not fault.is_rate_limit and self._answers > tries.answers_seen
            tries.answers_seen = self._answers
            if not is_alone:
                is_over = now - tries.busy_since > self._options.max_wait_seconds
                return None if is_over else 0.0
        tries.faults += 1
        return backoff(tries.faults - 1) if tries.faults <= self._patience(fault) else None

    def _hold(self, fault: Busy, sent_at: float) -> None:
        if self._pace.hold(sent_at, fault.wait_seconds, fault.message):
            return
        self._halt()
        request = ""
        if fault.wait_seconds is not None and fault.wait_seconds > self._options.max_wait_seconds:
            request = f" (it asks for {fault.wait_seconds:,.0f} s)"
        most = f"{self._options.max_wait_seconds:g} s"
        message = f"{self._provider} asks to wait for longer than {most}{request}: {fault.message}"
        hint = "run it again later to go on, or raise --max-wait"
        raise TeacherError(message, hint=hint) from fault

    def _patience(self, fault: Fault) -> int:
        if fault.is_unreachable and not self._answers:
            return min(self._options.retries, _FIRST_CONTACT_TRIES - 1)
        return self._options.retries

    async def _check_all(self, request: Request, fault: Fault, tries: _Tries) -> None:
        """Stop the run if the fault is one of the endpoint or of the settings.

        Raises:
            TeacherError: every further request would fail in the same way.
        """
        if fault.is_unreachable:
            self._halt()
            raise self._unreachable(fault) from fault
        alike = 0
        if isinstance(fault, Fatal):
            self._halt()
        elif not tries.has_failed_before:
            alike = self._first_faults.add(request, fault)
        if not alike and not isinstance(fault, Fatal):
            return
        # All requests that fail meanwhile share one explanation, which may take a request.
        answers = self._answers
        explaining = self._explaining or asyncio.create_task(self._explained(fault, alike))
        self._explaining = explaining
        error = await asyncio.shield(explaining)
        if alike and self._answers > answers:
            self._explaining = None  # so they are faults of their records
            return
        self._halt()
        raise error from fault

    def _unreachable(self, fault: Fault) -> TeacherError:
        message = f"cannot reach {self._provider}: {fault.message}"
        hint = "check --base-url, and that the server runs"
        if self._answers and self._options.keeps_journal:
            hint = "run the same command again: what was answered is in the journal"
        return TeacherError(message, hint=hint)

    async def _explained(self, fault: Fault, alike: int) -> TeacherError:
        """Make the error that stops the run: the server's message, and what to type next.

        Args:
            fault: the fault of the last request.
            alike: how many requests failed alike; 0 if this one is enough.
        """
        earlier = "and none was answered" if not self._answers else "with no answer in between"
        advice = advise(fault, self._requests.settings, self._requests.url)
        hint = advice.hint
        if advice.is_about_model:
            entries = await self._list_models()
            hint = "; ".join(filter(None, (hint, suggest(self._requests.model, entries))))
        message = f"{self._provider}: {fault.message}"
        if alike:
            message += f" ({alike} requests failed alike, {earlier})"
            hint = hint or 'fix it and run it again, or send all anyway: "--max-error-rate 1"'
        kind = TeacherRefusedError if advice.is_refusal else TeacherError
        return kind(message, hint=hint)

    def _halt(self) -> None:
        """Send no further request, before the run handles the error."""
        self._is_stopped = True
        self._pace.stop()
        self._sender.stop()
