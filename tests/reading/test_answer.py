"""The types that pass between the steps of reading."""

from __future__ import annotations

from mitools.reading.answer import Answer, How


def test_the_closest_place_is_the_label_alone_where_that_is_known() -> None:
    assert Answer("sea", "", "field", (0, 17), (12, 15)).closest == (12, 15)
    assert Answer("sea", "", "cue", (0, 17)).closest == (0, 17)
    assert Answer("sea", "").closest is None


def test_places_do_not_make_answers_differ() -> None:
    assert Answer("sea", "", "field", (0, 17), (12, 15)) == Answer("sea", "", "field")


def test_a_reading_is_made_stricter_but_not_looser() -> None:
    assert How().at_most("cue").loosest == "cue"
    assert How("field").at_most("cue").loosest == "field"
