"""One reply of a teacher, read as an answer, or the reason why it has none.

``annotate`` reads live and replayed replies, ``load`` reads those of chat logs; both by these
rules.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from mitools.tasks import Answer, How, Task, own_part

__all__ = ["Problem", "ReplyText", "error_field", "read_reply", "verdict_fields"]


@dataclass(frozen=True, slots=True)
class Problem:
    """Why one record has no answer, although the teacher works.

    Attributes:
        kind: one word: ``unreadable``, ``empty``, ``truncated``, ``content_filter``,
            ``context_length``, ``bad_request``, ``timeout``, ``server_error``, ``missing`` …
        message: text for people, without secrets.
    """

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class ReplyText:
    """The text of a reply.

    Attributes:
        text: the completion, with thoughts in tags or without.
        thoughts: the thoughts of a field of their own.
        is_truncated: whether a token limit ended it.
    """

    text: str
    thoughts: str = ""
    is_truncated: bool = False


def read_reply(
    reply: ReplyText, task: Task, choices: Sequence[str] | None, how: How
) -> tuple[Answer, Problem | None]:
    """Read the label and the rationale of a reply.

    Args:
        reply: the text of the reply.
        task: how the label is read.
        choices: the possible answers, if the record has some.
        how: how loosely to read, and the input that was asked about.

    Returns:
        The answer, and why it has no label; None if it has one.
    """
    text = reply.text
    if reply.is_truncated:
        # A label in the last, truncated sentence may itself be truncated (12 of 120), and the last
        # whole sentence is not the intended last one: read no less certain place than a cue.
        text, how = _finished_part(text), how.at_most("cue")
    answer = task.parse(text, choices, how)
    # Without a label, tell an empty or truncated completion from an unreadable one.
    if answer.label is None:
        if not own_part(reply.text):
            kind = "truncated" if reply.is_truncated else "empty"
            held = "thoughts only" if reply.thoughts or reply.text.strip() else "nothing"
            return Answer(None, ""), Problem(kind, f"the completion holds {held}")
        if reply.is_truncated:
            return answer, Problem("truncated", "the token limit came before the answer")
        return answer, Problem(
            "unreadable", f"no answer can be read: {_tail(own_part(reply.text))}"
        )
    # A reasoning model's thoughts are the rationale of a bare answer.
    if not answer.rationale and reply.thoughts:
        answer = replace(answer, rationale=reply.thoughts)
    return answer, None


def error_field(problem: Problem) -> dict[str, str]:
    """Return the field ``error`` of an answer."""
    return {"kind": problem.kind, "message": problem.message}


def verdict_fields(answer: Answer, problem: Problem | None, agrees: bool | None) -> dict[str, Any]:
    """Return what ``teacher`` and each of its ``samples`` have in common.

    Args:
        answer: what was read; its label and rationale count only without a problem.
        problem: why there is no answer; None if there is one.
        agrees: whether the label equals gold; None without gold.
    """
    is_answered = problem is None
    verdict: dict[str, Any] = {
        "label": answer.label if is_answered else None,
        "rationale": answer.rationale if is_answered else None,
        "agrees": agrees,
    }
    if is_answered and answer.read_by is not None:
        verdict["read_by"] = answer.read_by
    return verdict


def _finished_part(text: str) -> str:
    """Drop the last sentence, which a token limit truncated."""
    ends = [match.end() for match in re.finditer(r"[.!?](?=\s)|\n", text)]
    return text[: ends[-1]] if ends else ""


def _tail(text: str, length: int = 80) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else f"…{line[-length:]}"
