"""What is asked about a record, and what its ``teacher`` field becomes.

Strategies are generators: they yield questions and are sent replies, so the same code runs at once
over a journal and concurrently over a network.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from mitools.annotate.api import Answered, Dialogue, Problem, Question, Reply
from mitools.records import Record
from mitools.tasks import Answer, Task, own_part

__all__ = ["ask_blind"]

_WORTH_ANOTHER_SAMPLE = ("empty", "truncated", "unreadable")


def ask_blind(record: Record, task: Task, tries: int) -> Dialogue:
    """Ask without showing the gold label; compare with it afterwards.

    Args:
        record: with ``input``, and with ``choices`` and ``label`` where they are known.
        task: reads the answer.
        tries: how many samples to draw until one can be read.
    """
    replies: list[Reply] = []
    answer, problem = Answer(None, ""), None
    for sample in range(tries):
        reply = yield Question(record, task, sample)
        replies.append(reply)
        answer, problem = _read(reply, record, task)
        if problem is None or problem.kind not in _WORTH_ANOTHER_SAMPLE:
            break
    teacher = _teacher_field(answer, problem, replies, record, task)
    fresh = [reply for reply in replies if not reply.is_recalled]
    recalled = len(replies) - len(fresh)
    whole = {**record, "teacher": teacher}
    return Answered(whole, problem, len(replies), recalled, _total(fresh))


def _read(reply: Reply, record: Record, task: Task) -> tuple[Answer, Problem | None]:
    if reply.problem is not None:
        return Answer(None, ""), reply.problem
    if not reply.text:
        kind = "truncated" if reply.is_truncated else "empty"
        held = "thoughts only" if reply.thoughts else "nothing"
        return Answer(None, ""), Problem(kind, f"the completion holds {held}")
    choices = record.get("choices")
    # A label in the last, cut-off sentence may itself be cut off: 12 of 120.
    text = _finished_part(reply.text) if reply.is_truncated else reply.text
    answer = task.parse(text, choices)
    if answer.label is None:
        if reply.is_truncated:
            return answer, Problem("truncated", "the token limit came before the answer")
        return answer, Problem(
            "unreadable", f"no answer can be read: {_tail(own_part(reply.text))}"
        )
    return Answer(answer.label, answer.rationale or reply.thoughts), None


def _finished_part(text: str) -> str:
    """Drop the sentence that a token limit cut off."""
    ends = [match.end() for match in re.finditer(r"[.!?](?=\s)|\n", text)]
    return text[: ends[-1]] if ends else ""


def _tail(text: str, length: int = 80) -> str:
    line = " ".join(text.split())
    return line if len(line) <= length else f"…{line[-length:]}"


def _teacher_field(
    answer: Answer,
    problem: Problem | None,
    replies: list[Reply],
    record: Record,
    task: Task,
) -> dict[str, Any]:
    gold = record.get("label")
    is_answered = problem is None
    field: dict[str, Any] = {
        "label": answer.label if is_answered else None,
        "rationale": answer.rationale if is_answered else None,
        "agrees": task.is_equal(answer.label, gold) if is_answered and gold is not None else None,
    }
    last = replies[-1]
    if last.model:
        field["model"] = last.model
    if last.prompt:
        field["prompt"] = last.prompt
    if usage := _total(replies):
        field["usage"] = usage
    if problem is not None:
        field["error"] = {"kind": problem.kind, "message": problem.message}
    return field


def _total(replies: list[Reply]) -> Mapping[str, int]:
    total: dict[str, int] = {}
    for reply in replies:
        for name, count in (reply.usage or {}).items():
            total[name] = total.get(name, 0) + count
    return total
