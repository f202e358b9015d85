"""The saved operating point: where it applies to an evaluation, and where not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mitools.asking.predict import OpenedStudent
from mitools.evaluate.operating.saved import saved_point
from mitools.evaluate.options import EvalOptions
from mitools.operating.point import POINT_NAME, OperatingPoint
from tests.asking.fake_student import FakeStudent

POINT = OperatingPoint(target=0.9, risk=0.1, threshold=0.5, student="abc")


def load(
    folder: Path | None, digest: str = "abc", **options: Any
) -> tuple[OperatingPoint | None, list[str]]:
    said: list[str] = []
    opened = OpenedStudent(FakeStudent(), "s@abc", digest, folder)
    return saved_point(opened, EvalOptions(**options), said.append), said


def test_a_point_applies_to_the_student_that_it_was_chosen_for(tmp_path: Path) -> None:
    assert load(None) == load(tmp_path) == (None, [])
    POINT.save(tmp_path)
    assert load(tmp_path) == (POINT, [])


@pytest.mark.parametrize(
    ("point", "options", "words"),
    [
        (replace(POINT, student="abd"), {}, "another student"),
        (replace(POINT, answer="conclude", draws=3), {}, "--answer conclude --draws 3"),
        (
            replace(POINT, answer="both", answer_weight=0.25),
            {"answer": "both", "answer_weight": 0.5},
            "--answer both --draws 1 --answer-weight 0.25",
        ),
        (replace(POINT, precision="bf16"), {}, "--answer predict --draws 1 --precision bf16"),
        (POINT, {"precision": "bf16"}, '"--answer predict --draws 1"'),
        (replace(POINT, rationales=True), {"rationales": False}, "reads rationales"),
    ],
    ids=["student", "way", "weight", "bf16", "fp32", "rationales"],
)
def test_a_point_that_does_not_apply_is_not_used_and_this_is_said(
    tmp_path: Path, point: OperatingPoint, options: dict[str, Any], words: str
) -> None:
    point.save(tmp_path)
    found, (said,) = load(tmp_path, **options)
    assert found is None
    assert words in said


def test_a_damaged_point_costs_a_warning_and_not_the_evaluation(tmp_path: Path) -> None:
    (tmp_path / POINT_NAME).write_text("{")
    found, (said,) = load(tmp_path)
    assert found is None
    assert POINT_NAME in said


def test_test_records_that_chose_the_point_are_warned_of(tmp_path: Path) -> None:
    point = replace(POINT, calibrated_on="test")
    point.save(tmp_path)
    found, (said,) = load(tmp_path)
    assert found == point
    assert "optimistic" in said
    assert load(tmp_path, split="valid") == (point, [])
