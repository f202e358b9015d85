"""The saved operating point: what it holds, what it refuses."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from mitools.errors import OutputError, StudentError
from mitools.operating.point import POINT_NAME, OperatingPoint, has_point

POINT = OperatingPoint(
    target=0.95,
    risk=0.05,
    threshold=0.8,
    task="equation",
    records=200,
    answered=120,
    right=118,
    data_hash="00ff",
    student="abc",
    mitools="0.1",
)


def test_a_point_is_read_back_as_it_was_saved(tmp_path: Path) -> None:
    combined = OperatingPoint(
        target=0.9,
        risk=0.1,
        threshold=None,
        confidence="combined",
        weights=(0.1, -2, 3e-17, 0.0, 1 / 3, 5, 6),
        answer="both",
        answer_weight=0.37,
        reference="teacher",
    )
    scaled = OperatingPoint(
        target=0.9, risk=0.1, threshold=1 / 3, confidence="scaled", temperature=1 / 7
    )
    named = OperatingPoint(target=0.9, risk=0.1, threshold=0.5, answer="named", draws=8)
    for point in (POINT, combined, scaled, named):
        assert not tmp_path.joinpath("x").exists()
        path = point.save(tmp_path)
        assert path == tmp_path / POINT_NAME
        assert OperatingPoint.load(tmp_path) == point
    assert [path.name for path in tmp_path.iterdir()] == [POINT_NAME]


def test_shares_of_the_calibration_records() -> None:
    assert (POINT.coverage, POINT.accuracy) == (0.6, 118 / 120)
    empty = OperatingPoint(target=0.9, risk=0.1, threshold=None)
    assert (empty.coverage, empty.accuracy) == (None, None)


def answered(confidence: float | None, label: str = "4") -> dict[str, Any]:
    student = {"label": label, "confidence": confidence}
    return {"input": "2 + 2?", "task": "equation", "student": student}


def test_an_answer_at_the_threshold_is_sure() -> None:
    assert POINT.is_sure(answered(0.8))
    assert not POINT.is_sure(answered(0.799999))
    assert not POINT.is_sure(answered(None))
    assert not POINT.is_sure(answered(1.0, "a lot"))
    assert POINT.is_sure(answered(1.0, "a lot"), task="text")


def test_without_a_threshold_no_answer_is_sure() -> None:
    assert not OperatingPoint(target=0.9, risk=0.1, threshold=None).is_sure(answered(1.0))


def test_a_folder_without_a_point_is_an_error_that_says_how_to_make_one(tmp_path: Path) -> None:
    assert not has_point(tmp_path)
    with pytest.raises(StudentError, match="has no operating point") as caught:
        OperatingPoint.load(tmp_path)
    assert "--target-accuracy" in caught.value.hint


def write(folder: Path, **changes: Any) -> None:
    document = {"format": 1, **asdict(POINT), **changes}
    kept = {name: value for name, value in document.items() if value is not ...}
    (folder / POINT_NAME).write_text(json.dumps(kept))


@pytest.mark.parametrize(
    "changes",
    [
        {"threshold": "0.8"},
        {"threshold": True},
        {"threshold": float("nan")},
        {"threshold": 1.5},
        {"threshold": ...},
        {"target": 0},
        {"target": None},
        {"target": 10**400},
        {"risk": 1},
        {"risk": ...},
        {"confidence": "prob"},
        {"confidence": ["label"]},
        {"confidence": "scaled"},
        {"confidence": "combined", "weights": [1, 2]},
        {"confidence": "combined", "weights": [1, 2, 3, 4, 5, 6, float("inf")]},
        {"weights": [1, 2, 3, 4, 5, 6, 7]},
        {"temperature": 2.0},
        {"reference": "human"},
        {"answer": "guess"},
        {"answer": "both"},
        {"answer_weight": 0.5},
        {"draws": 0},
        {"draws": True},
        {"seed": 1.5},
        {"task": "sums"},
        {"calibrated_on": "\x1b[31m"},
        {"records": -1},
        {"answered": 500},
        {"right": 121},
        {"student": 7},
        {"mitools": "x" * 5000},
    ],
    ids=repr,
)
def test_a_field_that_makes_no_sense_is_named(tmp_path: Path, changes: dict[str, Any]) -> None:
    write(tmp_path, **changes)
    with pytest.raises(StudentError, match=POINT_NAME) as caught:
        OperatingPoint.load(tmp_path)
    assert "\x1b" not in str(caught.value)
    assert len(str(caught.value)) < len(str(tmp_path)) + 250


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"[]",
        b'{"format": 1',
        b"\xff\xfe",
        b"[" * 100_000,
        b'{"format": 1, "target": ' + b"9" * 6000 + b"}",
        b" " * (1 << 20) + b"{}",
    ],
    ids=["empty", "list", "cut", "bytes", "deep", "digits", "large"],
)
def test_a_damaged_file_is_one_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / POINT_NAME).write_bytes(content)
    assert has_point(tmp_path)
    with pytest.raises(StudentError, match=POINT_NAME):
        OperatingPoint.load(tmp_path)


def test_a_folder_in_its_place_is_an_error(tmp_path: Path) -> None:
    (tmp_path / POINT_NAME).mkdir()
    with pytest.raises(StudentError, match="is not a file"):
        OperatingPoint.load(tmp_path)


def test_a_point_of_a_newer_mitools_is_refused(tmp_path: Path) -> None:
    write(tmp_path, format=2)
    with pytest.raises(StudentError, match="format") as caught:
        OperatingPoint.load(tmp_path)
    assert "upgrade" in caught.value.hint


def test_fields_that_a_later_version_adds_are_ignored(tmp_path: Path) -> None:
    write(tmp_path, comment="so")
    assert OperatingPoint.load(tmp_path) == POINT


def test_a_point_of_other_weights_is_refused(tmp_path: Path) -> None:
    POINT.save(tmp_path)
    assert OperatingPoint.load(tmp_path, "abc") == POINT
    with pytest.raises(StudentError, match="another student"):
        OperatingPoint.load(tmp_path, "abd")


def test_a_folder_that_cannot_be_written_to_is_one_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write"):
        POINT.save(tmp_path / "missing")


def test_impossible_values_cannot_be_made_either() -> None:
    with pytest.raises(ValueError, match='"target" cannot be 2'):
        OperatingPoint(target=2, risk=0.1, threshold=0.5)
