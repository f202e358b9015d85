"""The metadata of a student, when its file states something wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

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
    ],
)
def test_what_a_student_says_about_itself_is_checked(folder: Path, key: str, value: Any) -> None:
    text = json.loads((folder / "mitools.json").read_text())
    (folder / "mitools.json").write_text(json.dumps({**text, key: value}))
    failure(folder)
