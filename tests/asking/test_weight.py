"""Fitting the weight of two readings for a student that was just trained."""

from __future__ import annotations

import pytest

from mitools.asking.answering import Way
from mitools.asking.combine import WeightFit
from mitools.asking.weight import count_right, fit_readings, read_records
from tests.asking.two_readings import TwoReadings, closed, equation

NAMES = [f"{name}{number}" for name in "ab" for number in range(40)]


def student(share: float) -> TwoReadings:
    """Make a student whose predict pass is right about b, its other reading about a."""
    sea, tree = {"sea": share, "tree": 1 - share}, {"sea": 1 - share, "tree": share}
    direct = {name: tree if name.startswith("a") else sea for name in NAMES}
    behind = {"a": sea, "b": tree}
    return TwoReadings(direct, behind, {name: name[0] for name in NAMES})


@pytest.mark.parametrize(("many", "few"), [("a", "b"), ("b", "a")])
def test_the_reading_that_is_right_more_often_gets_the_higher_weight(many: str, few: str) -> None:
    names = [*(f"{many}{n}" for n in range(40)), *(f"{few}{n}" for n in range(10))]
    fit = fit_readings(read_records(student(0.9), (closed(name) for name in names)))
    assert fit.records == 50
    assert (fit.weight < 0.5) is (many == "a")


def test_records_that_all_readings_answer_alike_determine_nothing() -> None:
    alike = TwoReadings({"q": {"1": 0.9}}, {"so": {"1": 0.8}}, {"q": "so"})
    fit = fit_readings(read_records(alike, [equation("q", "1"), equation("q", "2")]))
    assert (fit.weight, fit.records) == (0.5, 0)


def test_records_are_asked_in_batches_without_more_texts_than_needed() -> None:
    asking = student(0.9)
    pairs = read_records(asking, (closed(name) for name in NAMES))
    assert [record["id"] for record, _ in pairs] == NAMES
    assert [call for call in asking.asked if call[0] == "explain"] == [
        ("explain", 64),
        ("explain", 16),
    ]


@pytest.mark.parametrize(("way", "right"), [("predict", 40), ("conclude", 40), ("both", 80)])
def test_the_right_answers_of_each_way_are_counted(way: Way, right: int) -> None:
    """The predict pass is right about b, and surer there; the other reading about a."""
    asked = student(0.9)
    asked.direct = {
        name: {"sea": 0.4, "tree": 0.5} if name.startswith("a") else {"sea": 0.9, "tree": 0.1}
        for name in NAMES
    }
    asked.behind = {"a": {"sea": 0.9, "tree": 0.1}, "b": {"sea": 0.4, "tree": 0.5}}
    pairs = read_records(asked, (closed(name) for name in NAMES))
    assert count_right(pairs, way, WeightFit(0.5, 0)) == right
