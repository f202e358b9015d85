"""Requests: the body that asks a question, and the key of its answer in the journal.

Without network access, so batches, dry runs and offline runs use it too.
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

from mitools.annotate.client.base_url import CHAT_PATH, COMPLETIONS_PATH, BaseUrl
from mitools.annotate.client.chat_template import ChatTemplate
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
    """One request.

    Attributes:
        key: its key in the journal.
        content: its body as canonical JSON in UTF-8, exactly as it is sent.
        path: of the API, below the root of the endpoint.
        said: the answer whose tokens it asks for; None where it asks for an answer.
    """

    key: str
    content: bytes
    path: str = CHAT_PATH
    said: str | None = None

    @property
    def is_scoring(self) -> bool:
        """Whether it asks for the tokens of its prompt, and not for an answer."""
        return self.said is not None

    @property
    def body(self) -> dict[str, Any]:
        """The parsed body."""
        body: dict[str, Any] = json.loads(self.content)
        return body


def _encoded(value: Mapping[str, Any]) -> bytes:
    """Encode JSON in UTF-8; lone surrogates, which a model may write, are replaced."""
    return _canonical(value).encode("utf-8", "replace")


class _Form:
    """The body of all requests of one prompt, with a gap for the last message.

    Few-shot examples can be long and are the same for every record, so they are encoded and hashed
    once.
    """

    def __init__(self, body: Callable[[str], Mapping[str, Any]], provider: str) -> None:
        """Encode the parts around the gap.

        Args:
            body: makes the body around the last message's content.
            provider: the endpoint's URL.

        Raises:
            UsageError: an option holds text that UTF-8 cannot encode.
        """
        gap = f"gap {secrets.token_hex(16)}"  # random, so no prompt contains it
        before, after = _canonical(body(gap)).split(_canonical(gap))
        try:
            self._before, self._after = before.encode(), after.encode()
        except UnicodeEncodeError as exc:  # a lone surrogate, or bytes of the command line
            message = "the model's name, --system or --param holds text that is not UTF-8"
            raise UsageError(message, hint="write it in UTF-8") from exc
        self._hash = hashlib.sha256(b'{"body":' + self._before)
        self._end = f',"provider":{_canonical(provider)},"sample":'

    def fill(self, content: str, sample: int) -> Request:
        """Make a request, and its key.

        The key depends on body, provider and sample, but not on API key, pace, timeout or retries.
        It is the hexadecimal SHA-256 of the canonical JSON of
        ``{"body": …, "provider": …, "sample": …}``. It must not change between versions, as all
        answers would have to be paid for again.

        Args:
            content: the last message.
            sample: index among several answers to the same body.
        """
        message = _canonical(content).encode()
        digest = self._hash.copy()
        digest.update(b"".join((message, self._after, f"{self._end}{sample}}}".encode())))
        return Request(digest.hexdigest(), b"".join((self._before, message, self._after)))


class Requests:
    """Makes the requests of one run.

    Attributes:
        model: the model's name at the endpoint.
        url: the endpoint.
        provider: its URL for messages, without login and query.
        settings: fields of the request body other than model and messages.
    """

    def __init__(self, options: AnnotateOptions) -> None:
        """Read the files of the prompt, and check the URL.

        Raises:
            UsageError: no model is named, or the template is not Jinja2.
            SourceError: a file of the prompt cannot be read.
            DataError: a few-shot example is not a record, or lacks a field.
            TeacherError: the URL is not one of an endpoint.
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
            # OpenAI's newer models refuse the old name; other servers ignore the new one.
            is_openai = self.url.host == OPENAI_HOST
            name = "max_completion_tokens" if is_openai else "max_tokens"
            self.settings[name] = options.max_tokens
        temperature = options.temperature
        if temperature is None and options.prompt == "student":
            temperature = 0.0  # as it answers in eval
        if temperature is not None:
            self.settings["temperature"] = temperature
        if options.top_logprobs is not None:
            self.settings |= {"logprobs": True, "top_logprobs": options.top_logprobs}
        self.settings |= options.params
        self._forms: dict[tuple[str, bool], _Form] = {}
        self._template = ChatTemplate.read(options.chat_template)

    def make(self, question: Question) -> Request:
        """Build the request that asks a question.

        Raises:
            UsageError: a template cannot render the record.
        """
        if question.said is not None:
            messages = self._prompts.messages(question.record, question.task, question.hint)
            return self.scoring(messages, question.said)
        task, hint = question.task, question.hint
        prompt = (task.name, hint is not None)
        if prompt not in self._forms:
            head = self._prompts.head(task, is_hinted=hint is not None)
            self._forms[prompt] = _Form(partial(self._body, head), self.url.identity)
        return self._forms[prompt].fill(
            self._prompts.content(question.record, task, hint), question.sample
        )

    def scoring(self, messages: Sequence[Message], said: str) -> Request:
        """Build the request for the probability of an answer to a prompt.

        One token is asked for, as most servers refuse to write none.

        Raises:
            UsageError: the chat template cannot render them.
        """
        whole = [*messages, {"role": "assistant", "content": said}]
        body: dict[str, Any] = {"model": self.model, **self.options.params, "max_tokens": 1}
        body["temperature"] = 0.0
        if self.options.score_choices == "completions":
            path = COMPLETIONS_PATH
            body |= {"prompt": self._template.render(whole), "echo": True, "logprobs": 1}
        else:
            path = CHAT_PATH
            body |= {"messages": whole, "add_generation_prompt": False, "prompt_logprobs": 0}
        content = _encoded(body)
        keyed = {"body": body, "provider": self.url.identity, "sample": 0}
        return Request(hashlib.sha256(_encoded(keyed)).hexdigest(), content, path, said)

    def _body(self, head: Sequence[Message], content: str) -> Mapping[str, Any]:
        messages = [*head, {"role": "user", "content": content}]
        return {"model": self.model, "messages": messages, **self.settings}

    def prompt_hash(self, question: Question) -> str:
        """Hash the effective prompt, which is the same for all records."""
        return self._prompts.prompt_hash(question.task, is_hinted=question.hint is not None)
