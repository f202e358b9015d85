"""A record of a text: its choices and its task."""

from __future__ import annotations

from typing import Any

import pytest

from mitools.errors import UsageError
from mitools.explain.live import text_record

LABELS = {"task": "labels", "labels": ["yes", "no"]}


@pytest.mark.parametrize(
    ("metadata", "choices", "expected"),
    [
        ({}, None, {}),
        ({"task": "equation"}, None, {"task": "equation"}),
        ({"task": "unheard of"}, None, {}),
        ({"task": "equation"}, " a, b,,a", {"choices": ["a", "b"], "task": "choice"}),
        (LABELS, None, {"choices": ["yes", "no"], "task": "labels"}),
        (LABELS, "a,b", {"choices": ["a", "b"], "task": "labels"}),
    ],
)
def test_choices_and_task_are_those_given_else_the_students(
    metadata: dict[str, Any], choices: str | None, expected: dict[str, Any]
) -> None:
    record = text_record("Why?", choices, None, metadata)
    assert record == {"id": "text", "input": "Why?", **expected}


@pytest.mark.parametrize(
    ("metadata", "task"), [({"task": "labels"}, None), ({"task": "text"}, "labels")]
)
def test_a_set_of_labels_that_nobody_names_is_refused(
    metadata: dict[str, Any], task: str | None
) -> None:
    with pytest.raises(UsageError, match=r"does not list the labels.*--choices A,B,C"):
        text_record("Why?", None, task, metadata)
    text_record("Why?", None, "text", {"task": "labels"})


@pytest.mark.parametrize("choices", ["", " , "])
def test_choices_that_name_no_answer_are_refused(choices: str) -> None:
    with pytest.raises(UsageError, match=r"--choices names no answer.*A,B"):
        text_record("Why?", choices, None, LABELS)
