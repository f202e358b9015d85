"""Choices and labels, in every way that data sets write them."""

from __future__ import annotations

from typing import Any

import pytest

from mitools.errors import InvalidFieldError
from mitools.sources.answers import (
    LABEL_FORMS,
    Choices,
    LabelForm,
    as_text,
    label_among,
    lettered,
    meanings,
    read_choices,
)

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


def test_options_that_begin_with_their_letters_are_split_into_keys_and_texts() -> None:
    assert read_choices(["A)21", "B)21.5", "C)22"]) == Choices(("21", "21.5", "22"), tuple("ABC"))
    assert read_choices(["(a) up", "(b) down"]) == Choices(("up", "down"), ("a", "b"))
    for texts in (["A)21", "C)22"], ["A. Smith", "J. Doe"], ["A)"], ["A) x"]):
        assert read_choices(texts) == Choices(tuple(texts))


def test_a_blank_option_is_not_offered_and_keeps_its_place() -> None:
    choices = read_choices(["park", None, " ", "zoo", ""])
    assert choices is not None
    assert choices.offered == ["park", "zoo"]
    assert label_among("D", choices, "letter") == "zoo"
    assert label_among(3, choices, "index0") == "zoo"
    with pytest.raises(InvalidFieldError):
        label_among("B", choices, "letter")
    assert read_choices(["", None]) is None


@pytest.mark.parametrize(
    ("label", "form", "expected"),
    [
        ("coloring book", "text", "coloring book"),
        (" Coloring  book. ", "text", "coloring book"),
        ("B", "letter", "coloring book"),
        ("b", "letter", "coloring book"),
        ("(b)", "letter", "coloring book"),
        (1, "index0", "coloring book"),
        (1.0, "index0", "coloring book"),
        ("1", "index0", "coloring book"),
        ("1.0", "index0", "coloring book"),
        (0, "index0", "park"),
        (1, "index1", "park"),
        ("3", "index1", "garden center"),
        (-1, "index0", None),
        ("-1", "text", None),
        ("-", "text", None),
        (None, None, None),
        ("  ", "text", None),
    ],
)
def test_a_label_is_found_among_choices_by_the_way_it_is_written(
    label: Any, form: LabelForm | None, expected: str | None
) -> None:
    assert label_among(label, Choices(TEXTS), form) == expected


@pytest.mark.parametrize(
    ("label", "form"),
    [("library", "text"), ("B", "text"), ("D", "letter"), (3, "index0"), ("0", "index1")]
    + [(True, form) for form in LABEL_FORMS]
    + [("park", None)],
)
def test_a_label_that_is_no_choice_is_refused(label: Any, form: LabelForm | None) -> None:
    with pytest.raises(InvalidFieldError, match="not one of its choices"):
        label_among(label, Choices(TEXTS), form)


def test_a_label_written_in_another_way_is_refused_with_the_option() -> None:
    with pytest.raises(InvalidFieldError) as caught:
        label_among("0", Choices(TEXTS), "index1")
    assert 'read by "--label-is index1"' in caught.value.hint
    assert '"--label-is index0"' in caught.value.hint


def test_all_that_a_label_can_mean_is_listed() -> None:
    assert meanings("1", Choices(TEXTS)) == {"index0": "coloring book", "index1": "park"}
    assert meanings(2, Choices(("1", "2", "0"))) == {"text": "2", "index0": "0", "index1": "2"}
    assert meanings("A", Choices(("B", "A"))) == {"text": "A", "letter": "B"}
    keyed = Choices(TEXTS, ("1", "2", "3"))
    assert meanings(3, keyed) == {"key": "garden center", "index1": "garden center"}
    assert meanings("b", Choices(("positive", "negative"), are_set=True)) == {}
    assert meanings(["park"], Choices(TEXTS)) == {}


def test_minus_one_is_a_label_where_it_is_a_choice() -> None:
    assert label_among("-1", Choices(("1", "-1")), "text") == "-1"


def test_true_and_false_are_also_yes_and_no() -> None:
    assert label_among(True, Choices(("no", "yes")), "text") == "yes"
    assert label_among(False, Choices(("False", "True")), "text") == "False"


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
        label_among("many words\n" * 100, Choices(TEXTS), "text")
    assert len(caught.value.message) < 150
    assert "\n" not in caught.value.message


@pytest.mark.parametrize(
    ("cell", "text"), [(2.0, "2"), (-1.0, "-1"), (2.5, "2.5"), (1e300, "1e+300"), (0.0, "0")]
)
def test_a_whole_number_written_as_a_float_is_whole(cell: float, text: str) -> None:
    assert as_text(cell, "label") == text


@pytest.mark.parametrize(
    ("cell", "spec", "hint"),
    [
        (
            ["a", "b"],
            "tags",
            'label=tags.0", or join them: --map "label={{ tags | join(\', \') }}"',
        ),
        (["a", "b"], "my tags", 'label=my tags.0"'),
        ({"text": ["a"], "start": [0]}, "answers", 'label=answers.text.0"'),
        ({"start": 3, "value": "a"}, "answer", 'label=answer.value"'),
        ([{"name": "a"}], "x.y", 'label=x.y.0.name"'),
        ([1, 2], "scores", 'label=scores.0"'),
    ],
)
def test_a_text_inside_a_cell_is_named_by_its_path(cell: Any, spec: str, hint: str) -> None:
    with pytest.raises(InvalidFieldError) as caught:
        as_text(cell, "label", None, spec)
    assert caught.value.hint == f'name one element of it: "--map {hint}'
