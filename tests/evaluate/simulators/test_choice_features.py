from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from mitools.evaluate.simulators.choice_features import ChoiceSpace, mention_places

Cut = Callable[[str], list[str]]

CHOICES = [["sea", "bus depot"], ["sea", "garden", "buses"]] * 4
INPUTS = [f"where do {what} wait for people to go" for what in ("ships", "buses")] * 4


@pytest.fixture
def space() -> ChoiceSpace:
    return ChoiceSpace(INPUTS, CHOICES, seed=0)


def test_a_text_is_nearest_to_the_choice_that_it_names(space: ChoiceSpace) -> None:
    rows = space.measure(["At the bus depot."] * 8)
    assert rows.shape[0] == 20
    word, part = rows[:2, 0], rows[:5, 1]
    assert word[1] > 0 == word[0]
    assert part[4] > 0  # "buses" shares parts with "bus", and no word
    assert rows[4, 0] == 0
    assert rows[:2, -3:].tolist() == [[0, 0, 0], [1, 1, 1]]


def test_the_last_choice_named_is_marked(space: ChoiceSpace) -> None:
    rows = space.measure(["Not the sea, a garden."] * 8)
    assert rows[2:5, -3:].tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]


def test_an_empty_text_has_nothing_in_common_with_anything(space: ChoiceSpace) -> None:
    assert not space.measure([""] * 8).any()


def test_measures_of_a_text_do_not_depend_on_other_texts(space: ChoiceSpace) -> None:
    alone = space.measure(["the sea"] * 8)
    among = space.measure(["the sea", *["a garden of the sea, a depot"] * 7])
    assert (alone[:2] == among[:2]).all()


def test_lengths_count_words(space: ChoiceSpace) -> None:
    assert np.exp(space.lengths()[:2]).ravel() == pytest.approx([2, 3])


def test_places_are_of_the_last_mention_in_whole_words() -> None:
    assert mention_places("sea or bus depot or sea", ["sea", "bus depot", "pot"]) == [6, 4, -1]
    assert mention_places("anything", ["", "?"]) == [-1, -1]


def test_too_few_words_for_topics_leave_the_rest() -> None:
    assert ChoiceSpace(["a", "b"], [["c", "d"]] * 2, seed=0).measure(["c", "d"]).shape == (4, 5)


def slow_cosine(left: dict[str, float], right: dict[str, float]) -> float:
    lengths = [math.sqrt(sum(value**2 for value in one.values())) for one in (left, right)]
    product = sum(value * right.get(term, 0) for term, value in left.items())
    return product / math.prod(lengths) if all(lengths) else 0.0


def slow_weights(text: str, questions: list[list[str]], cut: Cut) -> dict[str, float]:
    """Weigh the terms of a text that two questions or more have."""
    found = {}
    for term in set(cut(text)):
        holding = sum(term in question for question in questions)
        if holding > 1:
            rarity = math.log((1 + len(questions)) / (1 + holding)) + 1
            found[term] = (1 + math.log(cut(text).count(term))) * rarity
    return found


def parts(text: str) -> list[str]:
    marked = [f"^{word}$" for word in text.split()]
    return [word[start : start + 4] for word in marked for start in range(max(1, len(word) - 3))]


@pytest.mark.parametrize(("column", "cut"), [(0, str.split), (1, parts)])
def test_cosines_are_those_of_a_plain_loop(space: ChoiceSpace, column: int, cut: Cut) -> None:
    told = ["for the sea go to the depot", "a garden of buses and buses"] * 4
    questions = [cut(" ".join([text, *row])) for text, row in zip(INPUTS, CHOICES, strict=True)]
    expected = [
        slow_cosine(*(slow_weights(one, questions, cut) for one in (text, name)))
        for text, row in zip(told, CHOICES, strict=True)
        for name in row
    ]
    assert any(expected)
    assert space.measure(told)[:, column] == pytest.approx(expected)


def test_questions_that_are_all_alike_raise_no_warning() -> None:
    alike = ChoiceSpace(["fish live here"] * 4, [["sea", "tree"]] * 4, seed=0)
    assert np.isfinite(alike.measure(["the sea"] * 4)).all()
