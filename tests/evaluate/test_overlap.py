from __future__ import annotations

import numpy as np
import pytest

from mitools.evaluate.overlap import Space, mention_places

CHOICES = [["sea", "bus depot"], ["sea", "garden", "buses"]] * 4
INPUTS = [f"where do {what} wait for people to go" for what in ("ships", "buses")] * 4


@pytest.fixture
def space() -> Space:
    return Space(INPUTS, CHOICES, seed=0)


def test_a_text_is_nearest_to_the_choice_that_it_names(space: Space) -> None:
    rows = space.measure(["At the bus depot."] * 8)
    assert rows.shape[0] == 20
    word, part = rows[:2, 0], rows[:5, 1]
    assert word[1] > 0 == word[0]
    assert part[4] > 0  # "buses" shares parts with "bus", and no word
    assert rows[4, 0] == 0
    assert rows[:2, -3:].tolist() == [[0, 0, 0], [1, 1, 1]]


def test_the_last_choice_named_is_marked(space: Space) -> None:
    rows = space.measure(["Not the sea, a garden."] * 8)
    assert rows[2:5, -3:].tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]


def test_an_empty_text_has_nothing_in_common_with_anything(space: Space) -> None:
    assert not space.measure([""] * 8).any()


def test_measures_of_a_text_do_not_depend_on_other_texts(space: Space) -> None:
    alone = space.measure(["the sea"] * 8)
    among = space.measure(["the sea", *["a garden of the sea, a depot"] * 7])
    assert (alone[:2] == among[:2]).all()


def test_lengths_count_words(space: Space) -> None:
    assert np.exp(space.lengths()[:2]).ravel() == pytest.approx([2, 3])


def test_places_are_of_the_last_mention_in_whole_words() -> None:
    assert mention_places("sea or bus depot or sea", ["sea", "bus depot", "pot"]) == [6, 4, -1]
    assert mention_places("anything", ["", "?"]) == [-1, -1]


def test_too_few_words_for_topics_leave_the_rest() -> None:
    assert Space(["a", "b"], [["c", "d"]] * 2, seed=0).measure(["c", "d"]).shape == (4, 5)
