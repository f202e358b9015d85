"""Responses of chat servers: OpenAI (chat, completions, responses) and Anthropic, also of a batch.

A response is a JSON object that a server sent and a log kept. What it holds is a claim: a field of
a wrong type is an error of its row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from mitools.replies import Problem
from mitools.schema import json_type
from mitools.sources.answers import shortened
from mitools.sources.chat.exchange import Given, flatten, usage_of, whole
from mitools.sources.chat.messages import reply_of

__all__ = ["Response", "is_response", "read_response"]

_CUT = ("length", "max_tokens", "max_output_tokens", "model_length")
_WITHHELD = ("content_filter", "safety", "recitation", "refusal")


@dataclass(frozen=True, slots=True)
class Response:
    """The replies of one response, with the model and the token counts of the server."""

    replies: tuple[Given, ...]
    model: str = ""
    usage: Mapping[str, int] = field(default_factory=dict)


def is_response(value: Any) -> bool:
    """Tell whether a value looks like the response of a chat server."""
    if not isinstance(value, Mapping):
        return False
    if any(isinstance(value.get(name), list) for name in ("choices", "output")):
        return True
    if value.get("role") == "assistant" and "content" in value:
        return True
    return any(isinstance(value.get(name), Mapping) for name in ("body", "message", "error"))


def read_response(value: Any) -> Response:
    """Read a response, with the envelope of a batch or without.

    Raises:
        TypeError: it is not one; the message completes "the response …".
    """
    if isinstance(value, str):
        return Response((Given(whole(value)),))
    if isinstance(value, list) and value and all(isinstance(item, str) for item in value):
        return Response(tuple(Given(whole(text)) for text in value))
    if not isinstance(value, Mapping):
        raise TypeError(f"is {json_type(value)}, not an object or a text")
    for name in ("body", "message"):
        inner = value.get(name)
        if isinstance(inner, Mapping) and "choices" not in value:
            return read_response(inner)
    replies = _replies(value)
    model = value.get("model")
    named = whole(model) if isinstance(model, str) else ""
    return Response(replies, named, usage_of(value.get("usage")))


def _replies(value: Mapping[str, Any]) -> tuple[Given, ...]:
    choices, output = value.get("choices"), value.get("output")
    if isinstance(choices, list) and choices:
        return tuple(map(_of_choice, choices))
    if isinstance(output, list) and output:
        return (_of_output(output, value.get("status")),)
    if "content" in value:
        return (_with_reason(reply_of(value), value.get("stop_reason")),)
    error = value.get("error")
    if error:
        text = error.get("message") if isinstance(error, Mapping) else error
        message = whole(shortened(text, 200)) if isinstance(text, str) else "the log has an error"
        return (Given("", problem=Problem("server_error", message)),)
    fields = shortened(", ".join(map(str, list(value)[:10])), 200)
    raise TypeError(f"has no answer (fields: {fields})")


def _of_choice(choice: Any) -> Given:
    if not isinstance(choice, Mapping):
        raise TypeError(f"has a choice that is {json_type(choice)}, not an object")
    message = choice.get("message")
    if isinstance(message, Mapping):
        given = reply_of(message)
    elif isinstance(choice.get("text"), str):
        given = Given(flatten(choice["text"]))
    else:
        raise TypeError("has a choice without a message")
    return _with_reason(given, choice.get("finish_reason"))


def _of_output(output: list[Any], status: Any) -> Given:
    """Read the items of the Responses API: reasoning, then one message or more."""
    text, thoughts = "", ""
    for item in output:
        if not isinstance(item, Mapping):
            raise TypeError(f"has an output that is {json_type(item)}, not an object")
        if item.get("type") == "message":
            text += flatten(item.get("content"))
        elif item.get("type") == "reasoning":
            thoughts += flatten(item.get("content") or item.get("summary"))
    return Given(text, thoughts.strip(), is_truncated=status == "incomplete")


def _with_reason(given: Given, reason: Any) -> Given:
    name = reason.lower() if isinstance(reason, str) else ""
    if name in _CUT:
        return replace(given, is_truncated=True)
    if name in _WITHHELD and given.problem is None:
        problem = Problem("content_filter", "the server withheld the answer")
        return replace(given, problem=problem)
    return given
