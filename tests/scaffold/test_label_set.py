"""The labels of a column as a set, in the forms in which data sets write their classes."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mitools.errors import UsageError
from mitools.scaffold.column import Column
from mitools.scaffold.label_set import form_of_labels, label_set, warn_of_numbers


def column(*values: Any, name: str = "label") -> Column:
    made = Column(name)
    for value in values * 5:
        made.add(value)
    return made


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (("no", "yes"), ("no", "yes")),
        (
            ("neutral", "entailment", "-", "contradiction"),
            ("contradiction", "entailment", "neutral"),
        ),
        ((10, 9, 2, 1), ("1", "2", "9", "10")),
        ((2, 0, -1, 1), ("0", "1", "2")),
        ((-1, 0, 1), ("-1", "0", "1")),
        ((-2, -1, 0, 1, 2), ("-2", "-1", "0", "1", "2")),
        (("-1", "low", "high"), ("-1", "high", "low")),
        ((1.0, None, 0.0, 2.0), ("0", "1", "2")),
        (("1.0", "0.0"), ("0.0", "1.0")),
        ((True, False), ("false", "true")),
    ],
)
def test_the_labels_of_a_column_without_what_stands_for_none(
    values: tuple[Any, ...], labels: tuple[str, ...]
) -> None:
    assert label_set(column(*values)) == labels


def test_names_in_the_file_are_the_set() -> None:
    assert label_set(column("a", "b"), ["b", "a", "c"]) == ("b", "a", "c")


@pytest.mark.parametrize("values", [("x",), ("x", "-"), tuple(f"text {n}" for n in range(201))])
def test_a_column_that_is_not_a_set_needs_one(values: tuple[str, ...]) -> None:
    with pytest.raises(UsageError, match=r"--labels A,B,C"):
        label_set(column(*values))


def test_names_may_stand_for_the_codes_of_a_column() -> None:
    assert form_of_labels(column(0, 1), ["bad", "good"]) is None
    assert form_of_labels(column("A", "B"), ["bad", "good"]) is None
    assert form_of_labels(column(0, 1), ["0", "1"]) == "text"
    assert form_of_labels(column("bad", "good"), ["bad", "good", "fair"]) == "text"
    assert form_of_labels(None, ["bad", "good"]) == "text"


def test_names_may_stand_for_signs() -> None:
    assert form_of_labels(column(1, -1, 0), ["bad", "so so", "good"]) == "sign"
    assert form_of_labels(column(1, -1), ["bad", "good"]) == "sign"
    assert form_of_labels(column(1, -1, 0), ["bad", "good"]) != "sign"
    assert form_of_labels(column(1, -1, 0), ["-1", "0", "1"]) == "text"


@pytest.mark.parametrize(
    ("labels", "words"),
    [
        (["0", "1"], 'write their names, in this order, in labels of recipe.toml, and "index0"'),
        (["1", "2", "3", "4", "5"], 'are numbers.* "index1" in label-is'),
        (["0.0", "1.0"], '"index0" in label-is'),
        (["-1", "0", "1"], 'the labels -1, 0, 1 are .*: write their names, in this .* "sign"'),
        (["-2", "0", "2"], "the labels -2, 0, 2 are .*: replace them by names in the data"),
    ],
)
def test_numbers_that_mean_nothing_to_a_teacher_are_a_warning(
    labels: list[str], words: str
) -> None:
    warning = warn_of_numbers(column(*labels), labels)
    assert warning is not None
    assert re.search(words, warning)


def test_numbers_of_a_scale_and_names_need_no_warning() -> None:
    assert warn_of_numbers(column(1, 2, name="stars"), ["1", "2"]) is None
    assert warn_of_numbers(column("a", "b"), ["a", "b"]) is None
    assert warn_of_numbers(None, ["0", "1"]) is None
    assert warn_of_numbers(column(0, 4, name="sentiment"), ["0", "4"]) is not None
