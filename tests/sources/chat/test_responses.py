"""Responses of servers as logs keep them."""

from __future__ import annotations

from typing import Any

import pytest

from mitools.sources.chat.responses import is_response, read_response

CHAT = {
    "model": "m",
    "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": "Five."}}],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2},
}
ANTHROPIC = {
    "type": "succeeded",
    "message": {
        "role": "assistant",
        "model": "m",
        "content": [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Five."}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 2},
    },
}
RESPONSES = {
    "model": "m",
    "status": "completed",
    "output": [
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Hm."}]},
        {"type": "message", "content": [{"type": "output_text", "text": "Five."}]},
    ],
    "usage": {"input_tokens": 3, "output_tokens": 2},
}


@pytest.mark.parametrize(
    "value",
    [CHAT, {"status_code": 200, "body": CHAT}, ANTHROPIC, ANTHROPIC["message"], RESPONSES],
)
def test_every_kind_gives_text_model_and_usage(value: Any) -> None:
    assert is_response(value)
    found = read_response(value)
    assert [given.text for given in found.replies] == ["Five."]
    assert (found.model, found.usage) == ("m", {"prompt_tokens": 3, "completion_tokens": 2})


def test_thoughts_are_kept_apart() -> None:
    assert read_response(ANTHROPIC).replies[0].thoughts == "Hm."
    assert read_response(RESPONSES).replies[0].thoughts == "Hm."


def test_old_completions_and_plain_texts() -> None:
    assert read_response({"choices": [{"text": " five", "index": 0}]}).replies[0].text == " five"
    assert [given.text for given in read_response(["a", "b"]).replies] == ["a", "b"]
    assert read_response("five").replies[0].text == "five"


def test_several_choices_are_samples() -> None:
    choices = [{"message": {"content": text}} for text in ("5", "6")]
    assert [given.text for given in read_response({"choices": choices}).replies] == ["5", "6"]


@pytest.mark.parametrize("reason", ["length", "max_tokens", "MAX_TOKENS"])
def test_a_token_limit_is_noted(reason: str) -> None:
    choice = {"finish_reason": reason, "message": {"content": "Fi"}}
    assert read_response({"choices": [choice]}).replies[0].is_truncated
    assert read_response({**RESPONSES, "status": "incomplete"}).replies[0].is_truncated


def test_a_withheld_answer_and_an_error_are_problems() -> None:
    choice = {"finish_reason": "content_filter", "message": {"content": "Fi"}}
    for value, kind in (
        ({"choices": [choice]}, "content_filter"),
        ({"error": {"message": "expired"}}, "server_error"),
        ({"status_code": 400, "body": {"error": {"message": "expired"}}}, "server_error"),
        ({"error": 5}, "server_error"),
    ):
        problem = read_response(value).replies[0].problem
        assert problem is not None
        assert problem.kind == kind


@pytest.mark.parametrize(
    ("value", "problem"),
    [
        (5, "is a number"),
        ({}, "has no answer"),
        ({"a": 1, "choices": []}, r"has no answer \(fields: a, choices\)"),
        ({"choices": ["a"]}, "has a choice that is a string"),
        ({"choices": [{}]}, "has a choice without a message"),
        ({"choices": [{"message": {"content": 5}}]}, "is a number"),
        ({"output": [5]}, "has an output that is a number"),
    ],
)
def test_what_is_not_a_response_is_refused(value: Any, problem: str) -> None:
    with pytest.raises(TypeError, match=problem):
        read_response(value)
