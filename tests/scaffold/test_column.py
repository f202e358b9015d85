"""What is known about a column, from its values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from mitools.scaffold.column import Column


def column(values: Iterable[Any]) -> Column:
    made = Column("x")
    for value in values:
        made.add(value)
    return made


def test_blank_values_do_not_count() -> None:
    assert column([None, "", "  ", "a"]).filled == 1
    assert column([None, ""]).describe() == "empty"


@pytest.mark.parametrize(
    "values", [[1, 2.5, -3], ["1", "2,000", "3.5"], ["( 3 + 4 )", "12 / 4", "7"], ["$5", "6", "7"]]
)
def test_numbers_and_expressions_are_numbers(values: list[Any]) -> None:
    assert column(values).are_numbers
    assert not column(values).are_texts


@pytest.mark.parametrize("values", [["2024-03-04"], ["4.3.2024"], ["x1"], [True], ["a 3"]])
def test_dates_texts_and_truth_values_are_not_numbers(values: list[Any]) -> None:
    assert not column(values).are_numbers


def test_a_few_values_that_occur_again_are_labels() -> None:
    assert column(["a", "b"] * 5).are_labels
    assert not column(["a"] * 5).are_labels
    assert not column("abcdef").are_labels
    assert not column([f"{n}" for n in range(201)] * 3).are_labels
    long = "one of two texts that are much too long for a label"
    assert not column([long, long + "!"] * 5).are_labels


@pytest.mark.parametrize(
    "value", [["a", "b"], '["a", "b"]', {"label": ["A", "B"], "text": ["x", "y"]}]
)
def test_lists_of_texts_are_choices_also_in_json(value: Any) -> None:
    assert column([value] * 3).are_choices
    assert column([value] * 3).describe() == "lists of texts"


def test_other_lists_are_nested() -> None:
    found = column([[["a"]], {"a": {"b": 1}}])
    assert not found.are_choices
    assert found.describe() == "lists or objects"


def test_what_is_kept_of_many_long_values_is_bounded() -> None:
    found = column([f"{n} " + "x" * 300 for n in range(50)] + [f"{n}" for n in range(3000)])
    assert len(found.values) == 1000
    assert found.has_more


def test_a_description_shows_the_first_labels() -> None:
    found = column(["e", "b", "a", "c", "d"] * 4)
    assert found.describe() == "5 different values: a, b, c, d, …"


def test_counts_and_codes_are_told_from_other_numbers() -> None:
    assert column(["3", "1", "2"]).is_count
    assert not column(["1", "2", "4"]).is_count
    assert not column(["1", "2", "2"]).is_count
    assert column(["A", "b", "1"] * 2).are_codes
    assert not column(["A", "no"] * 2).are_codes
