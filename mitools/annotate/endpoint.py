"""An OpenAI-compatible endpoint: the only module that knows the openai package.

The SDK says where to send, by whose account and over which transport; what is sent is bytes that
are made once, and what comes is kept as it came. So its methods, which build and read models and
retry on their own (openai/openai-python#1725), would do work for nothing: ``post`` costs 1.8 times
as much CPU as sending through its transport, and one layer of retries, ours, is enough.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx2
import openai

from mitools import __version__
from mitools.annotate.api import UnaskedError
from mitools.annotate.budget import Budget
from mitools.annotate.faults import (
    Busy,
    Fatal,
    Fault,
    Lost,
    Rejected,
    Secrets,
    Transient,
    explain,
    explain_status,
    may_be_billed,
)
from mitools.annotate.journal import UNREAD, Entry
from mitools.annotate.pace import Pace, backoff
from mitools.annotate.reply import parse_completion
from mitools.annotate.requests import OPENAI_HOST, PATH, ChatOptions, Request, Requests
from mitools.errors import BudgetError, TeacherError, TeacherRefusedError

__all__ = ["Endpoint", "Outcome"]

_FIRST_CONTACT_TRIES = 3

Keep = Callable[[str, str], Awaitable[Entry]]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a request came to.

    Attributes:
        entry: what the journal has of it.
        answer: the chat completion, where it has just arrived; nobody has read it yet.
        is_known: whether another process had asked, so that nothing was sent.
    """

    entry: Entry
    answer: Mapping[str, Any] | None = None
    is_known: bool = False


class _Unread(Lost):
    """A body came that is not a chat completion.

    Attributes:
        body: as it came.
    """

    def __init__(self, message: str, body: str) -> None:
        super().__init__("server_error", message)
        self.body = body


class Endpoint:
    """Sends requests: paced, within the budget, retried, their faults sorted."""

    def __init__(
        self,
        requests: Requests,
        budget: Budget | None = None,
        on_pause: Callable[[float], None] | None = None,
    ) -> None:
        """Make the client; nothing is sent yet.

        Raises:
            TeacherRefusedError: there is no API key.
        """
        self._options = requests.options
        self._provider = requests.provider
        self._budget = budget
        self._http = _http_client(requests.options)
        account = _account(requests.options, self._http)
        self._url = f"{str(account.base_url).rstrip('/')}{PATH}"
        self._headers = _headers(account)
        self._pace = Pace(requests.options.concurrency, on_pause)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._has_answered = False
        self._is_stopped = False  # also before there is a loop to tell
        self._secrets = Secrets(account.api_key, str(account.base_url), self._provider)

    def stop(self) -> None:
        """Send nothing more. Safe from any thread."""
        self._is_stopped = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._halt)

    async def close(self) -> None:
        await self._http.aclose()

    async def complete(
        self, request: Request, known: Callable[[], Entry | None], keep: Keep
    ) -> Outcome:
        """Get one completion. Its place is held until ``keep`` has it on disk.

        Args:
            request: what to send.
            known: looks whether it has been answered meanwhile.
            keep: writes down a kind and a response.

        Raises:
            TeacherError: every further request would fail in the same way.
            UnaskedError: the run was stopped before there was an answer.
        """
        self._loop = asyncio.get_running_loop()
        if self._is_stopped:
            raise UnaskedError
        faults = 0
        is_retry = False
        while True:
            async with self._pace.turn(is_retry=is_retry) as sent_at:
                if not is_retry and (entry := known()) is not None:
                    return Outcome(entry, is_known=True)
                try:
                    raw, answer = await self._send(request)
                except Rejected as exc:
                    return Outcome(await keep(exc.kind, exc.message))
                except Busy as exc:
                    self._pace.hold(sent_at, exc.wait_seconds)
                    fault: Fault | None = None
                except Transient as exc:
                    fault = exc
                    if isinstance(exc, _Unread):
                        await keep(UNREAD, exc.body)
                else:
                    self._has_answered = True
                    self._pace.succeeded()
                    return Outcome(await keep("ok", raw), answer)
            is_retry = True
            if fault is not None:
                faults += 1
                if faults > self._patience(fault):
                    return Outcome(await keep(*self._give_up(fault)))
                await self._pace.sleep(backoff(faults - 1))

    async def _send(self, request: Request) -> tuple[str, Mapping[str, Any]]:
        """Send a request and account for it; gives the answer as it came, and its JSON."""
        if self._budget is None:
            return await self._post(request.content)
        try:
            reservation = await self._budget.reserve(request)
        except BudgetError:
            self._halt()
            raise
        try:
            raw, answer = await self._post(request.content)
        except Fault as exc:
            if exc.is_maybe_billed:
                self._budget.settle_lost(reservation)
            else:
                self._budget.release(reservation)
            raise
        except TeacherError:  # nobody pays for a refusal
            self._budget.release(reservation)
            raise
        except BaseException:
            self._budget.settle_lost(reservation)
            raise
        self._budget.settle(reservation, answer)
        return raw, answer

    async def _post(self, content: bytes) -> tuple[str, Mapping[str, Any]]:
        request = self._http.build_request(
            "POST", self._url, headers=self._headers, content=content
        )
        try:
            async with asyncio.timeout(self._options.timeout_seconds):
                response = await self._http.send(request)
            raw = response.text
            if not response.is_success:
                fault = explain_status(response, self._secrets)
                fault.is_maybe_billed = may_be_billed(response.status_code, fault)
                raise self._sorted(fault)
            return raw, _parsed(raw)
        except (TimeoutError, httpx2.ReadTimeout, httpx2.WriteTimeout) as exc:
            seconds = self._options.timeout_seconds
            raise Lost("timeout", f"no answer within {seconds:g} s") from exc
        except ValueError as exc:
            raise Lost("server_error", f"the server sent no completion: {exc}") from exc
        except httpx2.HTTPError as exc:
            raise self._sorted(explain(exc, self._secrets)) from exc

    def _sorted(self, fault: Fault) -> Exception:
        """Give what is to be raised for a fault; where it is fatal, send nothing more."""
        if not isinstance(fault, Fatal):
            return fault
        self._halt()
        kind = TeacherRefusedError if fault.is_refusal else TeacherError
        return kind(f"{self._provider}: {fault.message}", hint=fault.hint)

    def _patience(self, fault: Fault) -> int:
        if fault.is_unreachable and not self._has_answered:
            return min(self._options.retries, _FIRST_CONTACT_TRIES - 1)
        return self._options.retries

    def _give_up(self, fault: Fault) -> tuple[str, str]:
        """Blame the record, or the endpoint where no record could have done better."""
        if fault.is_unreachable:
            message = f"cannot reach {self._provider}: {fault.message}"
            hint = "check --base-url, and that the server runs"
            if self._has_answered:
                hint = "run the same command again: what was answered is in the journal"
            self._halt()
            raise TeacherError(message, hint=hint) from fault
        return fault.kind, fault.message

    def _halt(self) -> None:
        """Send nothing more, without waiting for the run to notice the error."""
        self._is_stopped = True
        self._pace.stop()
        if self._budget is not None:
            self._budget.stop()


def _parsed(raw: str) -> Mapping[str, Any]:
    try:
        return parse_completion(raw)
    except ValueError as exc:
        raise _Unread(f"the server sent no completion: {exc}", raw) from exc


def _account(options: ChatOptions, http: httpx2.AsyncClient) -> openai.AsyncOpenAI:
    """Let the SDK read the environment; a server that is not OpenAI's needs no key."""
    has_own_server = urlsplit(options.url).hostname != OPENAI_HOST
    key = os.environ.get("OPENAI_API_KEY") or ("none" if has_own_server else None)
    if key is not None and not (key.isascii() and key.isprintable()):
        message = "OPENAI_API_KEY holds a character that no HTTP header can"
        raise TeacherRefusedError(message, hint='copy the key again: "export OPENAI_API_KEY=…"')
    try:
        return openai.AsyncOpenAI(api_key=key, base_url=options.base_url, http_client=http)
    except openai.OpenAIError as exc:
        raise TeacherRefusedError(
            "no API key",
            hint='type "export OPENAI_API_KEY=…", or name a server of your own with --base-url',
        ) from exc


def _headers(account: openai.AsyncOpenAI) -> dict[str, str]:
    """Give the account's headers; those on the SDK's own doings would not be true of ours."""
    every = {**account.default_headers, **account.auth_headers}
    kept = {
        name: value
        for name, value in every.items()
        if isinstance(value, str) and not name.startswith("X-Stainless-")
    }
    return kept | {"User-Agent": f"mitools/{__version__}"}


def _http_client(options: ChatOptions) -> httpx2.AsyncClient:
    # The default pool keeps 100 idle connections; beyond that each request would open a new one.
    limits = httpx2.Limits(
        max_connections=options.concurrency, max_keepalive_connections=options.concurrency
    )
    return openai.DefaultAioHttpClient(limits=limits, timeout=options.timeout_seconds)
