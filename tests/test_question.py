from __future__ import annotations

from typing import Any

import pytest

from mitools.question import question_digest

RECORD: dict[str, Any] = {"id": "1", "input": "2 + 3?", "label": "5", "choices": ["5", "6"]}


@pytest.mark.parametrize(
    "change",
    [
        {"input": "2 + 4?"},
        {"label": "6"},
        {"label": None},
        {"choices": ["5", "7"]},
        {"task": "text"},
    ],
)
def test_another_input_gold_choices_or_task_is_another_question(change: dict[str, Any]) -> None:
    assert question_digest({**RECORD, **change}) != question_digest(RECORD)


def test_the_id_answers_and_what_is_left_out_by_default_do_not_matter() -> None:
    same = {**RECORD, "id": "2", "task": "choice", "student": {"label": "5"}, "group": None}
    assert question_digest(same) == question_digest(RECORD)
    assert question_digest({"input": "x"}) == question_digest({"input": "x", "choices": []})
    assert question_digest({"input": "x"}, "equation") == question_digest(
        {"input": "x", "task": "text"}, "equation"
    )


def test_a_lone_surrogate_is_hashed() -> None:
    assert len(question_digest({"input": "\ud800"})) == 16
