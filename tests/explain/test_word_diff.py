"""Which words two texts share."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.explain.word_diff import word_diff


def pairs(old: str, new: str) -> list[tuple[str, str]]:
    return [(part.kind, part.text) for part in word_diff(old, new)]


def test_words_that_differ_are_removed_and_added() -> None:
    assert pairs("Fish swim in the sea.", "Fish live in the sea.") == [
        ("same", "Fish"),
        ("removed", "swim"),
        ("added", "live"),
        ("same", "in the sea."),
    ]


def test_spaces_and_line_breaks_are_not_compared() -> None:
    assert pairs("a  b\nc", "a b c") == [("same", "a b c")]
    assert pairs("", "") == []


def test_a_part_says_whether_it_stands_apart() -> None:
    parts = word_diff("She has 18.", "She has 19.")
    assert [(part.text, part.is_apart) for part in parts] == [
        ("She has", True),
        ("18", True),
        ("19", True),
        (".", False),
    ]


@pytest.mark.parametrize(
    ("old", "new", "removed", "added"),
    [
        ("84.5 eggs", "84.6 eggs", "84.5", "84.6"),
        ("1,250 eggs", "1,350 eggs", "1,250", "1,350"),
        ("it isn't", "it is", "isn't", "is"),
        ("魚は海にいる", "魚は川にいる", "海", "川"),
    ],
)
def test_what_a_word_is(old: str, new: str, removed: str, added: str) -> None:
    changed = [pair for pair in pairs(old, new) if pair[0] != "same"]
    assert changed == [("removed", removed), ("added", added)]


@given(st.text(alphabet="ab. ", max_size=60), st.text(alphabet="ab. ", max_size=60))
def test_each_text_is_in_the_parts(old: str, new: str) -> None:
    parts = word_diff(old, new)
    for text, other in ((old, "added"), (new, "removed")):
        words = "".join("".join(part.text.split()) for part in parts if part.kind != other)
        assert words == "".join(text.split())


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("the " * 5000, "a " + "the " * 4990 + "b"),
        ("the cat " * 2500, "cat the the " * 1700),
        (" ".join(map(str, range(5000))), " ".join(map(str, range(5000, 0, -1)))),
    ],
)
def test_long_texts_take_less_than_seconds(old: str, new: str) -> None:
    start = time.process_time()
    word_diff(old, new)
    assert time.process_time() - start < 5
