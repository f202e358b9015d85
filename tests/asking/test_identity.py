from __future__ import annotations

from pathlib import Path

import pytest

from mitools.asking.identity import hash_student, name_student
from mitools.errors import StudentError


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
    (folder / "operating_point.json").write_text("{}")
    assert hash_student(folder) == before
    (folder / "model.safetensors").write_bytes(b"other weights")
    assert hash_student(folder) != before


def test_a_folder_that_cannot_be_read_is_an_error_of_ours(tmp_path: Path) -> None:
    with pytest.raises(StudentError, match="cannot read"):
        hash_student(tmp_path / "nowhere")


def test_a_student_is_named_by_its_folder_and_hash(folder: Path) -> None:
    digest = hash_student(folder)
    assert name_student(folder, digest) == f"{folder.name}@{digest[:12]}"
