"""Forms of chat rows: recognized by their fields, and read as question and replies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mitools.errors import DataError, Where
from mitools.sources.chat.exchange import ChatRow
from mitools.sources.chat.forms import Reading, form_of, rows_of

HERE = Where("log.jsonl", 3)
ANSWER = {"choices": [{"message": {"role": "assistant", "content": "4"}}], "model": "m"}
ASK = [{"role": "system", "content": "S"}, {"role": "user", "content": "2 + 2?"}]
TOLD = [*ASK, {"role": "assistant", "content": "4"}]
SHARED = [{"from": "human", "value": "2 + 2?"}, {"from": "gpt", "value": "4"}]

FORMS: dict[str, dict[str, Any]] = {
    "OpenAI": {"messages": TOLD},
    "ShareGPT": {"conversations": SHARED, "system": "S"},
    "messages with a response": {"messages": ASK, "response": ANSWER},
    "messages with choices": {"messages": ASK, **ANSWER},
    "request and response": {"request": {"messages": ASK}, "response": ANSWER},
    "request with a body": {"request": {"body": {"messages": ASK}}, "response": {"body": ANSWER}},
    "arguments and response": {"kwargs": {"messages": ASK, "model": "m"}, "response": ANSWER},
    "instructions and input": {
        "request": {"instructions": "S", "input": [ASK[1]]},
        "response": {"output": [{"type": "message", "content": [{"text": "4"}]}]},
    },
    "input of messages": {"input": ASK, "output": "<think>2, 3, 4.</think>4", "generator": "m"},
    "inputs and outputs": {"inputs": {"messages": ASK}, "outputs": ANSWER},
    "plain input": {"request": {"input": "2 + 2?"}, "response": "4"},
    "prompt": {"prompt": "2 + 2?\n\n###\n\n", "completion": " 4"},
    "prompt and response": {"prompt": "2 + 2?", "response": "4"},
    "prompt with an arrow": {"prompt": "2 + 2? ->", "completion": "4"},
    "prompt of messages": {"prompt": ASK, "completion": [TOLD[-1]]},
    "prompt of messages and a text": {"prompt": ASK, "completion": "4"},
    "turns": {"turns": TOLD},
    "dialogue": {"dialogue": TOLD, "topic": "sums"},
    "messages as text": {"messages": json.dumps(TOLD)},
    "distilabel": {"instruction": "2 + 2?", "generation": "4", "model_name": "m"},
    "Alpaca": {"instruction": "2 + 2?", "input": "", "output": "4"},
    "Alpaca without input": {"instruction": "2 + 2?", "output": "4"},
}


def read(row: dict[str, Any], **options: Any) -> list[ChatRow]:
    form = form_of(row)
    assert form is not None
    return rows_of(row, form, HERE, Reading(**options))


@pytest.mark.parametrize("name", FORMS)
def test_each_form_gives_the_question_and_the_answer(name: str) -> None:
    [row] = read(FORMS[name])
    assert row["input"] == "2 + 2?"
    assert row["completion"].strip().removeprefix("<think>2, 3, 4.</think>") == "4"
    assert row.exchange.question == "2 + 2?"
    assert {"messages", "conversations", "prompt", "request", "response"}.isdisjoint(row)


def test_the_model_that_distilabel_names_is_the_teacher() -> None:
    [row] = read({**FORMS["distilabel"], "model_name": "some/model"})
    assert row.exchange.model == "some/model"


def test_alpaca_puts_the_input_below_the_instruction() -> None:
    [row] = read({"instruction": "Add.", "input": "2 and 2", "output": "4"})
    assert row["input"] == "Add.\n\n2 and 2"


def test_the_history_of_an_alpaca_row_is_its_earlier_turns() -> None:
    given = {"instruction": "And of Spain?", "output": "Madrid.", "system": "Be short."}
    history = [["What is the capital of France?", "Paris."]]
    [row] = read({**given, "history": history}, context="turns")
    assert [message["role"] for message in row["context"]] == ["system", "user", "assistant"]
    assert row["input"].startswith("User: What is the capital of France?\nAssistant: Paris.\n")
    assert row["input"].endswith("And of Spain?")
    assert "history" not in row
    [row] = read({**given, "history": []})
    assert (row["input"], [m["role"] for m in row["context"]]) == ("And of Spain?", ["system"])
    [row] = read({**given, "history": "a note"})
    assert row["history"] == "a note"


def test_other_fields_stay_and_names_become_ids() -> None:
    [row] = read({"uuid": "u1", "topic": "maths", "label": "4", "messages": TOLD})
    assert (row["id"], row["topic"], row["label"]) == ("u1", "maths", "4")
    [row] = read({"id": 12, "messages": TOLD})
    assert row["id"] == "12"


def test_fields_that_mean_something_else_in_a_record_are_left_out() -> None:
    [row] = read({"messages": TOLD, "teacher": "m", "scores": 3, "student": "s"})
    assert {"teacher", "scores", "student"}.isdisjoint(row)


def test_the_model_is_that_of_the_response_before_that_of_the_row() -> None:
    response = {**ANSWER, "model": "served"}
    [row] = read({"messages": ASK, "model": "asked", "response": response})
    assert row.exchange.model == "served"
    [row] = read({"messages": TOLD, "model": "asked", "usage": {"prompt_tokens": 8}})
    assert (row.exchange.model, row.exchange.usage) == ("asked", {"prompt_tokens": 8})


@pytest.mark.parametrize(
    ("context", "question"),
    [
        ("none", "b?"),
        ("turns", "User: a?\nAssistant: A\nUser: b?"),
        ("all", "System: S\nUser: a?\nAssistant: A\nUser: b?"),
    ],
)
def test_context_is_a_field_and_begins_the_input_if_asked(context: str, question: str) -> None:
    messages = [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "a?"},
        {"role": "assistant", "content": "A"},
        {"role": "user", "content": "b?"},
        {"role": "assistant", "content": "B"},
    ]
    [row] = read({"messages": messages}, context=context)
    assert row["input"] == question
    assert row["context"] == messages[:3]


def test_records_of_one_conversation_are_one_group() -> None:
    messages = [*SHARED, *SHARED]
    rows = read({"id": "c", "conversations": messages}, takes_all=True)
    assert [(row["id"], row["group"]) for row in rows] == [("c", "c"), ("c-2", "c")]


def test_the_group_of_a_conversation_without_a_name_is_of_its_first_question() -> None:
    asked, other = [*SHARED, *SHARED], [{"from": "human", "value": "else?"}, SHARED[-1]]
    first, second = read({"conversations": asked}, takes_all=True)
    assert first["group"] == second["group"]
    # The same conversation, logged before it went on, and another one.
    assert read({"conversations": SHARED}, takes_all=True)[0]["group"] == first["group"]
    assert read({"conversations": other}, takes_all=True)[0]["group"] != first["group"]
    assert "group" not in read({"conversations": asked})[0]


def test_a_greeting_before_the_first_question_is_context() -> None:
    messages = [
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": "a?"},
        {"role": "assistant", "content": "A"},
    ]
    [row] = read({"messages": messages}, context="turns")
    assert row["context"] == messages[:1]
    assert row["input"] == "Assistant: Hello!\nUser: a?"


def test_fields_of_the_source_that_the_log_replaces_are_kept() -> None:
    messages = [
        {"role": "system", "content": "S"},
        {"role": "user", "content": "a?"},
        {"role": "assistant", "content": "A"},
    ]
    [row] = read({"messages": messages, "context": "a passage", "completion": "mine"})
    assert (row["source_context"], row["source_completion"]) == ("a passage", "mine")
    assert (row["context"], row["completion"]) == (messages[:1], "A")
    [row] = read({"messages": messages, "completion": "A"})
    assert "source_completion" not in row


@pytest.mark.parametrize(
    "row",
    [
        {"input": "2 + 2?", "task": "equation", "messages": TOLD},
        {"question": "2 + 2?", "answer": "4"},
        {"prompt": "2 + 2?", "label": "4"},
        {"prompt": 5, "completion": "4"},
        {"messages": "none"},
        {"instruction": "2 + 2?"},
        {"instruction": "2 + 2?", "generation": None},
        {"turns": 3, "dialog": ["Hi", "Hello"]},
        {"messages": "[1, 2]"},
        {"messages": '[{"role": "user"'},
        {"messages": "[" * 100_000},
        {"instruction": "Sum up.", "context": "2 + 2", "response": "4"},
        {"custom_id": "a", "text": "b"},
        {},
    ],
)
def test_other_rows_are_not_chats(row: dict[str, Any]) -> None:
    assert form_of(row) is None


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ({"messages": ASK, "response": {"choices": [3]}}, "the response has a choice"),
        ({"messages": ASK}, "no answer of an assistant"),
        ({"instruction": 5, "output": "4"}, 'field "instruction" or "input" is a number'),
        ({"instruction": "a", "output": 5}, "the response is a number"),
        ({"request": {"n": 1}, "response": "4"}, "the request has no messages"),
        ({"custom_id": "a", "response": ANSWER}, "an answer of a batch, without its question"),
    ],
)
def test_a_row_that_cannot_be_read_is_refused(row: dict[str, Any], problem: str) -> None:
    with pytest.raises(DataError) as caught:
        read(row)
    assert problem in str(caught.value)
    assert str(caught.value).startswith("log.jsonl:3: ")


@pytest.mark.parametrize("name", ["OpenAI", "request and response", "prompt"])
def test_a_row_of_another_form_is_refused_in_the_terms_of_the_first(name: str) -> None:
    form = form_of(FORMS[name])
    assert form is not None
    with pytest.raises(DataError, match=r"log\.jsonl:3: the row has no "):
        rows_of({"text": "a"}, form, HERE, Reading())
