"""Numbers in words."""

from __future__ import annotations

from fractions import Fraction

import pytest

from mitools.reading.number_words import chinese_number, spelled_number, with_eastern_scales


@pytest.mark.parametrize(
    ("words", "value"),
    [
        ("seven", 7),
        ("twenty one", 21),
        ("two hundred and five", 205),
        ("three thousand and twelve", 3012),
        ("a dozen", 12),
        ("half a dozen", 6),
        ("half", Fraction(1, 2)),
        ("two thirds", Fraction(2, 3)),
        ("one and a half", Fraction(3, 2)),
        ("five twenty", None),
        ("third", None),
        ("apples", None),
        ("", None),
    ],
)
def test_words_are_exactly_one_number_or_none(words: str, value: int | Fraction | None) -> None:
    assert spelled_number(words.split()) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("四十二", 42), ("十", 10), ("一百零五", 105), ("两千", 2000), ("二三四", None)],
)
def test_chinese_numbers(text: str, value: int | None) -> None:
    assert chinese_number(text) == value


def test_eastern_words_for_powers_of_ten() -> None:
    assert with_eastern_scales("3.5万") == "35000"
    assert with_eastern_scales("no scale") == "no scale"
