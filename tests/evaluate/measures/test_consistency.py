from __future__ import annotations

import pytest

from mitools.evaluate.measures.consistency import Consistency, Supports, supports_whose
from mitools.tasks import task_named

EQUAL = task_named("choice").is_equal


@pytest.mark.parametrize(
    ("supported", "label", "gold", "whose"),
    [
        ("A", "a", "b", "student"),
        ("a", "a", "a", "student"),
        ("b", "a", "b", "gold"),
        ("c", "a", "b", "other"),
        ("c", "a", None, "other"),
        ("c", None, "c", "gold"),
        (None, None, None, "none"),
        (None, "a", "b", "none"),
    ],
)
def test_whose_answer_a_rationale_supports(
    supported: str | None, label: str | None, gold: str | None, whose: Supports
) -> None:
    assert supports_whose(supported, label, gold, EQUAL) == whose


def folded() -> Consistency:
    consistency = Consistency()
    for supports, is_correct, times in (
        ("student", True, 5),
        ("other", True, 1),
        ("student", False, 1),
        ("gold", False, 2),
        ("none", False, 1),
        ("student", None, 2),
    ):
        for _ in range(times):
            consistency.add(supports, is_correct=is_correct)
    return consistency


def test_consistency_is_a_share_of_the_rationales_that_support_an_answer() -> None:
    metrics = folded().metrics()
    assert (metrics["consistency"].value, metrics["consistency"].n) == (8 / 11, 11)
    assert (metrics["coverage"].value, metrics["coverage"].n) == (11 / 12, 12)


def test_the_quadrant_table_counts_the_records_with_gold() -> None:
    assert folded().quadrants() == {
        "right": {"student": 5, "gold": 0, "other": 1, "none": 0},
        "wrong": {"student": 1, "gold": 2, "other": 0, "none": 1},
    }


def test_rationales_that_support_nothing_leave_consistency_undefined() -> None:
    consistency = Consistency()
    consistency.add("none", is_correct=True)
    metrics = consistency.metrics()
    assert metrics["consistency"].status == "undefined"
    assert metrics["coverage"].value == 0


def test_without_rationales_both_are_undefined() -> None:
    assert {metric.status for metric in Consistency().metrics().values()} == {"undefined"}
