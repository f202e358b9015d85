"""Questions to request bodies: what is sent, and the name under which its answer is kept.

Knows no network and no client, so that it also serves batches, estimates and offline runs.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from mitools.annotate.api import Question
from mitools.annotate.prompt import Prompts
from mitools.errors import TeacherError

__all__ = ["OPENAI_HOST", "PATH", "ChatOptions", "Request", "Requests", "request_key"]

OPENAI_HOST = "api.openai.com"
PATH = "/chat/completions"

_OPENAI_URL = f"https://{OPENAI_HOST}/v1"


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
    """

    model: str
    base_url: str | None = None
    max_tokens: int | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    concurrency: int = 16
    timeout_seconds: float = 300.0
    retries: int = 5

    @property
    def url(self) -> str:
        """The endpoint, as given or by default."""
        return self.base_url or os.environ.get("OPENAI_BASE_URL") or _OPENAI_URL


_canonical = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent.

    Attributes:
        key: its name in the journal.
        body: what it says.
        content: the same as canonical JSON in UTF-8, byte for byte what goes over the wire.
    """

    key: str
    body: Mapping[str, Any]
    content: bytes


def request_key(content: str, provider: str, sample: int) -> str:
    """Name a request by what decides its answer; never by key, pace, timeout or retries.

    Args:
        content: the body as canonical JSON: sorted, without spaces.
        provider: the endpoint's URL.
        sample: which of several answers to the same body.

    Returns:
        SHA-256 of the canonical JSON of all three, in hexadecimal. It is a promise: another name
        would make people pay again.
    """
    text = f'{{"body":{content},"provider":{_canonical(provider)},"sample":{sample}}}'
    return hashlib.sha256(text.encode()).hexdigest()


class Requests:
    """Makes request bodies.

    Attributes:
        provider: the endpoint's URL without a login; part of every key.
    """

    def __init__(self, options: ChatOptions, prompts: Prompts) -> None:
        """Check the URL.

        Raises:
            TeacherError: it is none.
        """
        parts = urlsplit(options.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            hint = 'write it as "http://HOST:PORT/v1"'
            raise TeacherError(f'"{options.url}" is no URL', hint=hint)
        host = parts.netloc.rpartition("@")[2]
        self.provider = urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
        self.options = options
        self._prompts = prompts
        self._settings: dict[str, Any] = {}
        if options.max_tokens is not None:
            # OpenAI's newer models refuse the older name, older servers ignore the newer one.
            is_openai = parts.hostname == OPENAI_HOST
            name = "max_completion_tokens" if is_openai else "max_tokens"
            self._settings[name] = options.max_tokens
        self._settings |= options.params

    def make(self, question: Question) -> Request:
        """Build the request that asks a question."""
        messages = self._prompts.messages(question.record, question.task, question.hint)
        body = {"model": self.options.model, "messages": messages, **self._settings}
        text = _canonical(body)
        return Request(request_key(text, self.provider, question.sample), body, text.encode())

    def prompt_hash(self, question: Question) -> str:
        """Name the effective prompt, the same for all records."""
        return self._prompts.prompt_hash(question.task, is_hinted=question.hint is not None)
