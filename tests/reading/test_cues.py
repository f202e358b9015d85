"""The words that announce an answer, and the sentences in which they do not."""

from __future__ import annotations

import pytest

from mitools.reading.characters import fold
from mitools.reading.cues import closing_cue, cue_counts, find_cues, lead_of, line_starts


def announced(text: str) -> list[str]:
    folded = fold(text)
    counted = [cue for cue in find_cues(folded) if cue_counts(folded, cue)]
    return list(dict.fromkeys(text[cue.end :].strip() for cue in counted))


@pytest.mark.parametrize(
    ("text", "answers"),
    [
        ("So the answer is 5", ["5"]),
        ("Answer: 5", ["5"]),
        ("The final answer is 5", ["5"]),
        ("Die Antwort ist 5", ["5"]),
        ("La respuesta es 5", ["5"]),
        ("答案是5", ["5"]),
        ("If the answer is 5, stop", []),
        ("Unless the answer is 5, go on", []),
        ("Nothing here", []),
    ],
)
def test_a_cue_announces_what_follows_it(text: str, answers: list[str]) -> None:
    assert announced(text) == answers


def test_a_cue_says_what_it_is() -> None:
    assert any(cue.is_label for cue in find_cues("answer: 5"))
    (negated,) = find_cues("the answer is not 5")
    assert negated.is_negated
    (sentence,) = find_cues("the answer is 5")
    assert not sentence.is_label
    assert not sentence.is_negated


def test_the_cue_of_the_last_sentence_is_found_without_the_others() -> None:
    folded = "first, the answer is 4. no: the answer is 5."
    cue = closing_cue(folded)
    assert cue is not None
    assert folded[cue.end :].strip() == "5."
    assert closing_cue("it is 5.") is None


def test_a_cue_begins_with_the_words_that_lead_to_it() -> None:
    folded = "add. so, the correct answer is 5"
    begin = folded.index("answer")
    assert folded[lead_of(folded, begin) :] == "so, the correct answer is 5"


def test_lines_begin_where_they_are_not_empty() -> None:
    text = "a\n\nb\nc"
    assert [text[place] for place in line_starts(text)] == ["a", "b", "c"]
