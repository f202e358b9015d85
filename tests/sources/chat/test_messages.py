"""Lists of messages as rounds: roles, parts, thoughts, tools, and rows that are refused."""

from __future__ import annotations

import time
from typing import Any

import pytest

from mitools.errors import InvalidFieldError, MissingFieldError, Where
from mitools.sources.chat.exchange import flatten, usage_of, whole
from mitools.sources.chat.messages import (
    MOST_ROUNDS,
    are_messages,
    ends_with_answer,
    exchanges_of,
    last_question,
    reply_of,
)

HERE = Where("log.jsonl", 7)


def user(text: Any) -> dict[str, Any]:
    return {"role": "user", "content": text}


def bot(text: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **more}


def test_the_last_answered_question_is_taken_with_what_stands_before_it() -> None:
    messages = [
        {"role": "developer", "content": "Be brief."},
        user("Where is it?"),
        bot("At home."),
        user("And now?"),
        bot("Here."),
        user("Thanks"),
    ]
    [found] = exchanges_of(messages, HERE)
    assert (found.question, found.replies[0].text, found.turn) == ("And now?", "Here.", 2)
    assert [message["role"] for message in found.context] == ["system", "user", "assistant"]


def test_all_answers_can_be_taken() -> None:
    messages = [user("a?"), bot("A"), user("b?"), bot("B")]
    found = exchanges_of(messages, HERE, takes_all=True)
    assert [(one.question, one.replies[0].text, one.turn) for one in found] == [
        ("a?", "A", 1),
        ("b?", "B", 2),
    ]
    assert [len(one.context) for one in found] == [0, 2]


def test_sharegpt_names_the_roles_otherwise() -> None:
    messages = [
        {"from": "system", "value": "S"},
        {"from": "human", "value": "2 + 2?"},
        {"from": "gpt", "value": "4"},
    ]
    [found] = exchanges_of(messages, HERE)
    assert (found.question, found.replies[0].text, found.turn) == ("2 + 2?", "4", 0)


def test_several_messages_of_the_user_in_a_row_are_one_question() -> None:
    [found] = exchanges_of([user("One."), user("Two?"), bot("Yes")], HERE)
    assert found.question == "One.\n\nTwo?"


def test_parts_are_joined_and_thoughts_kept_apart() -> None:
    parts = [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "It is "}, "5."]
    given = reply_of(bot(parts))
    assert (given.text, given.thoughts) == ("It is 5.", "Hm.")
    assert given.completion == "<think>\nHm.\n</think>\nIt is 5."


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "thinking"])
def test_servers_name_the_field_of_thoughts_differently(name: str) -> None:
    assert reply_of(bot("5", **{name: "Two and three."})).thoughts == "Two and three."


def test_the_answer_behind_a_call_of_a_tool_is_the_answer() -> None:
    messages = [
        user("Weather?"),
        bot(None, tool_calls=[{"id": "t"}]),
        {"role": "tool", "content": "rain"},
        bot("It rains."),
    ]
    [found] = exchanges_of(messages, HERE)
    assert found.replies[0].text == "It rains."
    assert found.is_after_tool


def test_an_answer_with_weight_zero_is_not_learned_from() -> None:
    messages = [user("a?"), bot("A"), user("b?"), bot("B", weight=0)]
    [found] = exchanges_of(messages, HERE)
    assert found.question == "a?"


def test_a_refusal_is_a_problem_of_its_record() -> None:
    given = reply_of(bot(None, refusal="I cannot help\ud83d."))
    assert given.problem is not None
    assert (given.problem.kind, given.problem.message) == ("refusal", "I cannot help\ufffd.")


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ("text", "the conversation is a string, not a list of messages"),
        ([user("a?"), "b"], "message 2 is a string, not an object"),
        ([user("a?"), {"role": "king", "content": "b"}], 'message 2 has the role "king"'),
        ([{"role": 3}], "message 1 has the role a number"),
        ([user(5), bot("b")], "the content of message 1 is a number"),
        ([user("a?"), bot(5)], "the content of message 2 is a number"),
        ([user([{"type": "image_url", "image_url": {}}]), bot("b")], 'message 1 has a part "image'),
        ([user([{"type": {}, "text": "x"}]), bot("b")], 'message 1 has a part "an object"'),
    ],
)
def test_what_is_not_a_conversation_is_refused_by_name(messages: Any, problem: str) -> None:
    with pytest.raises(InvalidFieldError) as caught:
        exchanges_of(messages, HERE)
    assert problem in str(caught.value)
    assert str(caught.value).startswith("log.jsonl:7: ")
    assert "--on-error skip" in caught.value.hint


@pytest.mark.parametrize(
    ("messages", "problem"),
    [
        ([user("a?")], "no answer of an assistant"),
        ([bot("A")], "no message of a user"),
        ([], "no message of a user"),
    ],
)
def test_half_a_conversation_is_refused(messages: Any, problem: str) -> None:
    with pytest.raises(MissingFieldError, match=problem):
        exchanges_of(messages, HERE)


def test_a_request_has_a_question_and_no_answer() -> None:
    question, context = last_question([user("a?")], HERE, system="S")
    assert (question, context) == ("a?", ({"role": "system", "content": "S"},))
    with pytest.raises(MissingFieldError, match="no message of a user"):
        last_question([{"role": "system", "content": "S"}], HERE)


def test_a_long_conversation_takes_linear_time() -> None:
    messages = [message for _ in range(50_000) for message in (user("a?"), bot("A"))]
    started = time.process_time()
    [found] = exchanges_of(messages, HERE)
    assert time.process_time() - started < 10
    assert found.turn == 50_000
    with pytest.raises(InvalidFieldError, match=f"more than {MOST_ROUNDS:,} answers"):
        exchanges_of(messages, HERE, takes_all=True)


def test_what_looks_like_messages() -> None:
    assert are_messages([user("a")])
    assert are_messages([{"from": "human", "value": "a"}])
    for other in ([], ["a"], [{"text": "a"}], "a", None, {"role": "user"}):
        assert not are_messages(other)
    assert ends_with_answer([user("a"), bot("b")])
    assert not ends_with_answer([user("a")])
    assert not ends_with_answer([3])


def test_half_a_surrogate_pair_is_replaced() -> None:
    assert whole("a\ud83d") == "a\ufffd"
    assert flatten({"text": "a\ud83d"}) == "a\ufffd"
    with pytest.raises(TypeError, match="is a boolean"):
        flatten(True)


def test_only_plausible_token_counts_are_taken() -> None:
    assert usage_of({"prompt_tokens": 3, "completion_tokens": -1}) == {"prompt_tokens": 3}
    counts = {"prompt_tokens": 3, "completion_tokens": 2}
    assert usage_of({**counts, "total_tokens": 9}) == {**counts, "completion_tokens": 6}
    assert usage_of({**counts, "total_tokens": 4}) == counts
    assert usage_of({"input_tokens": 3, "output_tokens": 4}) == {
        "prompt_tokens": 3,
        "completion_tokens": 4,
    }
    for claim in ("no", {"prompt_tokens": True}, {"prompt_tokens": 10**12}, None):
        assert usage_of(claim) == {}
