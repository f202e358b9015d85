"""The metadata of a student, when its file states something wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mitools.errors import StudentError
from mitools.student import load_student
from mitools.student.metadata import read_metadata, work_folder
from tests.student.damage import failure


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("max_input_tokens", "many"),
        ("max_label_tokens", -1),
        ("max_rationale_tokens", 10**9),
        ("max_input_tokens", None),
        ("max_input_tokens", 1.5),
        ("max_input_tokens", True),
        ("kind", "seq2seq"),
        ("kind", ["causal"]),
        ("order", "sideways"),
        ("order", ["separate"]),
        ("format", 10**400),
        ("prefixes", None),
        ("answer_weight", 0.5),
        ("answer_weight", {"value": 2, "fitted_on": 3}),
        ("answer_weight", {"value": True, "fitted_on": 3}),
        ("answer_weight", {"value": 0.5, "fitted_on": -1}),
        ("answer_weight", {"value": 0.5}),
        ("answer_weight", {"fitted_on": 3}),
    ],
)
def test_what_a_student_says_about_itself_is_checked(folder: Path, key: str, value: Any) -> None:
    text = json.loads((folder / "mitools.json").read_text())
    (folder / "mitools.json").write_text(json.dumps({**text, key: value}))
    failure(folder)


def test_an_unfinished_run_is_named_as_such(tmp_path: Path) -> None:
    (tmp_path / "first.work").mkdir()
    for name in ("first", "first.work"):
        with pytest.raises(StudentError, match=r"first\.work is an unfinished run") as caught:
            load_student(tmp_path / name, "cpu")
        assert "--resume" in (caught.value.hint or "")


def test_a_finished_student_opens_beside_a_work_folder(folder: Path) -> None:
    work_folder(folder).mkdir()
    assert read_metadata(folder)["kind"]


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_bytes(b"")
    problems = {"nowhere": "does not exist", "weights.safetensors": "is not a folder"}
    for name, problem in problems.items():
        with pytest.raises(StudentError, match=f"{name} {problem}") as caught:
            load_student(tmp_path / name, "cpu")
        assert "--save" in (caught.value.hint or "")


def test_a_folder_without_metadata_is_not_a_student(tmp_path: Path) -> None:
    assert "mitools.json is missing" in failure(tmp_path)


def test_the_work_folder_is_beside_the_folder_that_a_link_names(tmp_path: Path) -> None:
    (tmp_path / "deep" / "real").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "deep" / "real")
    assert work_folder(tmp_path / "link") == tmp_path / "deep" / "real.work"
    assert work_folder(Path("runs/new")) == Path("runs/new.work")
