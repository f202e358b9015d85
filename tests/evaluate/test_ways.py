"""Figures of the answers in each way, side by side."""

from __future__ import annotations

from typing import Any

import pytest

from mitools.evaluate.measures.metric import Metric
from mitools.evaluate.score import scored
from mitools.evaluate.ways import BY_WAY, READINGS, FoldedWays
from mitools.tasks import task_of

pytestmark = pytest.mark.usefixtures("few_resamples")

WAYS = ("predict", "conclude", "both")


def answered(
    number: int, predict: str, conclude: str, both: str, gold: str | None = "sea", **about: Any
) -> dict[str, Any]:
    """Make a scored record whose rationale supports what was concluded."""
    ways = {
        "predict": {"label": predict, "confidence": 0.6, "tokens": 0},
        "conclude": {"label": conclude, "confidence": 0.8, "tokens": 12, "draws": 1},
        "both": {"label": both, "confidence": 0.9, "tokens": 12, "weight": 0.25, "fitted_on": 7},
    }
    ways["both"].update(about)
    student = {"label": both, "confidence": 0.9, "answered_by": "both", "answers": ways}
    record: dict[str, Any] = {
        "id": str(number),
        "input": f"Where are the {number} fish?",
        "label": gold,
        "choices": ["sea", "tree", "box"],
        "task": "choice",
        "student": {**student, "rationale": f"Fish. So the answer is {conclude}."},
    }
    return scored(record, task_of(record))


RECORDS = [
    answered(1, "sea", "sea", "sea"),
    answered(2, "SEA", "sea", "sea"),
    answered(3, "tree", "tree", "tree"),
    answered(4, "sea", "tree", "sea"),
    answered(5, "tree", "sea", "sea"),
    answered(6, "box", "sea", "sea"),
    answered(7, "tree", "sea", "sea", gold=None),
]


def folded(records: list[dict[str, Any]], **how: Any) -> dict[str, Any]:
    ways = FoldedWays(**how)
    for record in records:
        ways.add(record, task_of(record))
    found = ways.section(seed=0)
    assert found is not None
    return found


def values(metrics: dict[str, Metric], name: str) -> tuple[float | None, int]:
    return metrics[name].value, metrics[name].n


def test_each_way_has_its_accuracy() -> None:
    found = folded(RECORDS)
    assert values(found["predict"], "accuracy") == (3 / 6, 6)
    assert values(found["conclude"], "accuracy") == (4 / 6, 6)
    assert values(found["both"], "accuracy") == (5 / 6, 6)


def test_agreement_is_by_the_task_and_accuracy_is_split_by_it() -> None:
    found = folded(RECORDS)
    assert values(found, "agreement") == (3 / 7, 7)  # "SEA" is the sea; the seventh has no gold
    assert values(found, "accuracy_agreed") == (2 / 3, 3)
    assert values(found["predict"], "accuracy_disagreed") == (1 / 3, 3)
    assert values(found["conclude"], "accuracy_disagreed") == (2 / 3, 3)
    assert values(found["both"], "accuracy_disagreed") == (3 / 3, 3)


def test_calibration_is_that_of_the_way() -> None:
    found = folded(RECORDS)
    # One confidence for all: every ECE is |accuracy - confidence|.
    for way, gap in (("predict", 0.6 - 0.5), ("conclude", 0.8 - 4 / 6), ("both", 0.9 - 5 / 6)):
        assert found[way]["ece_width"].value == pytest.approx(gap)
        assert found[way]["ece_mass"].value == pytest.approx(gap)
        assert found[way]["brier"].n == 6


def test_consistency_is_with_the_label_of_the_way() -> None:
    found = folded(RECORDS)
    assert values(found["conclude"], "consistency") == (1.0, 7)
    assert values(found["predict"], "consistency") == (3 / 7, 7)
    assert values(found["both"], "consistency") == (6 / 7, 7)
    bare = [{**one, "student": {**one["student"], "rationale": None}} for one in RECORDS]
    found = folded([scored(one, task_of(one)) for one in bare])
    # "scores" keeps no verdict on a rationale that is not there.
    assert found["both"]["consistency"].status == "undefined"


def test_the_weight_is_told_with_what_it_was_fitted_on() -> None:
    found = folded(RECORDS)["weight"]
    assert (found.value, found.n, found.details["is_fitted"]) == (0.25, 7, True)
    by_hand = folded([answered(1, "sea", "sea", "sea", weight=0.5, fitted_on=0)])["weight"]
    assert (by_hand.value, by_hand.n, by_hand.details["is_fitted"]) == (0.5, 0, False)
    mixed = folded([*RECORDS, answered(8, "sea", "sea", "sea", weight=0.3)])["weight"]
    assert mixed.reason == "the records were answered with different weights"


def test_cost_is_tokens_from_the_records_and_seconds_from_the_pass() -> None:
    found = folded(RECORDS, seconds={"predict": 0.5, "conclude": 2.0, "both": 2.5})
    assert [values(found[way], "tokens") for way in WAYS] == [(0, 7), (12, 7), (12, 7)]
    assert [values(found[way], "seconds") for way in WAYS] == [(0.5, 7), (2.0, 7), (2.5, 7)]
    again = folded(RECORDS)["both"]["seconds"]
    assert (again.status, again.reason) == ("skipped", "time is measured where a student answers")


def test_a_student_of_one_reading_is_compared_with_what_its_rationale_names() -> None:
    records = []
    for one in RECORDS:
        student = one["student"]
        named = {"label": student["answers"]["conclude"]["label"], "confidence": 0.5, "tokens": 9}
        answers = {"predict": student["answers"]["predict"], "named": {**named, "votes": 1}}
        records.append({**one, "student": {**student, "answers": answers}})
    found = folded(records)
    assert found["agreement"].value == pytest.approx(3 / 7)  # the sea twice, the tree once
    assert found["accuracy_agreed"].value == pytest.approx(2 / 3)
    assert values(found["named"], "accuracy") == (4 / 6, 6)
    assert values(found["named"], "consistency") == (1, 7)
    assert found["weight"].status == "not_applicable"
    assert found["conclude"]["accuracy"].reason == "no answer was given in this way"


def test_figures_are_named_by_their_way() -> None:
    found = folded(RECORDS)
    assert found["both"]["accuracy"].measure.title == "accuracy, both"
    assert found["both"]["accuracy"].measure.unit == "fraction"
    assert list(found) == [*READINGS, *WAYS, "named"]
    assert list(found["both"]) == list(BY_WAY["both"])


def test_a_student_of_one_reading_has_figures_of_that_alone() -> None:
    records = []
    for record in RECORDS:
        only = {"conclude": record["student"]["answers"]["conclude"]}
        records.append({**record, "student": {**record["student"], "answers": only}})
    found = folded(records)
    assert {found[name].status for name in READINGS} == {"not_applicable"}
    assert {one.status for one in found["predict"].values()} == {"not_applicable"}
    assert found["conclude"]["accuracy"].value == 4 / 6
    assert found["conclude"]["accuracy_disagreed"].status == "not_applicable"


def test_records_without_answers_have_no_section() -> None:
    ways = FoldedWays()
    record = RECORDS[0]
    plain = {name: value for name, value in record["student"].items() if name != "answers"}
    ways.add({**record, "student": plain}, task_of(record))
    assert ways.section(0) is None


def test_the_order_of_the_records_changes_no_figure() -> None:
    ours, theirs = folded(RECORDS), folded(RECORDS[::-1])
    for way in WAYS:
        for name, metric in ours[way].items():
            assert theirs[way][name].value == metric.value


def test_a_rationale_that_names_nothing_is_not_compared() -> None:
    def record(predict: str, named: str, votes: int) -> dict[str, Any]:
        one = answered(1, predict, named, predict)
        reading = {"label": named, "confidence": 0.5, "tokens": 9, "votes": votes}
        answers = {"predict": one["student"]["answers"]["predict"], "named": reading}
        return {**one, "student": {**one["student"], "answers": answers}}

    named = [record("sea", "sea", 1), record("sea", "tree", 1)]
    unnamed = [record("tree", "tree", 0)] * 5
    found = folded(named + unnamed)
    assert values(found, "agreement") == (1 / 2, 2)
    assert values(found, "accuracy_agreed") == (1.0, 1)
    assert values(found["predict"], "accuracy_disagreed") == (1.0, 1)
    assert values(found["named"], "accuracy") == (1 / 7, 7)
    found = folded(unnamed)
    for metrics, name in (
        (found, "agreement"),
        (found, "accuracy_agreed"),
        (found["predict"], "accuracy_disagreed"),
    ):
        assert (metrics[name].status, metrics[name].reason) == (
            "undefined",
            "no rationale names an answer",
        )
