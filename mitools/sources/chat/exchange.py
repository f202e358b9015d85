"""One question and the replies to it, as every form of a chat log gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mitools.records import Record
from mitools.replies import Problem
from mitools.schema import json_type

__all__ = ["ChatRow", "Exchange", "Given", "flatten", "usage_of", "whole"]

_MOST_TOKENS = 10_000_000  # above every model's context window
_COUNTS = (("prompt_tokens", "input_tokens"), ("completion_tokens", "output_tokens"))


@dataclass(frozen=True, slots=True)
class Given:
    """One reply.

    Attributes:
        text: what the model answered, with thoughts in tags or without.
        thoughts: thoughts in a field of their own.
        is_truncated: whether a token limit ended it.
        is_right: what the file says about it; None where it does not.
        problem: why there is no answer, if the log says so.
    """

    text: str
    thoughts: str = ""
    is_truncated: bool = False
    is_right: bool | None = None
    problem: Problem | None = None

    @property
    def completion(self) -> str:
        """The reply as one text; thoughts stand in tags before the answer."""
        return f"<think>\n{self.thoughts}\n</think>\n{self.text}" if self.thoughts else self.text


@dataclass(frozen=True, slots=True)
class Exchange:
    """A question and the replies to it.

    Attributes:
        question: the last message of the user.
        replies: one or more; several are samples of one question.
        context: the messages before it, as ``role`` and ``content``.
        model: the model that answered; empty if unknown.
        usage: token counts of the server.
        turn: number of the question in its conversation, from 1; 0 if there is only one.
        is_followed: whether a later answer of the conversation is a record as well, so that gold of
            the row is not gold of this question.
        is_after_tool: whether results of tools stand between question and answer.
        gold_solution: a text that ends in the gold label; empty if there is none.
    """

    question: str
    replies: tuple[Given, ...]
    context: tuple[Mapping[str, str], ...] = ()
    model: str = ""
    usage: Mapping[str, int] = field(default_factory=dict)
    turn: int = 0
    is_followed: bool = False
    is_after_tool: bool = False
    gold_solution: str = ""

    @property
    def opening(self) -> str:
        """The first question of the conversation, which its records have in common."""
        asked = (one["content"] for one in self.context if one["role"] == "user")
        return next(asked, self.question)


class ChatRow(dict[str, Any]):
    """The fields of a row, with ``input`` and ``completion``; a copy of it loses the exchange.

    Attributes:
        exchange: what the log holds.
        used: the fields of the row that ``input`` and ``completion`` were made of.
    """

    __slots__ = ("exchange", "used")
    exchange: Exchange
    used: frozenset[str]

    @classmethod
    def of(cls, values: Record, exchange: Exchange, used: frozenset[str] = frozenset()) -> ChatRow:
        row = cls(values)
        row.exchange, row.used = exchange, used
        return row


def flatten(content: Any) -> str:
    """Join the texts of a message's content: a text, or a list of parts.

    Raises:
        TypeError: it is neither.
    """
    if content is None:
        return ""
    if isinstance(content, str):
        return whole(content)
    if isinstance(content, Mapping):
        content = [content]
    if not isinstance(content, Sequence):
        raise TypeError(f"is {json_type(content)}, not a text or a list of parts")
    texts = (part if isinstance(part, str) else _part_text(part) for part in content)
    return whole("".join(texts))


def _part_text(part: Any) -> str:
    if not isinstance(part, Mapping) or part.get("type") in ("thinking", "reasoning"):
        return ""
    text = part.get("text")
    return text if isinstance(text, str) else ""


def whole(text: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot encode; JSON may contain them as ``\\ud83d``."""
    if text.isascii():
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def usage_of(usage: Any) -> dict[str, int]:
    """Read plausible token counts, by the names that records use; empty if there are none.

    Thoughts that ``completion_tokens`` leaves out are in ``total_tokens``, and count.
    """
    counts: dict[str, int] = {}
    if isinstance(usage, Mapping):
        for name, other in _COUNTS:
            count = usage.get(name, usage.get(other))
            if _is_count(count):
                counts[name] = count
        total = usage.get("total_tokens")
        if total is not None and len(counts) == len(_COUNTS) and _is_count(total):
            counts["completion_tokens"] = max(
                counts["completion_tokens"], total - counts["prompt_tokens"]
            )
    return counts


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value <= _MOST_TOKENS
