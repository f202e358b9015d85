"""Which figures are shown first."""

from __future__ import annotations

from mitools.evaluate.catalog import FIGURES
from mitools.evaluate.headline import HEADLINES, MOST, headline


def test_every_figure_of_a_headline_is_one_of_a_summary() -> None:
    assert set(HEADLINES) <= FIGURES.keys()
    assert len(HEADLINES) > MOST


def test_the_first_ones_with_a_value_are_shown() -> None:
    assert headline(lambda _path: "ok") == list(HEADLINES[:MOST])
    status = {path: "ok" for path in HEADLINES} | {"association.cvi_net": "undefined"}
    found = headline(status.get)
    assert "association.cvi_net" not in found
    assert len(found) == MOST
    assert headline(lambda _path: None) == []


def test_without_gold_the_agreement_with_the_teacher_is_shown() -> None:
    known = {"label.accuracy": "undefined", "label.valid": "ok", "teacher.agreement": "ok"}
    assert headline(known.get) == ["label.accuracy", "label.valid", "teacher.agreement"]


def test_accuracy_and_consistency_are_shown_with_their_reason_if_undefined() -> None:
    assert headline(lambda _path: "undefined") == ["label.accuracy", "consistency.consistency"]
    assert headline(lambda _path: "not_applicable") == []
