"""Where a label stands in what states it, and in the whole completion."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mitools.reading.places import place_within
from mitools.tasks import task_named


def held(task: str, completion: str, choices: Sequence[str] | None = None) -> str | None:
    answer = task_named(task).parse(completion, choices)
    assert answer.label is not None
    return None if answer.held is None else completion[slice(*answer.held)]


@pytest.mark.parametrize(
    ("completion", "words"),
    [
        ('{"why": "6 + 1 is 7", "answer": "7"}', "7"),
        ('{"answer": 7, "why": "6 + 1 = 7"}', "7"),
        ('{"answer": ["7"], "why": "6 + 1 = 7"}', "7"),
        ('{"why": "so \\"answer\\": 5", "answer" :\n "7 eggs" }', "7 eggs"),
        ('{"answer": 5, "sum": {"answer": 3}, "label": 7}', "7"),
        ('{"why": "6 + 1", "rating": 7}', "7"),
        ('{"answer": "7", "why": "cut', "7"),
        ("6 + 1 is <answer>7</answer>", "7"),
        ("With 6 and 7 we get \\boxed{7} eggs.", "\\boxed{7}"),
        ("6 + 1.\n#### 7", "#### 7"),
        ("The 7 answers: the answer is 7, as 6 + 1 = 7. Yes.", "7, as 6 + 1 = 7."),
        ("Answer:\n- 7 eggs", "7 eggs"),
        ("The answer is 5, but that is wrong; it is 7.", "7."),
        ("<think>It is 7.</think>\n7", "7"),
    ],
)
def test_the_part_of_a_statement_that_holds_the_label(completion: str, words: str) -> None:
    assert held("equation", completion) == words


def test_a_short_answer_stands_behind_the_thoughts_with_the_same_words() -> None:
    completion = "<think>Is it red or blue? red</think>red"
    answer = task_named("labels").parse(completion, ["blue", "red"])
    assert answer.place == answer.held == (len(completion) - 3, len(completion))
    assert answer.closest == answer.held


def test_the_whole_statement_is_the_closest_place_where_no_other_is_known() -> None:
    said = "So the answer is (a) answer is unclear."
    answer = task_named("choice").parse(said, ["answer is unclear", "x"])
    assert answer.closest is not None
    assert answer.label == "answer is unclear"


def test_a_place_is_found_behind_what_was_removed() -> None:
    assert place_within("thoughts 7. So it is 7.", "So it is 7.", (9, 10)) == (21, 22)
    assert place_within("one 7.", "one 7.", None) is None
    # Within the part a sign was removed: the words around tell which 7 it is.
    part = "First 7 of the many brown hens came, and then only 7 more."
    text = part.replace("First", "Fi\u200brst")
    begin = part.rindex("7")
    assert place_within(text, part, (begin, begin + 1)) == (begin + 1, begin + 2)
    assert place_within("7 an\u200bd 7", "7 and 7", (6, 7)) is None
    assert place_within("7 an\u200bd 8", "7 and 8", (6, 7)) == (7, 8)
