"""Thoughts are found wherever a server puts them, and nothing else is taken for one."""

from __future__ import annotations

from typing import Any

import pytest

from mitools.annotate.client.completion import read_answer
from mitools.message_thoughts import is_thought, thoughts_of
from mitools.sources.chat.messages import reply_of

ANSWER = "The answer is 7."
TEXT = {"type": "text", "text": ANSWER}

MESSAGES: list[dict[str, Any]] = [
    {"content": ANSWER, "reasoning": "Count."},
    {"content": ANSWER, "reasoning_content": "Count."},
    {"content": ANSWER, "reasoning": None, "thinking": "Count."},
    {"content": ANSWER, "reasoning": {"content": "Count."}},
    {"content": ANSWER, "reasoning_content": [{"type": "text", "text": "Count."}]},
    {"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "Count."}]}, TEXT]},
    {"content": [{"type": "thinking", "thinking": "Count.", "signature": "x"}, TEXT]},
    {"content": [{"type": "reasoning", "text": "Count."}, TEXT]},
    {"content": [{"type": "redacted_thinking", "data": "x"}, TEXT], "thinking": "Count."},
    {"content": ANSWER, "reasoning_details": [{"type": "reasoning.text", "text": "Count."}]},
    {"content": ANSWER, "reasoning_details": [{"type": "reasoning.summary", "summary": "Count."}]},
    {"content": ANSWER, "thinking_blocks": [{"type": "thinking", "thinking": "Count."}]},
    {"content": ANSWER, "reasoning": "Count.", "reasoning_details": [{"text": "Count."}]},
]


@pytest.mark.parametrize("message", MESSAGES)
def test_live_answers_and_logs_have_the_same_thoughts(message: dict[str, Any]) -> None:
    reply = read_answer({"choices": [{"message": message, "finish_reason": "stop"}]})
    assert (reply.text, reply.thoughts) == (ANSWER, "Count.")
    given = reply_of(message)
    assert (given.text, given.thoughts) == (ANSWER, "Count.")


def test_several_thoughts_stand_on_lines_of_their_own() -> None:
    parts = [{"type": "thinking", "thinking": "One."}, TEXT, {"type": "thinking", "thinking": "2"}]
    assert thoughts_of({"content": parts}) == "One.\n2"


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"content": ANSWER},
        {"content": [TEXT, 7, None]},
        {"content": TEXT, "reasoning": 7, "reasoning_details": {"text": "x"}},
        {"content": ANSWER, "reasoning_details": [{"type": "reasoning.encrypted", "data": "x"}]},
        {"content": ANSWER, "thinking_blocks": [None, 3, ["x" * 0]]},
    ],
)
def test_what_is_no_thought_is_not_taken_for_one(message: dict[str, Any]) -> None:
    assert thoughts_of(message) == ""


def test_deep_nesting_ends() -> None:
    deep: Any = "x"
    for _ in range(50):
        deep = [deep]
    assert thoughts_of({"reasoning": deep}) == ""


def test_a_part_is_a_thought_by_its_type() -> None:
    assert is_thought({"type": "thinking", "text": "x"})
    assert not is_thought(TEXT)
    assert not is_thought("x")
