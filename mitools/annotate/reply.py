"""Reading a chat completion: one normalizer for every place where servers put thoughts.

vLLM called the field ``reasoning_content`` and later ``reasoning`` (vllm-project/vllm#27755),
others leave ``<think>`` in the text, some without its opening tag. Knows no network.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from mitools.annotate.api import Problem, Reply
from mitools.annotate.claims import read_usage

__all__ = ["parse_completion", "read_answer", "read_completion"]

_THOUGHT_FIELDS = ("reasoning", "reasoning_content", "thinking")
_MOST_DIGITS = 100
_TAG = r"(?:think|thinking|reasoning|thought)"
_THOUGHTS = re.compile(rf"\A\s*(?:<{_TAG}>)?(.*?)</{_TAG}>", re.DOTALL | re.IGNORECASE)
_UNCLOSED = re.compile(rf"\A\s*<{_TAG}>(.*)\Z", re.DOTALL | re.IGNORECASE)


def read_completion(raw: str) -> Reply:
    """Read the JSON of a chat completion, as the server sent it.

    Raises:
        ValueError: it is no chat completion.
    """
    return read_answer(parse_completion(raw))


def parse_completion(raw: str) -> Mapping[str, Any]:
    """Parse the JSON of a chat completion, and look whether it is one; interpret nothing.

    Raises:
        ValueError: it is not a chat completion.
    """
    answer = _parse_json(raw)
    choices = answer.get("choices") if isinstance(answer, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        raise ValueError("not a chat completion")
    if not isinstance(choices[0].get("message"), dict):
        raise ValueError("a chat completion without a message")
    found: Mapping[str, Any] = answer
    return found


def _parse_json(raw: str) -> Any:
    try:
        try:
            return json.loads(raw)
        except json.JSONDecodeError:
            raise
        except ValueError:  # an integer of more digits than Python converts; no field of ours
            return json.loads(raw, parse_int=_parse_int)
    except RecursionError as exc:
        raise ValueError("its JSON is nested too deeply") from exc


def _parse_int(digits: str) -> float:
    return int(digits) if len(digits) < _MOST_DIGITS else float(digits)


def read_answer(answer: Mapping[str, Any]) -> Reply:
    """Read what a chat completion says.

    Args:
        answer: as :func:`parse_completion` gave it.
    """
    choices = answer["choices"]
    message = choices[0]["message"]
    reason = choices[0].get("finish_reason")
    model = answer.get("model")
    text, thoughts = _split(_flatten(message.get("content")))
    reply = Reply(
        text=text.strip(),
        thoughts=_thoughts_field(message) or thoughts.strip(),
        is_truncated=reason == "length",
        model=model if isinstance(model, str) else "",
        usage=read_usage(answer.get("usage")),
    )
    if reason == "content_filter":
        return replace(reply, problem=Problem("content_filter", "the server withheld the answer"))
    if not reply.text and isinstance(message.get("refusal"), str):
        return replace(reply, problem=Problem("refusal", message["refusal"]))
    return reply


def _flatten(content: Any) -> str:
    """Join a message's content, which may come as a list of parts."""
    if isinstance(content, str):
        return content
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        return "".join(part for part in parts if isinstance(part, str))
    return ""


def _thoughts_field(message: Mapping[str, Any]) -> str:
    found = [_flatten(message.get(name)).strip() for name in _THOUGHT_FIELDS]
    return next(filter(None, found), "")


def _split(text: str) -> tuple[str, str]:
    """Take the thoughts off the head of a text."""
    if match := _THOUGHTS.match(text):
        return text[match.end() :], match[1]
    if match := _UNCLOSED.match(text):  # the limit fell inside the thoughts
        return "", match[1]
    return text, ""
