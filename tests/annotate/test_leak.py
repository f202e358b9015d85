"""Which rationales give away that the answer was told."""

from __future__ import annotations

import pytest

from mitools.annotate.leak import says_it_was_told


@pytest.mark.parametrize(
    "text",
    [
        "As the hint says, it must be a place.",
        "The hints point to (b).",
        "Since the correct answer is (b), the place must be wet.",
        "Because the answer is 12, we add.",
        "Given that the answer is 12, 5 and 7 are added.",
        "We were told that the answer is 12.",
        "I was given the correct answer.",
        "The provided answer is 12.",
        "The correct answer was given as (c).",
        "It is wet, as stated in the prompt.",
        "According to the gold label it is entailment.",
        "The answer key says 12.",
        "We know that the correct\nanswer is 12.",
    ],
)
def test_it_is_found(text: str) -> None:
    assert says_it_was_told(text)


@pytest.mark.parametrize(
    "text",
    [
        "There are 5 and 7 apples. 5 + 7 = 12. The answer is 12.",
        "The answer must be a place, and only a pond is wet. So the answer is (b) pond.",
        "He was given 5 apples and was told to eat 2.",
        "We are given that each box holds 5 apples.",
        "A hint of rain was in the air.",
        "Paper is provided in the office. So the answer is (a) office.",
        "Therefore, the correct answer is (a).",
    ],
)
def test_ordinary_reasoning_is_left_alone(text: str) -> None:
    assert not says_it_was_told(text)
