"""The student beside its teacher, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from mitools.evaluate.beside_teacher import MEASURES, BesideTeacher, is_suspect
from mitools.records import Record
from mitools.tasks import task_of

pytestmark = pytest.mark.usefixtures("few_resamples")


def judged(
    student: str, confidence: float, teacher: str | None, gold: str | None = None, **scores: Any
) -> Record:
    return {
        "input": "q",
        "task": "equation",
        "label": gold,
        "teacher": {"label": teacher},
        "student": {"label": student, "confidence": confidence},
        "scores": {"correct": None if gold is None else student == gold, **scores},
    }


def figures(records: list[Record]) -> dict[str, Any]:
    folded = BesideTeacher()
    for record in records:
        folded.add(record, task_of(record))
    return folded.metrics(0)


def test_agreement_needs_no_gold_and_accuracies_are_of_the_same_records() -> None:
    found = figures(
        [
            judged("1", 0.8, "1"),
            judged("2", 0.6, "1"),
            judged("1", 0.8, "1.0", "1"),
            judged("2", 0.8, "2", "1"),
            judged("1", 0.8, None, "1"),
        ]
    )
    assert (found["agreement"].value, found["agreement"].n) == (3 / 4, 4)
    assert (found["accuracy"].value, found["accuracy"].n) == (1 / 2, 2)
    assert (found["student_accuracy"].value, found["student_accuracy"].n) == (1 / 2, 2)
    assert found["agreement"].ci95 is not None
    # Confidence 0.8 in three answers that agree, 0.6 in one that does not.
    assert found["ece_width"].value == pytest.approx((3 * 0.2 + 0.6) / 4)
    assert found["brier"].value == pytest.approx((3 * 0.04 + 0.36) / 4)
    assert found["auroc"].value == 1
    assert "null95" in found["ece_width"].details
    assert all(metric.measure is MEASURES[name] for name, metric in found.items())


def test_no_title_calls_agreement_an_accuracy() -> None:
    for name in ("agreement", "ece_width", "ece_mass", "brier", "auroc", "aurc"):
        assert "agreement" in MEASURES[name].title
        assert "ccuracy" not in MEASURES[name].title


def test_without_a_teacher_the_figures_are_undefined_with_a_reason() -> None:
    found = figures([judged("1", 0.8, None, "1")])
    assert found.pop("suspects").value == 0
    assert {metric.status for metric in found.values()} == {"undefined"}
    assert found["agreement"].reason == "no record has a teacher label"
    assert found["aurc"].reason == "no record has both a teacher label and a confidence"


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (judged("1", 0.9, "2"), True),
        (judged("1", 0.89, "2"), False),
        (judged("1", 0.5, "2", sure=True), True),
        (judged("1", 0.99, "2", sure=False), False),
        (judged("1", 0.9, "1"), False),
        (judged("1", 0.9, "1", "1"), False),
        (judged("1", 0.9, "2", "1"), True),
        (judged("1", 0.9, "1", "2"), True),
        (judged("1", 0.9, None, "2"), True),
        (judged("1", 0.9, None), False),
        (judged("1", 0.9, "a lot"), False),
    ],
)
def test_a_suspect_is_sure_and_its_labels_are_not_all_equal(record: Record, expected: bool) -> None:
    assert is_suspect(record, task_of(record)) is expected


def test_suspects_are_counted_among_the_records_with_something_to_compare() -> None:
    found = figures([judged("1", 0.9, "2"), judged("1", 0.9, "1"), judged("1", 0.9, None)])
    assert (found["suspects"].value, found["suspects"].n) == (1 / 2, 2)


def test_the_teachers_own_confidence_is_compared_with_gold() -> None:
    records = [judged("1", 0.5, "1", "1"), judged("1", 0.5, "2", "1"), judged("1", 0.5, "1", "1")]
    for record, confidence in zip(records, (0.9, 0.7, None), strict=True):
        record["teacher"]["confidence"] = confidence
    found = figures([*records, judged("1", 0.5, "1")])
    assert (found["confidence"].value, found["confidence"].n) == (pytest.approx(0.8), 2)
    # Right at 0.9 and wrong at 0.7, in two bins.
    assert found["ece"].value == pytest.approx((0.1 + 0.7) / 2)
    alone = figures([judged("1", 0.5, "1", "1")])["ece"]
    assert (alone.status, "--top-logprobs" in alone.reason) == ("undefined", True)
