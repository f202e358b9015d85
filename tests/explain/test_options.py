"""Options of explain: ranges, combinations, and what they mean to filters and pages."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest

from mitools.errors import UsageError
from mitools.evaluate.measures.consistency import Supports
from mitools.explain.options import SUPPORTS, ExplainOptions
from mitools.explain.view import HIGH_CONFIDENCE, LOW_CONFIDENCE, Thresholds


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"low_conf": 1.5}, "--low-conf must be between 0 and 1, not 1.5"),
        ({"high_conf_wrong": float("nan")}, "--high-conf-wrong must be between 0 and 1, not nan"),
        ({"limit": 0}, "--limit must be at least 1, not 0"),
        ({"sample": -1}, "--sample must be at least 1, not -1"),
        ({"batch_size": 0}, "--batch-size must be at least 1, not 0"),
        ({"grep": "("}, r'--grep: "\(" is not a regular expression'),
    ],
)
def test_a_value_out_of_range_is_refused_when_the_options_are_made(
    wrong: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        ExplainOptions(**wrong)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"wrong": True, "right": True}, "no record is both right and wrong"),
        ({"consistent": True, "inconsistent": True}, "both consistent and inconsistent"),
        ({"fixed": True}, "--fixed needs a second student; add --vs FILE"),
        ({"changed": True}, "--changed needs a second student"),
        ({"choices": "a,b", "student": "runs/x"}, "--choices needs --text"),
        ({"text": "Why?"}, "--text needs a student; add --student DIR"),
        ({"text": "Why?", "student": "runs/x", "vs": "b.jsonl"}, "--text asks one student"),
    ],
)
def test_options_that_contradict_each_other_are_refused(
    fields: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        ExplainOptions(**fields).check()


def test_options_that_fit_together_pass() -> None:
    ExplainOptions().check()
    ExplainOptions(text="Why?", choices="a,b", student="runs/x").check()
    ExplainOptions(fixed=True, broken=True, vs="b.jsonl", wrong=True, consistent=True).check()


def test_the_choices_of_supports_are_those_of_the_measure() -> None:
    assert get_args(Supports) == SUPPORTS


def test_filters_make_criteria() -> None:
    options = ExplainOptions(wrong=True, consistent=True, fixed=True, grep="a+", id=("x", "y"))
    criteria = options.criteria
    assert (criteria.is_right, criteria.is_consistent) == (False, True)
    assert criteria.changes == {"fixed"}
    assert criteria.is_changed is None
    assert criteria.pattern == re.compile("a+")
    assert criteria.ids == {"x", "y"}
    nothing = ExplainOptions().criteria
    assert (nothing.is_right, nothing.is_consistent, nothing.needs_student) == (None, None, False)


def test_thresholds_follow_the_filters_of_confidence() -> None:
    assert ExplainOptions().thresholds == Thresholds(LOW_CONFIDENCE, HIGH_CONFIDENCE)
    options = ExplainOptions(low_conf=0.0, high_conf_wrong=0.5)
    assert options.thresholds == Thresholds(0.0, 0.5)


def test_filters_are_written_as_they_are_typed() -> None:
    options = ExplainOptions(
        wrong=True, low_conf=0.5, supports=("gold", "none"), grep="a b", limit=3, sort="id"
    )
    typed = "--wrong --low-conf=0.5 --supports gold --supports none --grep 'a b' --limit=3"
    assert options.filters_as_typed() == typed
    compiled = ExplainOptions(grep=re.compile("a b"))
    assert compiled.filters_as_typed() == "--grep 'a b'"
    assert ExplainOptions().filters_as_typed() == ""
