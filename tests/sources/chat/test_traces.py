"""Published reasoning traces: rows of the published columns, with texts of our own."""

from __future__ import annotations

from typing import Any

import pytest

from mitools.errors import InvalidFieldError, Where
from mitools.sources.chat.traces import read_trace, trace_of

HERE = Where("traces.jsonl", 2)
OPEN_R1: dict[str, Any] = {
    "problem": "Six boxes hold 7 pens each. How many pens?",
    "solution": "6 * 7 = 42, so $\\boxed{42}$.",
    "answer": "42",
    "uuid": "u",
    "is_reasoning_complete": [True, True, False],
    "generations": ["<think>a</think>\\boxed{48}", "<think>b</think>\\boxed{42}", "<think>c"],
    "correctness_math_verify": [False, True, False],
    "correctness_llama": None,
    "finish_reasons": ["stop", "stop", "length"],
    "messages": [{"role": "user", "content": "…"}],
}
S1K = {"question": "2 + 5?", "solution": "7"}


def test_samples_keep_the_checks_of_their_authors() -> None:
    trace = trace_of(OPEN_R1)
    assert trace is not None
    exchange, used, label = read_trace(OPEN_R1, trace, HERE)
    assert [given.is_right for given in exchange.replies] == [False, True, False]
    assert [given.is_truncated for given in exchange.replies] == [False, False, True]
    assert (exchange.question, label) == (OPEN_R1["problem"], "answer")
    assert {"generations", "messages", "problem", "answer"} <= used
    assert exchange.gold_solution == ""


def test_a_check_by_a_judge_counts_where_the_other_is_missing() -> None:
    row = {**OPEN_R1, "correctness_math_verify": None, "correctness_llama": [True, "no", False]}
    trace = trace_of(row)
    assert trace is not None
    replies = read_trace(row, trace, HERE)[0].replies
    assert [given.is_right for given in replies] == [True, None, False]


@pytest.mark.parametrize(
    ("row", "thoughts", "answer", "model"),
    [
        (
            {**S1K, "deepseek_thinking_trajectory": "t", "deepseek_attempt": "It is 7."},
            "t",
            "It is 7.",
            "deepseek",
        ),
        ({**S1K, "gemini_thinking_trajectory": "t", "gemini_attempt": "7"}, "t", "7", "gemini"),
        ({**S1K, "thinking_trajectories": ["t", "u"], "attempt": "7"}, "t\n\nu", "7", ""),
        (
            {"problem": "2 + 5?", "deepseek_reasoning": "t", "deepseek_solution": "7"},
            "t",
            "7",
            "deepseek",
        ),
        ({"input": "2 + 5?", "reasoning_content": "t", "content": "7"}, "t", "7", ""),
        ({"prompt": "2 + 5?", "reasoning_content": "t", "response": "7"}, "t", "7", ""),
        ({"question": "2 + 5?", "generations": ["7"], "generator": "g"}, "", "7", "g"),
    ],
)
def test_each_schema(row: dict[str, Any], thoughts: str, answer: str, model: str) -> None:
    trace = trace_of(row)
    assert trace is not None
    exchange, _, _ = read_trace(row, trace, HERE)
    [given] = exchange.replies
    assert (exchange.question, given.thoughts, given.text) == ("2 + 5?", thoughts, answer)
    assert exchange.model == model


def test_a_grade_and_a_solution_are_taken() -> None:
    row = {**S1K, "deepseek_thinking_trajectory": "t", "deepseek_attempt": "7"}
    trace = trace_of(row)
    assert trace is not None
    for grade, is_right in (("Yes", True), ("No", False), ("?", None)):
        exchange, _, label = read_trace({**row, "deepseek_grade": grade}, trace, HERE)
        assert exchange.replies[0].is_right is is_right
        assert (exchange.gold_solution, label) == ("7", None)


@pytest.mark.parametrize(
    "row",
    [
        {"problem": "a", "solution": "b", "answer": "c"},
        {"generations": ["a"]},
        {"problem": 5, "generations": ["a"]},
        {"question": "a", "reasoning": "b", "answer": "c"},
        {"question": "a", "reasoning_content": "b"},
    ],
)
def test_other_rows_are_not_traces(row: dict[str, Any]) -> None:
    assert trace_of(row) is None


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"problem": "a", "generations": []}, 'field "generations" has no samples'),
        ({"problem": "a", "generations": ["a", 5]}, "is a number, not a text"),
        ({"problem": "a", "reasoning_content": [5], "content": {"text": "b"}}, "is a number"),
    ],
)
def test_wrong_types_are_errors_of_the_row(row: dict[str, Any], problem: str) -> None:
    trace = trace_of(row)
    assert trace is not None
    with pytest.raises(InvalidFieldError, match=problem):
        read_trace(row, trace, HERE)
