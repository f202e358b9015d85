"""A teacher behind an OpenAI-compatible endpoint: the only module that knows the openai package.

One retry layer, ours: the SDK's is off (openai/openai-python#1725). The SDK's low-level ``post``
costs a fraction of ``chat.completions.create`` and gives the server's JSON as it came, which is
what the journal keeps; over aiohttp, where that is installed, it costs less again.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx2
import openai

from mitools.annotate.api import Problem, Question, Reply, UnaskedError
from mitools.annotate.faults import Busy, Fatal, Fault, Rejected, Secrets, Transient, explain
from mitools.annotate.journal import Entry, Journal, request_key
from mitools.annotate.pace import Pace, backoff
from mitools.annotate.prompt import Prompts
from mitools.annotate.reply import read_completion
from mitools.errors import MitoolsError, SourceError, TeacherError, TeacherRefusedError

__all__ = ["ChatOptions", "ChatTeacher"]

_FIRST_CONTACT_TRIES = 3
_OPENAI_HOST = "api.openai.com"


@dataclass(frozen=True)
class ChatOptions:
    """Which model to ask, and how.

    Attributes:
        model: its name at the endpoint.
        base_url: None leaves it to ``OPENAI_BASE_URL``, else OpenAI's own.
        max_tokens: bound on a completion's tokens; None leaves it to the server.
        params: further fields of the request body, such as ``temperature``.
        concurrency: requests under way at once.
        timeout_seconds: for one request, from sending to the last byte.
        retries: how often one request is sent again after a fault that may pass.
        is_offline: answer from the journal alone.
    """

    model: str
    base_url: str | None = None
    max_tokens: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    concurrency: int = 16
    timeout_seconds: float = 300.0
    retries: int = 5
    is_offline: bool = False


class ChatTeacher:
    """Asks a chat endpoint; asks nothing that the journal knows."""

    tries = 2

    def __init__(
        self,
        options: ChatOptions,
        prompts: Prompts,
        journal: Journal | None,
        on_pause: Callable[[float], None] | None = None,
    ) -> None:
        self._options = options
        self._prompts = prompts
        self._journal = journal
        self._endpoint = _Endpoint(options, on_pause)
        self._under_way: dict[str, asyncio.Future[Entry]] = {}

    def recall(self, question: Question) -> Reply | None:
        if self._journal is None:
            return None
        key, _ = self._request(question)
        entry = self._journal.find(key)
        if entry is not None and (entry.kind == "ok" or self._options.is_offline):
            return replace(self._reply(entry, question), is_recalled=True)
        if self._options.is_offline:
            raise TeacherError(
                f"record {question.record['id']!r} is not in journal {self._journal.path}",
                hint='ask the teacher: leave out "--offline"',
            )
        return None

    async def ask(self, question: Question) -> Reply:
        key, body = self._request(question)
        twin = self._under_way.get(key)
        if twin is not None:  # the same question a moment ago: one call serves both
            return replace(self._reply(await asyncio.shield(twin), question), is_recalled=True)
        if question.sample and (reply := self.recall(question)) is not None:
            return reply
        mine: asyncio.Future[Entry] = asyncio.get_running_loop().create_future()
        self._under_way[key] = mine
        try:
            entry, is_known = await self._fetch(key, body, question)
        except BaseException as exc:
            mine.set_exception(UnaskedError() if isinstance(exc, asyncio.CancelledError) else exc)
            mine.exception()  # nobody has to be waiting for it
            raise
        else:
            mine.set_result(entry)
            return replace(self._reply(entry, question), is_recalled=is_known)
        finally:
            del self._under_way[key]

    def stop(self) -> None:
        self._endpoint.stop()

    async def close(self) -> None:
        await self._endpoint.close()
        if self._journal is not None:
            await asyncio.to_thread(self._journal.close)

    def _request(self, question: Question) -> tuple[str, dict[str, Any]]:
        messages = self._prompts.messages(question.record, question.task)
        body = self._endpoint.body(messages)
        return request_key(body, self._endpoint.provider, question.sample), body

    def _reply(self, entry: Entry, question: Question) -> Reply:
        prompt = self._prompts.prompt_hash(question.task)
        if entry.kind != "ok":
            problem = Problem(entry.kind, entry.response)
            return Reply(model=self._options.model, prompt=prompt, problem=problem)
        try:
            reply = read_completion(entry.response)
        except ValueError as exc:  # it could be read when it was stored
            place = self._journal.path if self._journal else "journal"
            message = f"{place} is damaged: the response {entry.key[:12]}… is unreadable"
            raise SourceError(message, hint='go on with "--journal NEW"') from exc
        return replace(reply, prompt=prompt, model=reply.model or self._options.model)

    async def _fetch(
        self, key: str, body: dict[str, Any], question: Question
    ) -> tuple[Entry, bool]:
        """Send until there is an answer, and write it down; tells whether another process had."""

        async def keep(kind: str, response: str) -> Entry:
            entry = Entry(key, kind, response, str(question.record["id"]), question.sample)
            if self._journal is not None:
                try:
                    await asyncio.wrap_future(self._journal.store(entry))
                except MitoolsError:
                    self.stop()  # pay for nothing that cannot be kept
                    raise
            return entry

        def known() -> Entry | None:
            # Another process may have asked while this one waited for its turn.
            found = self._journal.find(key) if self._journal is not None else None
            return found if found is not None and found.kind == "ok" else None

        return await self._endpoint.complete(body, known, keep)


class _Endpoint:
    """Sends request bodies: paced, retried, its faults sorted."""

    def __init__(self, options: ChatOptions, on_pause: Callable[[float], None] | None) -> None:
        self._options = options
        self._client = _client(options)
        self._pace = Pace(options.concurrency, on_pause)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._has_answered = False
        self._is_stopped = False  # also before there is a loop to tell
        self.provider = _without_login(str(self._client.base_url))
        self._secrets = Secrets(self._client.api_key, str(self._client.base_url), self.provider)

    def body(self, messages: list[dict[str, str]]) -> dict[str, Any]:
        """Build the exact body that is sent, which is also what the journal's key is made of."""
        body: dict[str, Any] = {"model": self._options.model, "messages": messages}
        if self._options.max_tokens is not None:
            # OpenAI's newer models refuse the older name, older servers ignore the newer one.
            is_openai = urlsplit(self.provider).hostname == _OPENAI_HOST
            body["max_completion_tokens" if is_openai else "max_tokens"] = self._options.max_tokens
        return {**body, **self._options.params}

    def stop(self) -> None:
        self._is_stopped = True
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._pace.stop)

    async def close(self) -> None:
        await self._client.close()

    async def complete(
        self,
        body: dict[str, Any],
        known: Callable[[], Entry | None],
        keep: Callable[[str, str], Awaitable[Entry]],
    ) -> tuple[Entry, bool]:
        """Get one completion. Its place is held until ``keep`` has it on disk.

        Returns:
            What was kept, and whether it was known without asking.

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
                    return entry, True
                try:
                    raw = await self._post(body)
                except Rejected as exc:
                    return await keep(exc.kind, exc.message), False
                except Busy as exc:
                    self._pace.hold(sent_at, exc.wait_seconds)
                    fault: Fault | None = None
                except Transient as exc:
                    fault = exc
                else:
                    self._has_answered = True
                    self._pace.succeeded()
                    return await keep("ok", raw), False
            is_retry = True
            if fault is not None:
                faults += 1
                if faults > self._patience(fault):
                    return await keep(*self._give_up(fault)), False
                await self._pace.sleep(backoff(faults - 1))

    def _patience(self, fault: Fault) -> int:
        if fault.is_unreachable and not self._has_answered:
            return min(self._options.retries, _FIRST_CONTACT_TRIES - 1)
        return self._options.retries

    def _give_up(self, fault: Fault) -> tuple[str, str]:
        """Blame the record, or the endpoint where no record could have done better."""
        if fault.is_unreachable:
            message = f"cannot reach {self.provider}: {fault.message}"
            hint = "check --base-url, and that the server runs"
            if self._has_answered:
                hint = "run the same command again: what was answered is in the journal"
            self._halt()
            raise TeacherError(message, hint=hint) from fault
        return fault.kind, fault.message

    async def _post(self, body: dict[str, Any]) -> str:
        try:
            async with asyncio.timeout(self._options.timeout_seconds):
                response = await self._client.post(
                    "/chat/completions", cast_to=httpx2.Response, body=body
                )
                raw = response.text
            read_completion(raw)
        except TimeoutError as exc:
            seconds = self._options.timeout_seconds
            raise Transient("timeout", f"no answer within {seconds:g} s") from exc
        except ValueError as exc:
            raise Transient("server_error", f"the server sent no completion: {exc}") from exc
        except openai.APIError as exc:
            fault = explain(exc, self._secrets)
            if isinstance(fault, Fatal):
                self._halt()
                raise self._stopping(fault) from exc
            raise fault from exc
        return raw

    def _halt(self) -> None:
        """Send nothing more, without waiting for the run to notice the error."""
        self._is_stopped = True
        self._pace.stop()

    def _stopping(self, fault: Fatal) -> TeacherError:
        kind = TeacherRefusedError if fault.is_refusal else TeacherError
        return kind(f"{self.provider}: {fault.message}", hint=fault.hint)


def _client(options: ChatOptions) -> openai.AsyncOpenAI:
    """Make the SDK's client; a server that is not OpenAI's needs no key."""
    url = options.base_url or os.environ.get("OPENAI_BASE_URL") or ""
    has_own_server = bool(url) and urlsplit(url).hostname != _OPENAI_HOST
    if has_own_server and urlsplit(url).scheme not in ("http", "https"):
        raise TeacherError(f'"{url}" is no URL', hint='write it as "http://HOST:PORT/v1"')
    key = os.environ.get("OPENAI_API_KEY") or ("none" if has_own_server else None)
    # The default pool keeps 100 idle connections; beyond that each request would open a new one.
    limits = httpx2.Limits(
        max_connections=options.concurrency, max_keepalive_connections=options.concurrency
    )
    try:
        try:
            transport = openai.DefaultAioHttpClient(limits=limits)
        except RuntimeError:  # no aiohttp
            transport = openai.DefaultAsyncHttpxClient(limits=limits)
        return openai.AsyncOpenAI(
            api_key=key,
            base_url=options.base_url,
            max_retries=0,
            timeout=options.timeout_seconds,
            http_client=transport,
        )
    except openai.OpenAIError as exc:
        raise TeacherRefusedError(
            "no API key",
            hint='type "export OPENAI_API_KEY=…", or name a server of your own with --base-url',
        ) from exc


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
