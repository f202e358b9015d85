from __future__ import annotations

from typing import Any

import pytest

from mitools import expressions
from mitools.evaluate.score import VERDICTS, scored, verdict
from mitools.tasks import task_named, task_of
from tests.clock import cpu_seconds

EQUATION, CHOICE = task_named("equation"), task_named("choice")


def record(label: str | None, gold: str | None = "( 12.0 + 7.0 )", **more: Any) -> dict[str, Any]:
    return {"id": "1", "input": "x", "label": gold, "student": {"label": label, **more}}


def test_equations_are_right_by_value_and_exact_by_their_characters() -> None:
    assert verdict(record("7 + 12"), EQUATION) == {"correct": True, "exact": False, "valid": True}
    assert verdict(record("( 12.0 + 7.0 )"), EQUATION)["exact"] is True


def test_without_gold_right_and_exact_are_unknown() -> None:
    assert verdict(record("7", None), EQUATION) == {"correct": None, "exact": None, "valid": True}


def test_no_answer_is_wrong_and_invalid() -> None:
    assert verdict(record(None), EQUATION) == {"correct": False, "exact": False, "valid": False}


def test_an_answer_outside_the_choices_is_invalid() -> None:
    one = {"id": "1", "input": "x", "label": "a", "choices": ["a", "b"], "student": {"label": "c"}}
    assert verdict(one, CHOICE) == {"correct": False, "exact": False, "valid": False}


def test_a_rationale_is_judged_beside_the_label() -> None:
    found = verdict(record("12 + 7", rationale="So she has 12 + 7 = 18 apples."), EQUATION)
    assert found["supports"] == "student"
    assert found["consistent"] is True
    assert (found["steps"], found["steps_right"]) == (1, 0)
    assert found["mentions_label"] is True


@pytest.mark.parametrize("task", ["choice", "labels", "equation", "text"])
def test_a_blank_rationale_supports_nothing(task: str) -> None:
    found = verdict(record("12 + 7", rationale=" "), task_named(task))
    assert (found["supported"], found["supports"], found["consistent"]) == (None, "none", None)


def test_without_a_rationale_there_is_no_verdict_on_it() -> None:
    assert "supports" not in verdict(record("12 + 7", rationale=None), EQUATION)


def test_a_decoded_label_is_compared_with_the_scored_one() -> None:
    assert verdict(record("12", decoded="24 / 2"), EQUATION)["decode_agrees"] is True
    assert verdict(record("12", decoded=""), EQUATION)["decode_agrees"] is False


def test_foreign_scores_are_kept_and_stale_verdicts_dropped() -> None:
    one = {**record("19"), "scores": {"mine": 3, "decode_agrees": True, "correct": False}}
    assert scored(one, EQUATION)["scores"] == {
        "mine": 3,
        "correct": True,
        "exact": False,
        "valid": True,
    }


def test_scoring_twice_changes_nothing_and_leaves_its_input_alone() -> None:
    one = {**record("19", rationale="12 + 7 = 19"), "scores": {"mine": 3}}
    once = scored(one, EQUATION)
    assert one["scores"] == {"mine": 3}
    assert list(scored(once, EQUATION)["scores"].items()) == list(once["scores"].items())
    assert set(once["scores"]) - {"mine"} <= set(VERDICTS)


@pytest.mark.parametrize(
    "label",
    [
        "__import__('os').system('touch pwned')",
        "9**9**9",
        "9" * 100_000,
        "(" * 100_000 + "1" + ")" * 100_000,
        "-" * 5_000 + "1",
        "1/0",
        "1e999999999",
        "\x00",
        "٣+٤",
    ],
)
def test_a_malicious_label_is_invalid_at_once(label: str) -> None:
    def judge() -> dict[str, Any]:
        expressions._parse.cache_clear()
        return verdict(record(label), EQUATION)

    assert cpu_seconds(judge) < 0.01
    found = judge()
    assert (found["correct"], found["valid"]) == (False, False)


def test_an_answer_that_differs_from_gold_only_in_case_is_wrong_where_both_are_choices() -> None:
    choices = ["AA", "Aa", "aa"]
    given = {**record("AA", "aa", rationale="So the answer is AA."), "choices": choices}
    scores = verdict(given, task_of(given))
    assert scores["correct"] is False
    assert (scores["supported"], scores["supports"]) == ("AA", "student")
    assert verdict({**given, "choices": ["aa", "bb"]}, CHOICE)["correct"] is True
