"""Figures at an operating point, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from mitools.evaluate.operating.figures import MEASURES, OperatingFigures
from mitools.operating.point import OperatingPoint
from mitools.records import Record
from mitools.tasks import task_of

POINT = OperatingPoint(
    target=0.9, risk=0.1, threshold=0.7, task="equation", records=50, answered=30, right=29
)


def judged(
    label: str, confidence: float, gold: str | None = "1", teacher: str | None = None, **more: Any
) -> Record:
    record: Record = {
        "input": "q",
        "task": "equation",
        "label": gold,
        "student": {"label": label, "confidence": confidence},
        "scores": {"correct": None if gold is None else label == gold, "sure": confidence >= 0.7},
        **more,
    }
    return record if teacher is None else {**record, "teacher": {"label": teacher}}


def figures(records: list[Record], point: OperatingPoint | None = POINT) -> dict[str, Any]:
    folded = OperatingFigures(point)
    for record in records:
        folded.add(record, task_of(record))
    return folded.metrics()


RECORDS = [
    judged("1", 0.9, teacher="1"),
    judged("1", 0.8, teacher="2"),
    judged("2", 0.7, teacher="2"),
    judged("2", 0.6, teacher="1"),
    judged("1", 0.5, teacher="2"),
    judged("2", 0.4),
    judged("1", 0.9, gold=None, teacher="1"),
    judged("1", 0.3, gold=None),
]


def test_figures_by_hand() -> None:
    found = figures(RECORDS)
    values = {name: (metric.value, metric.n) for name, metric in found.items()}
    assert values == {
        "threshold": (0.7, 50),
        "coverage": (4 / 8, 8),
        "accuracy": (2 / 3, 3),
        "accuracy_below": (1 / 3, 3),
        "with_teacher": (3 / 5, 5),
        "agreement": (3 / 4, 4),
        "aurc": (pytest.approx((0 + 0 + 1 / 3 + 2 / 4 + 2 / 5 + 3 / 6) / 6), 6),
        "chosen_coverage": (0.6, 50),
        "chosen_accuracy": (29 / 30, 30),
        "chosen_agreement": (None, 0),
    }
    assert found["threshold"].details["target"] == 0.9
    assert all(metric.measure is MEASURES[name] for name, metric in found.items())
    assert found["accuracy"].ci95 is not None


def test_records_alone_give_the_figures_that_need_no_threshold() -> None:
    found = figures(RECORDS, None)
    assert found["accuracy"].value == 2 / 3
    for name in ("threshold", "chosen_coverage", "chosen_accuracy"):
        assert found[name].status == "not_applicable"
    assert found["aurc"].status == "undefined"


def test_a_threshold_of_agreement_is_never_called_an_accuracy() -> None:
    point = OperatingPoint(
        target=0.9,
        risk=0.1,
        threshold=0.7,
        reference="teacher",
        records=50,
        answered=30,
        right=29,
    )
    found = figures([judged("1", 0.9, gold=None, teacher="1")], point)
    assert found["chosen_agreement"].value == 29 / 30
    assert found["chosen_accuracy"].status == "not_applicable"
    assert found["accuracy"].status == "undefined"
    assert found["agreement"].value == 1


def test_without_a_threshold_no_answer_is_above_it() -> None:
    point = OperatingPoint(target=0.9, risk=0.1, threshold=None, records=50)
    unsure = [{**one, "scores": {**one["scores"], "sure": False}} for one in RECORDS]
    found = figures(unsure, point)
    assert found["coverage"].value == 0
    assert found["threshold"].status == found["accuracy"].status == "undefined"
    assert "no threshold reaches" in str(found["accuracy"].reason)


def test_records_that_do_not_say_what_is_sure_skip_every_figure() -> None:
    records = [{**one, "scores": {"correct": one["scores"]["correct"]}} for one in RECORDS]
    assert {metric.status for metric in figures(records).values()} == {"skipped"}
