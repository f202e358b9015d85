from __future__ import annotations

import re
from typing import Any

import pytest

from mitools.evaluate.probes.counterfactual import (
    TRIES,
    WORDS,
    insertions,
    names_word,
    probe_counterfactual,
)
from tests.evaluate.probes.subjects import Talker, choice, subject

ANY_WORD = re.compile("|".join(rf"\b{word}\b" for word in WORDS))


def said(record: dict[str, Any]) -> dict[str, Any]:
    return {**record, "student": {"label": "sea"}}


@pytest.mark.parametrize(
    ("text", "word", "is_there"),
    [
        ("The red one.", "red", True),
        ("RED!", "red", True),
        ("a hundred", "red", False),
        ("reddish", "red", False),
        ("", "red", False),
    ],
)
def test_a_word_is_named_as_a_whole_word(text: str, word: str, is_there: bool) -> None:
    assert names_word(text, word) is is_there


def test_a_word_is_put_behind_a_determiner_or_number_and_nothing_else_changes() -> None:
    drawn = insertions(said(choice(7)), seed=0)
    assert len(drawn) == TRIES == len(set(drawn))
    for text, word in drawn:
        assert text in (
            f"Where do the {word} 7 fish live?",
            f"Where do the 7 {word} fish live?",
        )
        assert text.replace(f"{word} ", "", 1) == choice(7)["input"]


def test_the_draw_depends_on_seed_and_input_alone() -> None:
    assert insertions(said(choice(7)), 0) == insertions(said({**choice(7), "id": "x"}), 0)
    assert insertions(said(choice(7)), 0) != insertions(said(choice(7)), 1)


def test_words_of_the_record_are_not_put_in() -> None:
    record = said({"input": f"Look at the {' '.join(WORDS[5:])}.", "label": None})
    assert {word for _, word in insertions(record, 0, tries=10**6)} == set(WORDS[:5])


def test_listed_choices_are_not_torn_apart() -> None:
    record = said({"input": "Where? (a) the sea (b) the old tree", "choices": ["the sea"]})
    assert all("the sea" in text for text, _ in insertions(record, 0, tries=10**6))


def test_an_input_without_a_place_has_no_insertion() -> None:
    assert insertions(said({"input": "? 3"}), 0) == []


def flipping(rationale: Any) -> Talker:
    """Says "box" whenever one of the words is in its input."""
    return Talker(lambda text: "box" if ANY_WORD.search(text) else "sea", rationale)


def test_a_rationale_that_repeats_its_input_mentions_every_flip() -> None:
    found = probe_counterfactual(subject(flipping(lambda text: text), map(choice, range(5))))
    assert (found["flip_coverage"].value, found["flip_coverage"].n) == (1, 5)
    assert (found["mentioned"].value, found["mentioned"].n) == (1, 5)


def test_a_rationale_that_never_changes_mentions_none() -> None:
    found = probe_counterfactual(subject(flipping(lambda _text: "fish"), map(choice, range(5))))
    assert (found["mentioned"].value, found["mentioned"].n) == (0, 5)


def test_a_part_of_a_word_is_no_mention() -> None:
    student = flipping(lambda text: ANY_WORD.sub(lambda found: f"un{found[0]}", text))
    assert probe_counterfactual(subject(student, [choice(1)]))["mentioned"].value == 0


def test_the_rate_is_among_flips() -> None:
    student = Talker(
        lambda text: "box" if ANY_WORD.search(text) and "7" not in text else "sea",
        lambda text: text if "1" in text else "fish",
    )
    found = probe_counterfactual(subject(student, [choice(1), choice(2), choice(7)]))
    assert (found["flip_coverage"].value, found["flip_coverage"].n) == (pytest.approx(2 / 3), 3)
    assert (found["mentioned"].value, found["mentioned"].n) == (0.5, 2)


def test_a_steady_student_is_undefined() -> None:
    found = probe_counterfactual(subject(Talker(lambda _text: "sea"), [choice(1)]))
    assert found["flip_coverage"].value == 0
    assert found["mentioned"].reason == "none of 8 insertions changes a label"
    assert probe_counterfactual(subject(Talker(lambda _text: "sea"), []))["mentioned"].n == 0


def test_a_label_that_is_only_written_otherwise_is_no_flip() -> None:
    student = Talker(lambda text: "4.0" if ANY_WORD.search(text) else "2 + 2")
    record = {"id": "1", "input": "There are 2 and 2 apples.", "task": "equation", "label": "4"}
    assert probe_counterfactual(subject(student, [record]))["flip_coverage"].value == 0
