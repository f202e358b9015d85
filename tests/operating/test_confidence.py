"""The confidence in an answer: each kind by hand, and what all kinds have in common."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.operating.confidence import CONFIDENCES, FEATURES, Confidence, ConfidenceName, features
from mitools.records import Record
from mitools.tasks import task_named, task_of

CHOICE = task_named("choice")
WEIGHTS = (0.5, 0.1, 1.0, 0.2, 0.8, 0.1, -0.3)


def chosen(*chances: float, label: str = "a", **more: Any) -> Record:
    names = "abcdefgh"[: len(chances)]
    student = {
        "label": label,
        "confidence": chances[names.index(label)],
        "choices": dict(zip(names, chances, strict=True)),
        **more,
    }
    return {"input": "q", "task": "choice", "choices": list(names), "student": student}


def decoded(confidence: float | None, label: str | None = "4", **more: Any) -> Record:
    student = {"label": label, "confidence": confidence, **more}
    return {"input": "2 + 2?", "task": "equation", "student": student}


def confidence(record: Record, kind: ConfidenceName, temperature: float = 2.0) -> float | None:
    parameters: dict[str, Any] = {"scaled": {"temperature": temperature}}
    parameters["combined"] = {"weights": WEIGHTS}
    return Confidence(kind, **parameters.get(kind, {})).of(record, task_of(record))


def test_the_confidence_of_the_label_is_the_one_stated() -> None:
    assert confidence(chosen(0.7, 0.3), "label") == 0.7
    assert confidence(decoded(0.25), "label") == 0.25


def test_the_margin_is_the_difference_of_the_two_best_choices() -> None:
    assert confidence(chosen(0.6, 0.1, 0.3), "margin") == pytest.approx(0.3)
    assert confidence(decoded(0.8), "margin") == 0.8


def test_a_temperature_scales_choices_as_a_softmax_and_a_decoded_label_against_the_rest() -> None:
    roots = [math.sqrt(0.64), math.sqrt(0.32), math.sqrt(0.04)]
    assert confidence(chosen(0.64, 0.32, 0.04), "scaled") == pytest.approx(roots[0] / sum(roots))
    assert confidence(decoded(0.9), "scaled") == pytest.approx(3 / (3 + 1))
    assert confidence(chosen(0.7, 0.3), "scaled", 1.0) == pytest.approx(0.7)


def by_both(predicted: str, concluded: str, rationale: str | None, stated: float) -> Record:
    answers = {
        "predict": {"label": predicted, "confidence": stated},
        "conclude": {"label": concluded, "confidence": 0.8},
    }
    return decoded(stated, predicted, answers=answers, rationale=rationale)


def test_agreement_ranks_by_the_readings_that_agree_and_then_by_probability() -> None:
    ranked = [
        by_both("4", "5", "The answer is 5.", 0.99),
        by_both("4", "5", "I do not know", 0.10),
        by_both("4", "5", "I do not know", 0.99),
        by_both("4", "5", "The answer is 4.", 0.10),
        by_both("4", "4", "I do not know", 0.50),
        by_both("4", "4", "The answer is 4.", 0.01),
        by_both("4", "4", "The answer is 4.", 0.02),
    ]
    stated = [confidence(record, "agreement") for record in ranked]
    assert stated == sorted(stated, key=lambda value: value or 0)
    assert len(set(stated)) == len(stated)
    assert all(value is not None and 0 <= value <= 1 for value in stated)


def test_what_the_rationale_names_is_the_other_reading_of_a_student_with_one() -> None:
    def by_name(predicted: str, named: str) -> Record:
        record = by_both(predicted, named, f"The answer is {named}.", 0.5)
        answers = record["student"]["answers"]
        answers["named"] = answers.pop("conclude")
        return {**record, "student": {**record["student"], "label": named}}

    agreed, differs = (confidence(by_name("4", name), "agreement") for name in ("4", "5"))
    assert agreed is not None
    assert differs is not None
    assert agreed > differs


def test_agreement_of_one_reading_without_a_rationale_is_the_probability() -> None:
    assert confidence(decoded(0.3), "agreement") == 0.3


def test_features_by_hand() -> None:
    found = features(by_both("4", "5", "The answer is 4.", 0.75), task_named("equation"))
    log_odds, behind = math.log(3), math.log1p(math.exp(math.log(4)))
    assert found == pytest.approx((log_odds, log_odds, -1, -behind, 1, 0))
    mass = features(chosen(0.6, 0.3, 0.1, in_set_mass=0.5), CHOICE)
    assert mass == pytest.approx((math.log(1.5), math.log(2), 0, 0, 0, math.log(0.5)))
    assert len(found) == len(mass) == len(FEATURES)


def test_the_combination_is_a_logistic_one() -> None:
    record = chosen(0.6, 0.3, 0.1, in_set_mass=0.5)
    score = 0.5 * math.log(1.5) + 0.1 * math.log(2) + 0.1 * math.log(0.5) - 0.3
    assert confidence(record, "combined") == pytest.approx(1 / (1 + math.exp(-score)))


@pytest.mark.parametrize("kind", CONFIDENCES)
@pytest.mark.parametrize(
    "record",
    [
        {"input": "q", "task": "text"},
        decoded(None),
        decoded(0.9, None),
        decoded(0.9, "four apples, or five"),
        chosen(0.9, 0.1) | {"choices": ["b", "c"]},
    ],
    ids=["unanswered", "unstated", "no label", "not a number", "not a choice"],
)
def test_without_a_usable_answer_there_is_no_confidence(
    kind: ConfidenceName, record: Record
) -> None:
    assert confidence(record, kind) is None


@pytest.mark.parametrize("kind", CONFIDENCES)
@given(stated=st.floats(0, 1), mass=st.floats(0, 2), more=st.lists(st.floats(0, 1), max_size=4))
def test_every_confidence_is_between_0_and_1(
    kind: ConfidenceName, stated: float, mass: float, more: list[float]
) -> None:
    for record in (decoded(stated), chosen(stated, *more, in_set_mass=mass)):
        found = confidence(record, kind, 0.05)
        assert found is not None
        assert 0 <= found <= 1


@pytest.mark.parametrize("kind", CONFIDENCES)
def test_gold_and_teacher_change_no_confidence(kind: ConfidenceName) -> None:
    record = by_both("4", "5", "The answer is 4.", 0.75)
    told = {**record, "label": "5", "teacher": {"label": "5"}, "scores": {"correct": False}}
    assert confidence(told, kind) == confidence(record, kind)


def test_small_probabilities_of_choices_count_in_full_and_of_decoded_labels_to_six_digits() -> None:
    for small in (1e-4, 1e-9, 1e-40):
        expected = 1 / (1 + math.sqrt(small))
        assert confidence(chosen(1.0, small), "scaled") == pytest.approx(expected, abs=1e-12)
    assert confidence(chosen(1.0, 0.0), "scaled") == pytest.approx(1)
    assert confidence(decoded(1.0), "scaled") == pytest.approx(1 / (1 + 1e-3))


def test_a_rationale_that_names_nothing_is_not_a_reading_that_agrees() -> None:
    def read(votes: int, label: str = "4") -> Record:
        answers = {
            "predict": {"label": "4", "confidence": 0.5},
            "named": {"label": label, "confidence": 0.5, "votes": votes},
        }
        return decoded(0.5, "4", answers=answers, rationale="I do not know.")

    ranked = [read(1, "5"), read(0), read(1)]
    assert [features(record, task_of(record))[2] for record in ranked] == [-1, 0, 1]
    stated = [confidence(record, "agreement") or 0 for record in ranked]
    assert stated == sorted(set(stated))
