"""A text that names a choice, with each choice in its place."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mitools.reading.in_place import InPlace, choices_in_place, find_choice
from mitools.tasks import task_named


def texts_of(reply: str, choices: Sequence[str], task: str = "choice") -> InPlace | None:
    answer = task_named(task).parse(reply, choices)
    assert answer.label is not None
    return choices_in_place(reply, answer.label, answer.closest, choices)


@pytest.mark.parametrize(
    ("reply", "texts"),
    [
        (
            "It is wet. So the answer is (b) sea.",
            [f"It is wet. So the answer is ({letter}) sea." for letter in "abc"],
        ),
        ("The answer is B.", [f"The answer is {letter}." for letter in "ABC"]),
        (
            'Waves: {"answer": "sea"}',
            [f'Waves: {{"answer": "{name}"}}' for name in ("road", "sea", "old wood")],
        ),
        ("Sea", ["Road", "Sea", "Old wood"]),
        ("Answer: SEA", [f"Answer: {name}" for name in ("ROAD", "SEA", "OLD WOOD")]),
    ],
)
def test_each_choice_takes_the_place_and_the_form_of_the_label(
    reply: str, texts: list[str]
) -> None:
    choices = ["road", "sea", "old wood"]
    found = texts_of(reply, choices)
    assert found is not None
    assert (found.choices, found.texts, found.own) == (tuple(choices), tuple(texts), 1)


def test_equal_choices_are_written_once_in_words_and_each_by_its_letter() -> None:
    choices = ["sea", "road", "sea"]
    in_words = texts_of("The answer is road", choices, "labels")
    assert in_words is not None
    assert in_words.choices == ("sea", "road")
    by_letter = texts_of("So the answer is (c).", choices)
    assert by_letter is not None
    assert (by_letter.choices, by_letter.own) == (("sea", "road", "sea"), 2)


def test_choices_that_differ_in_case_are_both_written() -> None:
    found = texts_of("The answer is sea", ["sea", "road", "Sea"], "labels")
    assert found is not None
    assert found.choices == ("sea", "road", "Sea")
    assert found.texts == ("The answer is sea", "The answer is road", "The answer is Sea")


def test_there_is_nothing_to_write_without_a_second_choice_or_a_place() -> None:
    assert texts_of("The answer is sea", ["sea"], "labels") is None
    assert choices_in_place("The answer is sea", "sea", (0, 17), None) is None
    assert choices_in_place("The answer is sea", "sea", None, ["sea", "road"]) is None
    assert choices_in_place("The answer is sea", None, (0, 17), ["sea", "road"]) is None


@pytest.mark.parametrize(
    ("before", "behind"),
    [
        ('{"why": "The sea is wet.", "answer": "', '"}'),
        ("The sea is wet, so it is \\boxed{", "}."),
        ("Of the sea and the road the answer is ", ", as the sea is wet."),
    ],
)
def test_the_label_is_replaced_and_not_its_mention_in_the_reasons(before: str, behind: str) -> None:
    found = texts_of(f"{before}sea{behind}", ["road", "sea"], "labels")
    assert found is not None
    assert found.texts == (f"{before}road{behind}", f"{before}sea{behind}")


@pytest.mark.parametrize(
    ("text", "choice", "choices", "begin"),
    [
        ("for the northern gate it is no", "no", ["yes", "no"], 28),
        ("seaside or sea", "sea", ["sea", "road"], 11),
        ("two seas", "sea", ["sea", "road"], 4),
        ("old wood or wood", "wood", ["wood", "old wood"], 12),
        ("old wood", "wood", ["wood", "old wood"], 4),
        ("positively", "positive", ["positive", "negative"], 0),
        ("C++ and C", "C++", ["C", "C++"], 0),
        ("it is \u6d77\u3002", "\u6d77", ["\u6d77", "\u6e56"], 6),
        ("\u7b54\u6848\u662f\u6d77\u3002", "\u6d77", ["\u6d77", "\u6e56"], 3),
    ],
)
def test_a_choice_is_found_as_whole_words(
    text: str, choice: str, choices: Sequence[str], begin: int
) -> None:
    named = choices.index(choice)
    found = find_choice(text, (0, len(text)), [named], choices)
    assert found is not None
    assert (found.place, found.by_letter) == (begin, False)


def test_a_short_choice_is_not_found_inside_another_word() -> None:
    assert find_choice("the northern gate", (0, 17), [1], ["yes", "no"]) is None
