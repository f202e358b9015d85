from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mitools.errors import StudentError
from mitools.evaluate.provenance import describe_run, hash_student, name_student, software
from mitools.evaluate.run import OpenedStudent


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "mitools.json").write_text('{"made": "today"}')
    return tmp_path


def test_the_hash_sees_the_weights_and_not_what_training_says_of_itself(folder: Path) -> None:
    before = hash_student(folder)
    (folder / "mitools.json").write_text('{"made": "tomorrow"}')
    (folder / "README.md").write_text("# A student")
    assert hash_student(folder) == before
    (folder / "model.safetensors").write_bytes(b"other weights")
    assert hash_student(folder) != before


def test_a_folder_that_cannot_be_read_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(StudentError, match="cannot read"):
        hash_student(tmp_path / "nowhere")


def test_a_student_is_named_by_its_folder_and_hash(folder: Path) -> None:
    digest = hash_student(folder)
    assert name_student(folder, digest) == f"{folder.name}@{digest[:12]}"


def test_software_names_python_and_mitools() -> None:
    found = software()
    assert found["python"]
    assert found["mitools"]


def test_a_run_is_described_in_plain_values(student: Any) -> None:
    student.device, student.dtype = "cpu", "torch.float32"
    found = describe_run(OpenedStudent(student, "s@1", "1f"), {"seed": 0})
    assert (found["student"], found["device"], found["dtype"]) == ("s@1", "cpu", "float32")
    assert found["metadata"] == {"task": "equation"}
    assert found["asked"] == {"seed": 0}
