from __future__ import annotations

import math
import random
from typing import Any

import pytest

from mitools.errors import DataError
from mitools.evaluate.measures.comparison import holm
from mitools.evaluate.outcomes import MEASURES, Outcomes, compare, count_pairs, over_seeds
from mitools.evaluate.score import scored
from mitools.records import Record
from mitools.tasks import task_of

pytestmark = pytest.mark.usefixtures("few_resamples")


def record(number: int, label: str, **student: Any) -> Record:
    said = {"label": label, "confidence": 0.8, "rationale": f"It is {label}.", **student}
    found: Record = {"id": str(number), "input": "x", "label": "2", "task": "equation"}
    found["student"] = said
    return scored(found, task_of(found))


def run(labels: str, start: int = 0, **student: Any) -> Outcomes:
    found = Outcomes()
    for number, label in enumerate(labels, start):
        found.add(record(number, label, **student))
    return found


def test_figures_by_hand() -> None:
    found = compare([run("2223")], [run("2333")], 0)
    accuracy = found["metrics"]["accuracy"]
    assert (accuracy.value, accuracy.n) == (0.5, 4)
    assert (accuracy.details["ours"], accuracy.details["theirs"]) == (0.75, 0.25)
    assert (accuracy.details["better"], accuracy.details["worse"]) == (2, 0)
    assert accuracy.details["p_value"] == 0.5
    brier = found["metrics"]["brier"]
    assert brier.value == pytest.approx((3 * 0.04 + 0.64 - 0.04 - 3 * 0.64) / 4)
    nll = found["metrics"]["nll"]
    assert nll.value == pytest.approx((math.log(0.2) - math.log(0.8)) / 2)
    assert (found["records"], found["unmatched"]) == (4, 0)


def test_p_values_are_adjusted_for_their_number() -> None:
    found = compare([run("2" * 12)], [run("3" * 12)], 0)["metrics"]
    tested = {name: metric.details for name, metric in found.items() if metric.status == "ok"}
    plain = {name: details["p_value"] for name, details in tested.items()}
    assert {name: details["p_holm"] for name, details in tested.items()} == holm(plain)
    assert len(plain) == 4
    assert plain["accuracy"] == 2 / 2**12
    assert found["accuracy"].details["p_holm"] > plain["accuracy"]


def test_records_are_paired_by_id_whatever_their_order() -> None:
    ours, theirs = run("2323"), Outcomes()
    for number in (3, 1, 0, 2):
        theirs.add(record(number, "2323"[number]))
    found = compare([ours], [theirs], 0)["metrics"]["accuracy"]
    assert (found.value, found.ci95, found.details["p_value"]) == (0, (0, 0), 1)


def test_records_that_one_side_lacks_are_left_out_and_counted() -> None:
    found = compare([run("2222")], [run("22", start=2)], 0)
    assert (found["records"], found["unmatched"]) == (2, 2)


def test_repeated_ids_are_paired_in_order() -> None:
    ours, theirs = Outcomes(), Outcomes()
    for label in "23":
        ours.add(record(1, label))
        theirs.add(record(1, label))
    assert compare([ours], [theirs], 0)["metrics"]["accuracy"].n == 2


def test_runs_on_other_records_cannot_be_compared() -> None:
    with pytest.raises(DataError, match="nothing in common"):
        compare([run("22")], [run("22", start=5)], 0)
    with pytest.raises(DataError, match="nothing in common"):
        over_seeds([run("22"), run("22", start=5)], 0)


def asked(number: int, question: str, label: str) -> Record:
    return {**record(number, label), "input": question}


def of(*records: Record) -> Outcomes:
    found = Outcomes()
    for one in records:
        found.add(one)
    return found


def test_ids_that_stand_for_other_questions_are_not_paired() -> None:
    ours = of(*(asked(number, f"ours {number}", "2") for number in range(5)))
    theirs = of(*(asked(number, f"theirs {number}", "3") for number in range(5)))
    with pytest.raises(DataError, match="5 ids are, but with another input"):
        compare([ours], [theirs], 0)
    with pytest.raises(DataError, match="5 ids are, but with another input"):
        over_seeds([ours, theirs], 0)


def test_the_records_that_are_the_same_are_paired_and_the_others_counted() -> None:
    shared = [asked(number, "same", "2") for number in range(3)]
    found = compare([of(*shared, asked(7, "a", "2"))], [of(asked(7, "b", "2"), *shared)], 0)
    assert (found["records"], found["unmatched"], found["differing"]) == (3, 2, 1)


def test_repeated_ids_are_paired_by_their_questions_in_any_order() -> None:
    records = [asked(1, f"question {n}", "23"[n % 2]) for n in range(8)]
    found = compare([of(*records)], [of(*records[::-1])], 0)
    accuracy = found["metrics"]["accuracy"]
    assert (accuracy.n, accuracy.value) == (8, 0)
    assert (accuracy.details["better"], accuracy.details["worse"]) == (0, 0)
    assert (found["unmatched"], found["differing"]) == (0, 0)


def test_runs_of_different_length_say_what_their_seeds_were_averaged_on() -> None:
    counts = count_pairs([run("2222"), run("22")])
    assert counts == {"records": 2, "unmatched": 2, "differing": 0}


def test_an_outcome_counts_where_every_run_has_it() -> None:
    found = compare([run("222", rationale="no idea")], [run("222", confidence=None)], 0)["metrics"]
    assert found["consistency"].status == "undefined"
    assert found["brier"].status == "undefined"
    assert found["accuracy"].n == 3
    assert tuple(found) == tuple(MEASURES)


def test_seeds_are_averaged_and_shown_each() -> None:
    found = over_seeds([run("2223"), run("2333"), run("2233")], 0)["accuracy"]
    assert found.value == pytest.approx(0.5)
    assert found.details["by_run"] == [0.75, 0.25, 0.5]
    assert found.details["sd"] == pytest.approx(0.25)
    assert found.ci95 is not None


def test_several_seeds_a_side_are_compared() -> None:
    ours, theirs = [run("22222222"), run("22222223")], [run("33333333"), run("33333332")]
    found = compare(ours, theirs, 0)["metrics"]["accuracy"]
    assert found.details["test"] == "hierarchical bootstrap and t-test over seeds"
    assert found.details["p_value"] == max(found.details["p_bootstrap"], found.details["p_seeds"])
    assert found.details["runs"] == [2, 2]
    assert found.value == pytest.approx(7.5 / 8 - 0.5 / 8)


def test_groups_are_compared_as_units() -> None:
    def grouped(label_of: Any, size: int) -> Outcomes:
        return of(
            *(
                {**asked(number, f"{number}-{copy}", label_of(number)), "group": f"g{number}"}
                for number in range(12)
                for copy in range(size)
            )
        )

    def compared(size: int) -> Any:
        ours = grouped(lambda number: "2" if number < 10 else "3", size)
        theirs = grouped(lambda number: "2" if number % 2 else "3", size)
        return compare([ours], [theirs], 0)["metrics"]["accuracy"]

    one, ten = compared(1), compared(10)
    assert (one.value, one.details["test"]) == (pytest.approx(ten.value), "McNemar, exact")
    assert (ten.details["test"], ten.details["groups"]) == ("random signs", 12)
    assert ten.details["p_value"] == pytest.approx(one.details["p_value"], abs=0.05)
    assert ten.ci95 == pytest.approx(one.ci95, abs=0.05)
    assert ten.details["smallest_detectable"] == pytest.approx(one.details["smallest_detectable"])
    assert "groups" not in one.details


def test_seeds_resample_groups() -> None:
    rng = random.Random(0)
    labels = [rng.choice("23") for _ in range(20)]
    records = [
        {**asked(number, f"{number}-{copy}", label), "group": f"g{number}"}
        for number, label in enumerate(labels)
        for copy in range(8)
    ]
    alone = [{**one, "group": None} for one in records]
    wide, narrow = (over_seeds([of(*rows)] * 2, 0)["accuracy"] for rows in (records, alone))
    assert wide.value == narrow.value
    assert wide.details["groups"] == 20
    assert wide.ci95 is not None
    assert narrow.ci95 is not None
    assert wide.ci95[1] - wide.ci95[0] > 2 * (narrow.ci95[1] - narrow.ci95[0])
