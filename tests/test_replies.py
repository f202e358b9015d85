"""A reply as an answer, or the reason why it has none; the same for annotate and load."""

from __future__ import annotations

import pytest

from mitools.replies import Problem, ReplyText, error_field, read_reply
from mitools.tasks import How, task_named

EQUATION = task_named("equation")


def test_thoughts_are_the_rationale_of_a_bare_answer_only() -> None:
    bare, _ = read_reply(ReplyText("7", "3 and 4 are 7."), EQUATION, None, How())
    assert (bare.label, bare.rationale) == ("7", "3 and 4 are 7.")
    full, problem = read_reply(ReplyText("We add. It is 7.", "hm"), EQUATION, None, How())
    assert (full.label, full.rationale, problem) == ("7", "We add. It is 7.", None)


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (ReplyText(""), "empty"),
        (ReplyText("<think>seven"), "empty"),
        (ReplyText("<think>seven", is_truncated=True), "truncated"),
        (ReplyText("We add 3 and", is_truncated=True), "truncated"),
        (ReplyText("It depends on the day."), "unreadable"),
    ],
)
def test_a_reply_without_a_label_says_why(reply: ReplyText, kind: str) -> None:
    answer, problem = read_reply(reply, EQUATION, None, How())
    assert answer.label is None
    assert problem is not None
    assert problem.kind == kind


def test_a_truncated_last_sentence_is_not_read() -> None:
    whole = "The answer is 7. So the total is 71"
    answer, _ = read_reply(ReplyText(whole, is_truncated=True), EQUATION, None, How())
    assert answer.label == "7"
    assert read_reply(ReplyText("The answer is 71", is_truncated=True), EQUATION, None, How())[1]


def test_a_problem_becomes_a_field() -> None:
    assert error_field(Problem("empty", "nothing")) == {"kind": "empty", "message": "nothing"}
