"""Untrusted text is shown without anything that could control a terminal."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.escape import on_one_line, visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("a\r\nb", "a\nb"),
        ("a\tb", "a   b"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\u202eright to left", r"\u202eright to left"),
        ("\ud800", r"\ud800"),
        ("\u2028", r"\u2028"),
        ("a\u200db", "a\u200db"),
        ("größer 你好 😀", "größer 你好 😀"),
    ],
)
def test_hidden_characters_are_spelled_out(text: str, shown: str) -> None:
    assert visible(text) == shown


@given(st.text())
def test_nothing_hidden_is_left_in_any_text(text: str) -> None:
    for character in visible(text):
        kept = character in "\n\u200c\u200d"
        assert kept or unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def test_a_message_stays_on_one_line() -> None:
    assert on_one_line("two\nlines") == r"two\nlines"
