"""Questions to request bodies: what is sent, and the name under which its answer is kept.

Knows no network and no client, so that it also serves batches, estimates and offline runs.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from mitools.annotate.client.base_url import BaseUrl
from mitools.annotate.options import AnnotateOptions
from mitools.annotate.prompt import Message, Prompts
from mitools.annotate.protocol import Question
from mitools.errors import UsageError

__all__ = ["OPENAI_HOST", "Request", "Requests"]

OPENAI_HOST = "api.openai.com"

_OPENAI_URL = f"https://{OPENAI_HOST}/v1"


_canonical = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode


@dataclass(frozen=True, slots=True)
class Request:
    """What is sent.

    Attributes:
        key: its name in the journal.
        content: what it says as canonical JSON in UTF-8, byte for byte what goes over the wire.
    """

    key: str
    content: bytes

    @property
    def body(self) -> dict[str, Any]:
        """What it says."""
        found: dict[str, Any] = json.loads(self.content)
        return found


class _Form:
    """The body of all requests of one prompt, in which only the last message is open.

    Worked examples can be long, and are the same for every record: they are written, and hashed,
    once.
    """

    def __init__(self, body: Callable[[str], Mapping[str, Any]], provider: str) -> None:
        """Write the form.

        Args:
            body: makes the body around the last message's content.
            provider: the endpoint's URL.

        Raises:
            UsageError: what the user gave cannot be sent.
        """
        gap = f"gap {secrets.token_hex(16)}"  # no prompt can hold it
        before, after = _canonical(body(gap)).split(_canonical(gap))
        try:
            self._before, self._after = before.encode(), after.encode()
        except UnicodeEncodeError as exc:  # half a surrogate pair, or bytes of the command line
            message = "the model's name, --system or --param holds text that is not UTF-8"
            raise UsageError(message, hint="write it in UTF-8") from exc
        self._hash = hashlib.sha256(b'{"body":' + self._before)
        self._end = f',"provider":{_canonical(provider)},"sample":'

    def fill(self, content: str, sample: int) -> Request:
        """Write a request, and name it by what decides its answer.

        The name depends on body, provider and sample, never on key, pace, timeout or retries. It
        is the SHA-256 of the canonical JSON of ``{"body": …, "provider": …, "sample": …}``, in
        hexadecimal. That is a promise: another name would make people pay again.

        Args:
            content: the last message.
            sample: which of several answers to the same body.
        """
        written = _canonical(content).encode()
        name = self._hash.copy()
        name.update(b"".join((written, self._after, f"{self._end}{sample}}}".encode())))
        return Request(name.hexdigest(), b"".join((self._before, written, self._after)))


class Requests:
    """Makes request bodies.

    Attributes:
        model: the model's name at the endpoint.
        url: the endpoint.
        provider: its URL without login and query, as it is shown.
        settings: fields of the request body beside model and messages.
    """

    def __init__(self, options: AnnotateOptions) -> None:
        """Read the files of the prompt, and check the URL.

        Raises:
            UsageError: no model is named, or the template is not Jinja2.
            SourceError: a file of the prompt cannot be read.
            DataError: a worked example is not a record, or lacks a field.
            TeacherError: it is not the URL of an endpoint.
        """
        self.model = options.named_model()
        self.options = options
        self._prompts = Prompts(options)
        self.url = BaseUrl.parse(
            options.base_url or os.environ.get("OPENAI_BASE_URL") or _OPENAI_URL
        )
        self.provider = self.url.root
        self.settings: dict[str, Any] = {}
        if options.max_tokens is not None:
            # OpenAI's newer models refuse the older name, older servers ignore the newer one.
            is_openai = self.url.host == OPENAI_HOST
            name = "max_completion_tokens" if is_openai else "max_tokens"
            self.settings[name] = options.max_tokens
        if options.temperature is not None:
            self.settings["temperature"] = options.temperature
        self.settings |= options.params
        self._forms: dict[tuple[str, bool], _Form] = {}

    def make(self, question: Question) -> Request:
        """Build the request that asks a question."""
        task, hint = question.task, question.hint
        known = (task.name, hint is not None)
        if known not in self._forms:
            head = self._prompts.head(task, is_hinted=hint is not None)
            self._forms[known] = _Form(partial(self._body, head), self.url.identity)
        return self._forms[known].fill(
            self._prompts.content(question.record, task, hint), question.sample
        )

    def _body(self, head: Sequence[Message], content: str) -> Mapping[str, Any]:
        messages = [*head, {"role": "user", "content": content}]
        return {"model": self.model, "messages": messages, **self.settings}

    def prompt_hash(self, question: Question) -> str:
        """Name the effective prompt, the same for all records."""
        return self._prompts.prompt_hash(question.task, is_hinted=question.hint is not None)
