"""Answers that are taken back, and sentences that only look like it."""

from __future__ import annotations

import time

import pytest

from mitools.reading.characters import fold
from mitools.reading.doubts import Doubter
from mitools.reading.numbers import EquationReader
from mitools.tasks import task_named

CHOICE, EQUATION, TEXT = map(task_named, ("choice", "equation", "text"))
WATERS = ["ocean", "pond", "brook"]


@pytest.mark.parametrize(
    "behind",
    [
        "Actually, it should be 12.",
        "Actually, that is 12.",
        "Sorry, I meant 12.",
        "Sorry, I misread the price.",
        "Apologies, I mean 12.",
        "Oops, one egg broke, so 12.",
        "Oh, wait, one egg broke.",
        "But wait, one egg broke, so 12.",
        "No, wait, 12.",
        "No, 12.",
        "Wait, it is 113.",
        "I made a mistake: there are 12.",
        "My first answer was incorrect.",
        "Let me verify: 8 + 4 = 12. So 13 is wrong.",
        "Therefore 13 was incorrect.",
    ],
)
def test_a_number_that_is_taken_back_is_not_read(behind: str) -> None:
    assert EQUATION.parse(f"The answer is 13. {behind}").label is None
    assert EQUATION.parse(f"#### 13\n{behind}").label is None


@pytest.mark.parametrize(
    "behind",
    [
        "Actually this is a well known puzzle.",
        "Actually, it should be noted that the eggs are white.",
        "Actually, it is 8 + 5 = 13.",
        "Actually 4 of them are brown.",
        "I am sorry for the hen.",
        "Sorry for the delay.",
        "Sorry, it is a sad tale.",
        "Sorry, no drawing.",
        "No drawing is needed.",
        "Rather, the box holds 6 + 7 = 13.",
        "So 12 is wrong.",
        "So 2.13 is wrong.",
        "So 13 is not wrong.",
        "13 is incorrect only if an egg broke.",
        "I made a mistake at first, but the total is still 13.",
    ],
)
def test_a_remark_behind_a_number_does_not_take_it_back(behind: str) -> None:
    assert EQUATION.parse(f"The answer is 13. {behind}").label == "13"


@pytest.mark.parametrize(
    ("completion", "label"),
    [
        ("The answer is A. Sorry, I mean B.", None),
        ("The answer is A. Oops, B.", None),
        ("The answer is A. No, B.", None),
        ("Answer: A\n\nActually B is better.", None),
        ("The answer is the ocean. Actually the pond would be better.", None),
        ("The answer is (a). Actually, I think C is right.", None),
        ("The answer is (a) ocean. So (a) is wrong.", None),
        ("The answer is (b) pond. No, ocean water is salty.", "pond"),
        ("The answer is B. Actually, ponds do not flow.", "pond"),
        ("The answer is B. A is wrong because it is salty.", "pond"),
        ("The answer is B. Actually, A is wrong.", "pond"),
        ("The answer is B. I mean, a pond does not flow.", "pond"),
        ("Answer: B. No other choice fits.", "pond"),
    ],
)
def test_a_choice_is_taken_back_by_another_one(completion: str, label: str | None) -> None:
    assert CHOICE.parse(completion, WATERS).label == label


def test_where_any_text_may_be_an_answer_only_plain_doubts_count() -> None:
    assert TEXT.parse("The answer is Oslo. Sorry, I meant Bergen.").label is None
    assert TEXT.parse("The answer is Oslo. Actually, it is a harbor.").label == "Oslo"


def test_a_corrected_answer_with_a_cue_of_its_own_is_read() -> None:
    assert EQUATION.parse("The answer is 13. Actually, the answer is 12.").label == "12"


def test_what_stands_before_the_answer_is_no_doubt() -> None:
    own = "Oops, no. It is 13. That is all."
    doubter = Doubter(own, fold(own), None, EquationReader())
    assert not doubter.takes_back("13", own.index("13.") + 3)
    assert doubter.takes_back("13", 0)


@pytest.mark.parametrize("piece", ["\n", ". ", "no, ", "actually ", "so ", ".\n*"])
def test_the_time_behind_an_answer_grows_with_the_length(piece: str) -> None:
    """Many line breaks behind an answer took a minute."""
    started = time.process_time()
    EQUATION.parse(f"The answer is 5.{piece * (50_000 // len(piece))} wrong")
    assert time.process_time() - started < 1.0
