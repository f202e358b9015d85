"""Which parts of a long text are shown."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.explain.excerpt import Limits, Omission, Part, excerpt

FEW = Limits(head=4, tail=3, around=1, letters=10)
WORDS = " ".join(f"w{number}" for number in range(40))


def shown(text: str, *places: tuple[int, int], limits: Limits = FEW) -> list[str]:
    return [
        str(part) if isinstance(part, Omission) else text[part.begin : part.end].strip()
        for part in excerpt(text, limits, places)
    ]


def test_a_short_text_is_whole() -> None:
    assert excerpt("", FEW) == [Part(0, 0)]
    assert excerpt("one two three", FEW) == [Part(0, 13)]


def test_a_long_text_keeps_head_and_tail_and_counts_what_is_left_out() -> None:
    assert shown(WORDS) == ["w0 w1 w2 w3", "33 words left out", "w37 w38 w39"]


def test_nothing_is_left_out_for_a_word_or_two() -> None:
    gap = FEW.shortest_gap
    for count in (7, 7 + gap):
        assert len(excerpt(" ".join(["word"] * count), FEW)) == 1
    assert len(excerpt(" ".join(["word"] * (8 + gap)), FEW)) == 3


def test_places_are_shown_with_words_around_them() -> None:
    place = WORDS.index("w20")
    assert shown(WORDS, (place, place + 3)) == [
        "w0 w1 w2 w3",
        "15 words left out",
        "w19 w20 w21",
        "15 words left out",
        "w37 w38 w39",
    ]


def test_places_in_head_and_tail_change_nothing() -> None:
    assert shown(WORDS, (0, 2), (len(WORDS) - 2, len(WORDS))) == shown(WORDS)


def test_a_text_without_spaces_is_counted_in_characters() -> None:
    assert shown("y" * 100) == ["y" * 40, "30 characters left out", "y" * 30]


def test_a_word_is_not_cut_unless_it_is_very_long() -> None:
    text = "abcdefghijklmnopqr " * 20
    head, _, tail = shown(text)
    assert set(f"{head} {tail}".split()) == {"abcdefghijklmnopqr"}


@pytest.mark.parametrize("count", [1, 2])
def test_one_word_is_one_word(count: int) -> None:
    assert str(Omission(count, "word")) == f"{count} word{'s' * (count != 1)} left out"


@given(
    st.text(alphabet="ab \n", max_size=400),
    st.lists(st.tuples(st.integers(0, 400), st.integers(0, 20)), max_size=4),
)
def test_parts_are_in_order_and_places_are_in_one_of_them(
    text: str, found: list[tuple[int, int]]
) -> None:
    places = [(begin, min(len(text), begin + size)) for begin, size in found if begin < len(text)]
    parts = excerpt(text, FEW, places)
    kept = [part for part in parts if isinstance(part, Part)]
    assert kept[0].begin == 0
    assert kept[-1].end == len(text)
    assert all(before.end <= after.begin for before, after in pairwise(kept))
    for begin, end in places:
        assert any(part.begin <= begin and end <= part.end for part in kept)
