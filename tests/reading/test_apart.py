"""Choices that only their case, or a sign that a normalized text drops, tells apart."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.reading.apart import forms_among
from mitools.reading.characters import normalize
from mitools.reading.options import mentions, place_of
from mitools.tasks import task_named, task_of

ALIKE = [
    ["AA", "Aa", "aa"],
    ["Co", "CO", "CO2"],
    ["10\u00b2", "102"],
    ["5 MW", "5 mW"],
    ["K", "k"],
    ["its", "It's", "it's"],
    ["\u211d", "R"],
    ["U.S.", "us", "u.s"],
]


@pytest.mark.parametrize("choices", ALIKE)
def test_different_choices_are_never_equal(choices: list[str]) -> None:
    task = task_of({"choices": choices})
    for left in choices:
        assert [choice for choice in choices if task.is_equal(left, choice)] == [left]
        assert task.is_valid(left, choices)


@pytest.mark.parametrize("choices", [row for row in ALIKE if "\u211d" not in row])
def test_each_of_them_is_read_back(choices: list[str]) -> None:
    for name in ("choice", "labels"):
        task = task_named(name, choices)
        for choice in choices:
            assert task.parse(task.state(choice, choices), choices).label == choice
            assert task.supported(f"Think. So the answer is {choice}.", choices) == choice


def test_a_text_that_is_none_of_them_equals_none() -> None:
    choices = ["AA", "aa"]
    task = task_of({"choices": choices})
    assert not any(task.is_equal("aA", choice) for choice in choices)
    assert not task.is_valid("aA", choices)
    assert task.parse("The answer is aA.", choices).label is None


def test_quotes_and_case_still_do_not_count_elsewhere() -> None:
    task = task_of({"choices": ["AA", "aa", "Neutral"]})
    assert task.is_equal('"neutral."', "Neutral")
    assert task.is_equal('"AA"', "AA")
    assert task_of({"choices": ["sea", "Sea world"]}).is_equal("SEA", "sea")


def test_a_choice_listed_twice_looks_like_no_other() -> None:
    assert forms_among(["bridge", "sea", "bridge"]).alike is None
    assert forms_among(["bridge", " bridge", "sea"]).alike is None
    assert forms_among(["sea", "Bridge", "bridge"]).alike == ("Bridge", "bridge")


def test_a_mention_is_of_the_choice_with_its_case() -> None:
    choices = ["Polish", "polish", "Neutral"]
    assert mentions("The Polish people polish it.", choices) == ["Polish", "polish"]
    assert mentions("This is not Polish but NEUTRAL", choices) == ["Neutral"]
    text = "They polish it, and POLISH it"
    assert place_of("polish", text, 0, choices) == (5, 11)


def test_a_longer_choice_is_not_a_mention_of_the_one_within() -> None:
    assert mentions("It is CO2.", ["Co", "CO", "CO2"]) == ["CO2"]


@given(st.lists(st.text(max_size=8), min_size=1, max_size=5), st.text(max_size=8))
def test_the_form_is_the_normalized_text_but_where_choices_look_alike(
    choices: list[str], text: str
) -> None:
    form = forms_among(choices)
    if form.alike is None:
        assert form(text) == normalize(text)
    for one in choices:
        for other in choices:
            if form(one) == form(other):
                assert normalize(one) == normalize(other)
    assert form(text) == form(text)
