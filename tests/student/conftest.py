"""A saved student, and copies of it that tests damage."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mitools.student.base.open_base import open_base
from mitools.student.codec import Codec
from mitools.student.folder import save_student


@pytest.fixture(scope="session")
def saved_student(tmp_path_factory: pytest.TempPathFactory, tiny_causal: Path) -> Path:
    """A student that was saved; nobody changes it."""
    folder = tmp_path_factory.mktemp("whole")
    base = open_base(str(tiny_causal), lambda: iter(()))
    save_student(folder, base.model, Codec(base.tokenizer, base.kind, 64, 16, 24), {})
    return folder


@pytest.fixture
def folder(saved_student: Path, tmp_path: Path) -> Path:
    """A copy of a saved student, to be damaged."""
    place = tmp_path / "student"
    shutil.copytree(saved_student, place)
    return place
