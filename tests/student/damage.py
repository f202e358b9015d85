"""Changing the files of a student, and how it fails to open then."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mitools.errors import StudentError
from mitools.student import load_student


def change(path: Path, **changes: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def failure(folder: Path) -> str:
    with pytest.raises(StudentError) as caught:
        load_student(folder, "cpu")
    text = str(caught.value)
    assert "\n" not in text
    assert caught.value.hint
    return text
