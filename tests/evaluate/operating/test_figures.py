"""Figures at an operating point, by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
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
        "with_teacher": (1 / 2 * 2 / 3 + 1 / 2 * 1 / 2, 5),
        "agreement": (3 / 4, 4),
        "aurc": (pytest.approx((0 + 0 + 1 / 3 + 2 / 4 + 2 / 5 + 3 / 6) / 6), 6),
        "chosen_coverage": (0.6, 50),
        "chosen_accuracy": (29 / 30, 30),
        "chosen_agreement": (None, 0),
    }
    assert found["threshold"].details["target"] == 0.9
    assert all(metric.measure is MEASURES[name] for name, metric in found.items())
    assert found["accuracy"].ci95 is not None


SURE = [judged("1", 0.9), judged("1", 0.9), judged("2", 0.9)]


def test_nothing_is_said_of_a_teacher_that_no_unsure_record_was_given_to() -> None:
    found = figures([*SURE, judged("2", 0.1), judged("1", 0.1)])["with_teacher"]
    assert found.status == "undefined"
    assert "teacher" in str(found.reason)
    assert figures(SURE)["with_teacher"].value == 2 / 3  # there is nothing to ask it


def test_a_teacher_that_was_asked_and_gave_no_label_is_wrong() -> None:
    silent = {"label": None, "error": {"kind": "unreadable", "message": "x"}}
    unanswered = {**judged("1", 0.1), "teacher": silent}
    found = figures([*SURE, judged("1", 0.1, teacher="1"), unanswered])
    assert (found["with_teacher"].value, found["with_teacher"].n) == (3 / 5, 5)


def test_part_of_the_teachers_answers_stand_for_all_records_below() -> None:
    """The value does not depend on how many unsure records the teacher was asked about."""
    sure, below = SURE * 100, [judged("2", 0.1, teacher="21"[n % 2]) for n in range(600)]
    whole = figures([*sure, *below])["with_teacher"]
    unasked = [judged("2", 0.1)] * 540
    part = figures([*sure, *below[:60], *unasked])["with_teacher"]
    assert whole.value == pytest.approx(1 / 3 * 2 / 3 + 2 / 3 * 1 / 2)
    assert part.value == pytest.approx(whole.value)
    assert (part.n, part.details) == (360, {"below": 600, "asked": 60})
    assert whole.ci95 is not None
    assert part.ci95 is not None
    assert part.ci95[0] < whole.ci95[0] < whole.ci95[1] < part.ci95[1]


def test_the_interval_of_a_partly_asked_teacher_covers() -> None:
    rng, hits = np.random.default_rng(0), 0
    for _ in range(400):
        records = []
        for draw, asked in zip(rng.random((200, 2)), rng.random(200), strict=True):
            is_sure = bool(draw[0] < 0.5)
            right = "1" if draw[1] < (0.95 if is_sure else 0.7) else "2"
            taught = {"teacher": right} if asked < 0.3 else {}
            records.append(judged(right, 0.9) if is_sure else judged("2", 0.1, **taught))
        low, high = figures(records)["with_teacher"].ci95 or (1.0, 0.0)
        hits += low <= 0.825 <= high
    assert 0.93 <= hits / 400 <= 0.99


def test_records_alone_give_the_figures_that_need_no_threshold() -> None:
    found = figures(RECORDS, None)
    assert found["accuracy"].value == 2 / 3
    for name in ("threshold", "chosen_coverage", "chosen_accuracy", "aurc"):
        assert found[name].status == "not_applicable"
        assert found[name].reason == "the records hold what is sure, but not the threshold"


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
