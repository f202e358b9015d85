"""Opening a student: when it is needed, and once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mitools.asking import opening
from mitools.asking.opening import open_later
from mitools.asking.predict import OpenedStudent
from mitools.errors import StudentError, UsageError


def test_a_folder_is_opened_once_when_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, student: Any
) -> None:
    calls: list[tuple[Any, ...]] = []

    def open_student(*given: Any) -> OpenedStudent:
        calls.append(given)
        return OpenedStudent(student, "s@1", "1f")

    monkeypatch.setattr(opening, "open_student", open_student)
    opener = open_later(str(tmp_path), "cpu", 512, "bf16")
    assert calls == []
    assert opener() is opener()
    assert calls == [(tmp_path, "cpu", 512, "bf16")]


def test_a_student_that_is_open_has_the_name_of_its_class(student: Any) -> None:
    opened = open_later(student)()
    assert (opened.student, opened.name, opened.digest) == (student, "FakeStudent", None)


def test_a_wrong_device_is_noticed_at_once(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="abacus"):
        open_later(tmp_path, "abacus")


def test_a_folder_without_a_student_is_noticed_when_it_is_opened(tmp_path: Path) -> None:
    opener = open_later(tmp_path)
    with pytest.raises(StudentError):
        opener()
