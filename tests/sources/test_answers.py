"""Choices and labels, in every way that data sets write them."""

from __future__ import annotations

from typing import Any

import pytest

from mitools.errors import InvalidFieldError
from mitools.sources.answers import Choices, as_text, label_among, lettered, read_choices

TEXTS = ("park", "coloring book", "garden center")


@pytest.mark.parametrize(
    ("cell", "keys"),
    [
        (["park", "coloring book", "garden center"], ()),
        ('["park", "coloring book", "garden center"]', ()),
        ({"label": ["A", "B", "C"], "text": list(TEXTS)}, ("A", "B", "C")),
        ({"text": list(TEXTS)}, ()),
        ([{"label": n, "text": text} for n, text in enumerate(TEXTS)], ("0", "1", "2")),
        (dict(zip("ABC", TEXTS, strict=True)), ("A", "B", "C")),
        ({**dict(zip("ABC", TEXTS, strict=True)), "D": None}, ("A", "B", "C")),
    ],
)
def test_choices_are_read_from_every_usual_form(cell: Any, keys: tuple[str, ...]) -> None:
    assert read_choices(cell) == Choices(TEXTS, keys)


@pytest.mark.parametrize("cell", [None, [], {}, ""])
def test_nothing_means_no_choices(cell: Any) -> None:
    assert read_choices(cell) is None


@pytest.mark.parametrize("cell", ["park", 3, {"label": ["A"], "text": ["x", "y"]}, [["a"], ["b"]]])
def test_what_is_no_list_of_texts_is_refused(cell: Any) -> None:
    with pytest.raises(InvalidFieldError):
        read_choices(cell)


@pytest.mark.parametrize(
    ("label", "expected"),
    [
        ("coloring book", "coloring book"),
        (" Coloring  book. ", "coloring book"),
        ("B", "coloring book"),
        ("b", "coloring book"),
        ("(b)", "coloring book"),
        (1, "coloring book"),
        (1.0, "coloring book"),
        ("1", "coloring book"),
        (0, "park"),
        (-1, None),
        ("-1", None),
        (None, None),
        ("  ", None),
    ],
)
def test_a_label_is_found_among_choices(label: Any, expected: str | None) -> None:
    assert label_among(label, Choices(TEXTS)) == expected


@pytest.mark.parametrize("label", ["library", "D", 3, "3", True])
def test_a_label_that_is_no_choice_is_refused(label: Any) -> None:
    with pytest.raises(InvalidFieldError, match="none of its choices"):
        label_among(label, Choices(TEXTS))


def test_keys_come_before_places_and_texts_before_letters() -> None:
    counted_from_1 = Choices(TEXTS, ("1", "2", "3"))
    assert label_among("1", counted_from_1) == "park"
    assert label_among(3, counted_from_1) == "garden center"
    assert label_among("A", Choices(("B", "A"))) == "A"
    assert label_among("2", Choices(("1", "2", "0"))) == "2"
    assert label_among(2, Choices(("1", "2", "0"))) == "0"


def test_fixed_labels_have_no_letters() -> None:
    with pytest.raises(InvalidFieldError):
        label_among("b", Choices(("positive", "negative"), have_letters=False))


def test_lettered_writes_one_choice_a_line() -> None:
    assert lettered(["park", "zoo"]) == "(a) park\n(b) zoo"
    assert lettered({"label": ["1", "2"], "text": ["park", "zoo"]}) == "(a) park\n(b) zoo"
    assert lettered(None) == ""
    assert lettered([str(place) for place in range(27)]).endswith("(z) 25\n(27) 26")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("a b ", "a b "), (3, "3"), (2.5, "2.5"), (True, "true"), (None, None), (" \n", None)],
)
def test_a_scalar_becomes_text(cell: Any, expected: str | None) -> None:
    assert as_text(cell, "label") == expected


def test_a_list_is_no_text_and_the_hint_says_how_to_reach_into_it() -> None:
    with pytest.raises(InvalidFieldError, match=r"a list, not a text; .*label=….0"):
        as_text(["a"], "label")


def test_a_long_label_does_not_fill_the_screen() -> None:
    with pytest.raises(InvalidFieldError) as caught:
        label_among("many words\n" * 100, Choices(TEXTS))
    assert len(caught.value.message) < 150
    assert "\n" not in caught.value.message
