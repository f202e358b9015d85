"""What is written as TOML is read back the same, whatever it holds."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.errors import RecipeError
from mitools.scaffold.toml_text import toml_comment, toml_key, toml_value

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SCALARS = TEXTS | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner) | st.dictionaries(TEXTS, inner), max_leaves=8
)


@given(TEXTS, VALUES)
def test_a_key_and_a_value_are_read_back(key: str, value: Any) -> None:
    line = f"{toml_key(key)} = {toml_value(value)}"
    assert tomllib.loads(line) == {key: value}
    assert "\n" not in line
    assert line.isprintable()


@given(st.text())
def test_a_comment_is_only_a_comment(text: str) -> None:
    written = toml_comment(text)
    assert tomllib.loads(written) == {}
    assert all(line.startswith("#") and line.isprintable() for line in written.split("\n"))


def test_a_lone_surrogate_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"cannot hold the text 'a\\ud800'.*rename the column"):
        toml_value("a\ud800")


def test_hidden_characters_are_escaped() -> None:
    assert toml_value('a"\\\n\x7f\x9b\u202e\U000e0001 b') == (
        '"a\\"\\\\\\n\\u007F\\u009B\\u202E\\U000E0001 b"'
    )
