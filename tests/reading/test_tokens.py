"""The tokens of a statement: numbers in every grouping, words, signs, and what is unclear."""

from __future__ import annotations

from fractions import Fraction

import pytest

from mitools.reading.tokens import number_text, tokens_of


def kinds(text: str) -> list[tuple[str, str]]:
    return [(token.kind, token.text) for token in tokens_of(text)]


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("1,234 km", [("number", "1234"), ("word", "km")]),
        ("4 096", [("number", "4096")]),
        ("2,50,000", [("number", "250000")]),
        ("twenty-one apples", [("number", "21"), ("word", "apples")]),
        ("3 million", [("number", "3000000")]),
        ("two thirds", [("number", "2/3")]),
        ("3 + 4", [("number", "3"), ("+", "+"), ("number", "4")]),
        ("the one", [("word", "the"), ("word", "one")]),
    ],
)
def test_numbers_are_read_with_plain_digits(text: str, tokens: list[tuple[str, str]]) -> None:
    assert kinds(text) == tokens


@pytest.mark.parametrize("text", ["1.2.3", "3:45", "12,34"])
def test_what_may_be_read_in_two_ways_is_unclear(text: str) -> None:
    assert "unclear" in {kind for kind, _ in kinds(text)}


def test_a_token_knows_whether_a_space_stands_before_it() -> None:
    assert [token.is_tight for token in tokens_of("3 +4")] == [True, False, True]


@pytest.mark.parametrize(
    ("value", "text"), [(Fraction(4), "4"), (Fraction(5, 2), "2.5"), (Fraction(1, 3), "1/3")]
)
def test_a_value_is_written_shortly_and_exactly(value: Fraction, text: str) -> None:
    assert number_text(value) == text
