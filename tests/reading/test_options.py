"""Which possible answer a text is, and which it mentions."""

from __future__ import annotations

import pytest

from mitools.reading.options import ChoiceForms, inflected, loosened, mentions

PLACES = ["sea", "sea world", "vet's office", "the old mill"]
NLI = ["entailment", "neutral", "contradiction"]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("They swim in the sea.", ["sea"]),
        ("They live in sea world.", ["sea world"]),
        ("From the sea to the old mill.", ["sea", "the old mill"]),
        ("Two seas meet.", ["sea"]),
        ("Overseas trade.", []),
    ],
)
def test_mentions_are_whole_words_in_order(text: str, named: list[str]) -> None:
    assert mentions(text, PLACES) == named


def test_a_choice_that_is_negated_is_not_mentioned() -> None:
    assert mentions("It is not neutral but contradiction.", NLI) == ["contradiction"]
    assert mentions("This is non-entailment.", NLI) == []


def test_a_label_may_stand_in_another_form() -> None:
    assert inflected("the premise entails it", ChoiceForms(NLI)) == ["entailment"]
    assert inflected("nothing here", ChoiceForms(NLI)) == []


def test_loose_forms_ignore_articles_apostrophes_and_hyphens() -> None:
    assert loosened("the vet's office") == loosened("vets office")
    assert loosened("well-known") == loosened("well known")
