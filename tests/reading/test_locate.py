"""The places that may state an answer, the surest first."""

from __future__ import annotations

from mitools.reading.characters import fold
from mitools.reading.cues import cue_counts, find_cues
from mitools.reading.locate import statements

TEXT = "First 4.\n\\boxed{1}\n#### 2\nThe answer is 3.\n4"


def places(text: str, loosest: str = "statement") -> list[tuple[str, str]]:
    folded = fold(text)
    cues = [cue for cue in reversed(find_cues(folded)) if cue_counts(folded, cue)]
    return [(found.rank, found.text.strip()) for found in statements(text, folded, cues, loosest)]


def test_places_come_in_the_order_of_their_ranks() -> None:
    found = places(TEXT)
    ranks = [rank for rank, _ in found]
    assert ranks == sorted(ranks, key=["boxed", "hashes", "cue", "line", "statement"].index)
    assert found[0] == ("boxed", "1")
    assert ("hashes", "2") in found
    assert ("cue", "3.") in found or ("cue", "3") in found
    assert ("line", "4") in found


def test_no_place_is_looser_than_asked_for() -> None:
    assert {rank for rank, _ in places(TEXT, "hashes")} == {"boxed", "hashes"}


def test_a_text_without_a_place_gives_none_but_its_last_sentence() -> None:
    assert {rank for rank, _ in places("Add them.\nThis makes 5.\nDone.")} == {"line", "statement"}
