"""The field teacher, read out of replies by the reader of the task."""

from __future__ import annotations

from typing import Any

import pytest

from mitools.errors import Where
from mitools.replies import Problem
from mitools.schema import validate
from mitools.sources.chat.answers import Answers
from mitools.sources.chat.exchange import Exchange, Given
from mitools.sources.chat.report import ChatReport

HERE = Where("log.jsonl", 4)
ASKED: dict[str, Any] = {"input": "2 + 5?", "task": "equation"}


def add(
    record: dict[str, Any], *texts: str | Given, options: dict[str, Any] | None = None, **about: Any
) -> dict[str, Any]:
    replies = tuple(text if isinstance(text, Given) else Given(text) for text in texts)
    answers = Answers(ChatReport(), **(options or {}))
    made = answers.add(record, Exchange("2 + 5?", replies, **about), HERE)
    validate(made)
    return made


def test_label_rationale_and_where_they_come_from() -> None:
    usage = {"prompt_tokens": 9}
    record = add({**ASKED, "label": "7"}, "We add. The answer is 7.", model="m", usage=usage)
    assert record["teacher"] == {
        "label": "7",
        "rationale": "We add.",
        "agrees": True,
        "read_by": "cue",
        "model": "m",
        "usage": {"prompt_tokens": 9},
        "source": "log.jsonl:4",
    }


def test_the_turn_is_named_where_there_are_several() -> None:
    assert add(ASKED, "7", turn=3)["teacher"]["source"] == "log.jsonl:4 turn 3"


def test_labels_are_read_from_the_set() -> None:
    record = {"input": "Late.", "task": "labels", "choices": ["billing", "delivery"]}
    teacher = add(record, "The parcel is late. So the answer is delivery.")["teacher"]
    assert (teacher["label"], teacher["agrees"]) == ("delivery", None)
    assert add(record, "No idea.")["teacher"]["error"]["kind"] == "unreadable"


REPLY = "<think>2 and 5 make 7.</think>We add them. The answer is 7."


@pytest.mark.parametrize(
    ("rationale_from", "reply", "rationale"),
    [
        ("answer", Given(REPLY), "We add them."),
        ("thoughts", Given(REPLY), "2 and 5 make 7."),
        ("answer", Given("The answer is 7.", "2 and 5 make 7."), "2 and 5 make 7."),
        ("thoughts", Given("We add. It is 7.", "2 and 5."), "2 and 5."),
        ("thoughts", Given("We add. The answer is 7."), "We add."),
    ],
)
def test_a_rationale_is_the_answers_or_the_thoughts(
    rationale_from: str, reply: Given, rationale: str
) -> None:
    teacher = add(ASKED, reply, options={"rationale_from": rationale_from})["teacher"]
    assert (teacher["label"], teacher["rationale"]) == ("7", rationale)


def test_the_sample_that_agrees_with_gold_is_chosen() -> None:
    record = add({**ASKED, "label": "7"}, "It is 8.", "So it is 7.", "<think>never ends")
    teacher = record["teacher"]
    assert (teacher["label"], teacher["agrees"]) == ("7", True)
    assert [sample["label"] for sample in teacher["samples"]] == ["8", "7", None]
    assert [sample["agrees"] for sample in teacher["samples"]] == [False, True, None]
    assert teacher["samples"][2]["error"]["kind"] == "empty"


def test_without_gold_the_files_verdict_counts_then_the_majority() -> None:
    right = Given("It is 9.", is_right=True)
    assert add(ASKED, "It is 7.", "So 7.", right)["teacher"]["label"] == "9"
    assert add(ASKED, "It is 8.", "It is 7.", "So 7.")["teacher"]["label"] == "7"
    assert add(ASKED, "It is 8.", "It is 7.")["teacher"]["label"] == "8"


@pytest.mark.parametrize(
    ("solution", "gold"),
    [
        ("7", "7"),
        ("2 + 5 = 7, so $\\boxed{7}$.", "7"),
        ("Add them.\n#### 7", "7"),
        ("Any of 5, 6 or 8 would be fine if the day were another one.", None),
    ],
)
def test_gold_is_read_from_a_solution(solution: str, gold: str | None) -> None:
    record = add(ASKED, "The answer is 7.", gold_solution=solution)
    assert record["label"] == gold
    assert record["teacher"]["agrees"] is (None if gold is None else True)


def test_a_problem_of_the_log_is_an_error_of_the_teacher() -> None:
    teacher = add(ASKED, Given("", problem=Problem("refusal", "no")))["teacher"]
    assert teacher["error"] == {"kind": "refusal", "message": "no"}
    assert teacher["label"] is None


def test_rationales_are_cut_everywhere() -> None:
    long = "First we read. " + "Then we wait a while. " * 20 + "Add 2 and 5. The answer is 7."
    options = {"most_words": 8}
    record = add({**ASKED, "label": "7"}, long, long, options=options)
    assert record["teacher"]["rationale"] == "First we read. Add 2 and 5."
    assert record["teacher"]["samples"][1]["rationale"] == "First we read. Add 2 and 5."
    answers = Answers(ChatReport(), most_words=3)
    assert answers.shortened({"rationale": "A b c d. E f."})["rationale"] == "E f."
    assert answers.shortened({"input": "a"}) == {"input": "a"}
