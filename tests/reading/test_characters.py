"""One form for many spellings: positions stay in one, values in the other."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.reading.characters import cased, fold, normalize, plain, without_invisible


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("The ANSWER: 4", "the answer: 4"),
        ("\uff21\uff22\uff1a4", "ab:4"),
        ("a\u00a0b\u202fc", "a b c"),
        ("\u2019s \u201cyes\u201d", '\'s "yes"'),
    ],
)
def test_a_folded_text_is_lower_case_with_plain_marks(text: str, folded: str) -> None:
    assert fold(text) == folded


@given(st.text())
def test_a_place_in_the_folded_text_is_the_same_place_in_the_text(text: str) -> None:
    assert len(fold(text)) == len(text)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("1\u00bd", "1 1/2"),
        ("5\u00b2", "5^2"),
        ("\u0663\u0664", "34"),
        ("\u24b7", "(B)"),
        ("3 \u00d7 4", "3 * 4"),
        ("2\u20133", "2\u20133"),
        ("plain", "plain"),
    ],
)
def test_the_digits_of_a_statement_are_written_in_ascii(text: str, written: str) -> None:
    assert plain(text) == written


def test_what_cannot_be_seen_is_dropped_but_joiners_stay() -> None:
    assert without_invisible("\ufeff4\u200b2\u00ad") == "42"
    assert without_invisible("\u0645\u06cc\u200c") == "\u0645\u06cc\u200c"


def test_labels_are_compared_without_case_space_quotes_and_period() -> None:
    assert normalize(' "Bus  Depot." ') == "bus depot"
    assert normalize("") == ""


@pytest.mark.parametrize(
    ("left", "right"),
    [("10\u00b2", "102"), ("x\u00b3", "x3"), ("1\u00bd", "11/2"), ("\u00b9", "1")],
)
def test_a_raised_digit_or_a_fraction_is_no_plain_digit(left: str, right: str) -> None:
    assert normalize(left) != normalize(right)


def test_a_normalized_text_keeps_its_powers_and_fractions_in_ascii() -> None:
    assert normalize("5\u00b2") == normalize("5^2")
    assert normalize("1\u00bd Cups") == normalize("1 1/2 cups")
    assert normalize("H\u2082O") == normalize("h2o")


def test_a_cased_text_differs_from_a_normalized_one_only_in_case() -> None:
    assert cased(' "The  \u201cUS\u201d." ') == 'The "US'
    assert normalize(' "The  \u201cUS\u201d." ') == 'the "us'
