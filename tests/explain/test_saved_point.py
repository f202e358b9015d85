"""The operating point of a student that ``explain`` asks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mitools.asking.predict import OpenedStudent
from mitools.errors import StudentError, UsageError
from mitools.explain.options import ExplainOptions
from mitools.explain.run import ExplanationRun
from mitools.operating.point import OperatingPoint
from tests.asking.two_readings import TwoReadings, closed

STUDENT = TwoReadings(
    {"fish": {"sea": 0.5, "tree": 0.3}, "ape": {"sea": 0.1, "tree": 0.9}},
    {"swims": {"sea": 0.95, "tree": 0.05}, "climbs": {"sea": 0.4, "tree": 0.6}},
    {"fish": "swims", "ape": "climbs"},
)


def shown(folder: Path, **options: Any) -> list[str]:
    run = ExplanationRun(
        ExplainOptions(student=str(folder), **options),
        open_student=lambda: OpenedStudent(STUDENT, "two", "d", folder),
    )
    found = [item.record["input"] for item in run.run([closed("fish"), closed("ape")])]
    assert run.counts.with_point == 2 * (folder / "operating_point.json").exists()
    return found


def test_the_saved_point_says_which_answers_are_sure(tmp_path: Path) -> None:
    OperatingPoint(target=0.9, risk=0.1, threshold=0.8, student="d").save(tmp_path)
    assert shown(tmp_path, sure=True) == ["ape"]
    assert shown(tmp_path, unsure=True) == ["fish"]


def test_the_student_answers_in_the_way_of_its_point(tmp_path: Path) -> None:
    OperatingPoint(target=0.9, risk=0.1, threshold=0.8, answer="conclude").save(tmp_path)
    assert shown(tmp_path, sure=True) == ["fish"]
    assert shown(tmp_path, sure=True, answer="conclude") == ["fish"]
    with pytest.raises(UsageError, match="was chosen with --answer conclude") as caught:
        shown(tmp_path, sure=True, answer="predict")
    assert "--answer predict --target-accuracy" in str(caught.value.hint)


def test_no_answer_is_sure_where_no_threshold_reached_the_target(tmp_path: Path) -> None:
    OperatingPoint(target=0.9, risk=0.1, threshold=None).save(tmp_path)
    assert shown(tmp_path, sure=True) == []
    assert shown(tmp_path, unsure=True) == ["fish", "ape"]


def test_a_point_of_other_weights_is_refused(tmp_path: Path) -> None:
    OperatingPoint(target=0.9, risk=0.1, threshold=0.8, student="older").save(tmp_path)
    with pytest.raises(StudentError, match="another student"):
        shown(tmp_path, sure=True)


def test_without_a_point_nothing_is_marked(tmp_path: Path) -> None:
    assert shown(tmp_path, sure=True) == []
