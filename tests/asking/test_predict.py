"""Asking a student: scored choices, decoded labels, rationales."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.asking.predict import predict
from mitools.errors import StudentError
from tests.evaluate.examples import choice, equation

ANY_SCORES = st.lists(st.floats(-800, 0), min_size=1, max_size=8)


class Scorer:
    """Gives every choice the score that it is told."""

    metadata: dict[str, Any] = {}  # noqa: RUF012

    def __init__(self, scores: dict[str, float]) -> None:
        self.scores = scores

    def score_choices(self, inputs: Any, choices: Any) -> list[list[float]]:
        return [[self.scores[name] for name in row] for row in choices]


def answer(scores: dict[str, float], *choices: str) -> dict[str, Any]:
    records = [choice(1, *(choices or scores))]
    return predict(Scorer(scores), records, rationales=False)[0]  # type: ignore[arg-type]


def test_choices_become_a_softmax_and_the_best_one_the_label() -> None:
    found = answer({"a": math.log(0.2), "b": math.log(0.6)})
    assert found["label"] == "b"
    assert found["choices"] == pytest.approx({"a": 0.25, "b": 0.75})
    assert found["confidence"] == found["choices"]["b"]
    assert found["in_set_mass"] == pytest.approx(0.8)
    assert found["log_prob"] == pytest.approx(math.log(0.6), abs=1e-6)


@given(ANY_SCORES)
def test_probabilities_sum_to_1_and_the_label_has_the_largest(scores: list[float]) -> None:
    found = answer({str(index): score for index, score in enumerate(scores)})
    assert sum(found["choices"].values()) == pytest.approx(1, abs=1e-5)
    assert found["confidence"] == max(found["choices"].values())
    assert scores[int(found["label"])] == max(scores)


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=8))
def test_the_mass_of_a_proper_distribution_is_at_most_1(weights: list[float]) -> None:
    total = sum(weights)
    found = answer({str(i): math.log(weight / total) for i, weight in enumerate(weights)})
    assert found["in_set_mass"] <= 1 + 1e-5


def test_the_order_of_the_choices_changes_no_answer() -> None:
    scores = {"a": -1.0, "b": -0.5, "c": -0.5}
    found = [answer(scores, *order) for order in itertools.permutations("abc")]
    assert all(one == found[0] for one in found)
    assert found[0]["label"] == "b"


def test_a_choice_listed_twice_is_asked_once_and_counted_once() -> None:
    scores = {"bridge": math.log(0.3), "beach": math.log(0.1)}
    assert answer(scores, "bridge", "beach", "bridge") == answer(scores, "bridge", "beach")


def test_an_impossible_choice_has_no_share() -> None:
    found = answer({"a": -math.inf, "b": -1.0})
    assert found["choices"] == {"a": 0, "b": 1}


@pytest.mark.parametrize("scores", [{"a": math.nan, "b": -1.0}, {"a": -math.inf}, {"a": 3.0}])
def test_scores_that_are_not_log_probabilities_are_refused(scores: dict[str, float]) -> None:
    with pytest.raises(StudentError, match="not log-probabilities"):
        answer(scores)


def test_open_labels_are_decoded_and_their_confidence_is_their_probability(student: Any) -> None:
    student.labels, student.rationales = {"q1": "2 + 1"}, {"q1": "So 2 + 1 = 3."}
    assert predict(student, [equation(1)]) == [
        {
            "label": "2 + 1",
            "confidence": pytest.approx(math.exp(-0.5), rel=1e-5),
            "log_prob": -0.5,
            "label_truncated": False,
            "rationale": "So 2 + 1 = 3.",
            "rationale_truncated": False,
        }
    ]


def test_an_empty_text_is_no_label_and_an_empty_rationale_stays_one(student: Any) -> None:
    (found,) = predict(student, [equation(1)])
    assert (found["label"], found["rationale"]) == (None, "")


@pytest.mark.parametrize("log_prob", [math.nan, math.inf, -math.inf, 0.1])
def test_an_impossible_log_probability_is_refused(student: Any, log_prob: float) -> None:
    student.log_prob = log_prob
    with pytest.raises(StudentError, match="log-probability"):
        predict(student, [equation(1)])


def test_open_and_closed_records_keep_their_order(student: Any) -> None:
    student.labels, student.favourite = {"q1": "7", "q3": "9"}, {"q2": "b"}
    records = [equation(1), choice(2, "a", "b"), equation(3)]
    labels = [found["label"] for found in predict(student, records)]
    assert labels == ["7", "b", "9"]
    assert student.asked[:2] == [("choices", [["a", "b"]]), ("labels", ["q1", "q3"])]


def test_decoding_beside_scoring_is_asked_for(student: Any) -> None:
    student.labels = {"q1": "b"}
    records = [choice(1, "a", "b")]
    assert "decoded" not in predict(student, records)[0]
    assert predict(student, records, decode=True)[0]["decoded"] == "b"


def test_rationales_may_be_left_out(student: Any) -> None:
    (found,) = predict(student, [equation(1)], rationales=False)
    assert "rationale" not in found
    assert [what for what, _ in student.asked] == ["labels"]


def test_a_student_that_loses_an_answer_is_refused(student: Any) -> None:
    student.generate_rationales = lambda _inputs: []
    with pytest.raises(StudentError, match="0 answers to 2 questions"):
        predict(student, [equation(1), equation(2)])


class ShortSighted(Scorer):
    """Reads twenty characters."""

    def are_cut(self, inputs: Any) -> list[bool]:
        return [len(text) > 20 for text in inputs]


def test_an_answer_says_whether_its_input_was_cut_where_the_student_knows() -> None:
    records = [{**choice(1, "a"), "input": text} for text in ("short", "x" * 21)]
    scores = {"a": -1.0}
    found = predict(ShortSighted(scores), records, rationales=False)  # type: ignore[arg-type]
    assert [one["input_truncated"] for one in found] == [False, True]
    assert "input_truncated" not in answer(scores)
