"""Where a sentence ends, and whether it states anything."""

from __future__ import annotations

import pytest

from mitools.reading.sentences import (
    first_sentence,
    has_one_sentence,
    is_tentative,
    last_sentence,
    sentence_ends,
    sentence_start,
)


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("Add them. It is 5.", ["Add them.", " It is 5."]),
        ("It costs 3.50 today. Pay it.", ["It costs 3.50 today.", " Pay it."]),
        ("Dr. Smith sings. He rests.", ["Dr. Smith sings.", " He rests."]),
        ("J. R. Moss wrote it. It sold.", ["J. R. Moss wrote it.", " It sold."]),
        ("1. Add them. Stop.", ["1. Add them.", " Stop."]),
        ("Is it 5? Yes!", ["Is it 5?", " Yes!"]),
        ("It is 3! = 6. Yes.", ["It is 3! = 6.", " Yes."]),
        ("It is 6! Yes.", ["It is 6!", " Yes."]),
        ("It is 6!\n- 3 eggs.", ["It is 6!", "\n", "- 3 eggs."]),
        ("The answer is B. Oops, it flies.", ["The answer is B.", " Oops, it flies."]),
        ("no end", []),
    ],
)
def test_a_sentence_ends_at_its_mark(text: str, sentences: list[str]) -> None:
    ends = list(sentence_ends(text))
    assert [text[a:b] for a, b in zip([0, *ends], ends, strict=False)] == sentences


def test_the_first_and_the_last_sentence() -> None:
    text = "Add 2 and 3. This makes 5.5. So take it."
    assert first_sentence(text) == "Add 2 and 3"
    begin, last = last_sentence(text)
    assert (text[begin:].strip(), last.strip()) == ("So take it.", "So take it.")
    assert text[sentence_start(text, text.index("makes")) :].lstrip().startswith("This makes")


def test_one_sentence_is_told_from_two() -> None:
    assert has_one_sentence("The otter swims across the river")
    assert not has_one_sentence("The otter swims. The heron wades.")


@pytest.mark.parametrize(
    ("sentence", "is_doubt"),
    [
        ("the answer is 5", False),
        ("if the answer is 5, we stop", True),
        ("is the answer 5?", True),
        ("maybe the answer is 5", True),
    ],
)
def test_a_sentence_that_supposes_or_asks_states_nothing(sentence: str, is_doubt: bool) -> None:
    assert is_tentative(sentence) is is_doubt
