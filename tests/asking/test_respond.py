"""Answering records in one way, with a weight that is given or fitted."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from mitools.asking.answering import Answering
from mitools.asking.reader import Reader
from mitools.asking.respond import Respondent, Uses
from tests.asking.two_readings import TwoReadings, closed, equation

Record = dict[str, Any]


def knowing(side: str) -> TwoReadings:
    """Make a student of which only one reading knows where fish live."""
    knows, guesses = {"sea": 0.8, "tree": 0.1}, {"sea": 0.3, "tree": 0.6}
    return TwoReadings(
        dict.fromkeys(["a", "b", "c", "d"], knows if side == "predict" else guesses),
        {"so": knows if side == "conclude" else guesses},
        dict.fromkeys(["a", "b", "c", "d"], "so"),
    )


def respond(
    student: TwoReadings,
    records: list[Record],
    chunk: int = 2,
    brief: tuple[str, ...] = (),
    **how: Any,
) -> tuple[Respondent, list[Record], list[str]]:
    said: list[str] = []
    respondent = Respondent(
        Reader(student, Answering("both", **how)),
        uses=Uses(
            lambda record: record.get("split") == "valid", lambda record: record["id"] in brief
        ),
        warn=said.append,
    )
    chunks = (records[first : first + chunk] for first in range(0, len(records), chunk))
    answered = [{**record, "student": found} for record, found in respondent.answer(chunks)]
    return respondent, answered, said


def test_a_student_without_a_second_reading_of_open_records_says_so() -> None:
    student = TwoReadings({"seeds": {"55": 0.6}}, {}, {"seeds": "So 45 + 10."})
    student.metadata = {"order": "separate"}
    records = [equation("seeds", "55", split=split) for split in ("valid", "test")]
    _, answered, said = respond(student, records)
    assert said == [
        "this student has one reading of records without choices: the predict pass answers them"
    ]
    assert [one["student"]["answered_by"] for one in answered] == ["predict", "predict"]


def mixed() -> list[Record]:
    return [
        closed("a", split="test"),
        closed("b", split="valid"),
        closed("c", split="test"),
        closed("d", split="valid"),
    ]


@pytest.mark.parametrize("side", ["predict", "conclude"])
@pytest.mark.parametrize("chunk", [1, 3, 99])
def test_the_weight_is_fitted_on_valid_wherever_that_stands(side: str, chunk: int) -> None:
    records = mixed() * 9
    respondent, answered, said = respond(knowing(side), records, chunk)
    assert [record["id"] for record in answered] == list("abcd") * 9
    (weight,) = {record["student"]["answers"]["both"]["weight"] for record in answered}
    assert weight > 0.5 if side == "predict" else weight < 0.5
    assert {record["student"]["answers"]["both"]["fitted_on"] for record in answered} == {18}
    assert {record["student"]["label"] for record in answered} == {"sea"}
    assert (respondent.fit.weight, respondent.fit.records) == (weight, 18)
    assert said == ["the weight of the readings is fitted on 18 records only"]


def test_brief_records_are_answered_without_their_rationale() -> None:
    records = mixed()
    brief = (records[1]["id"], records[3]["id"])
    _, answered, _ = respond(knowing("predict"), records, brief=brief)
    assert ["rationale" in record["student"] for record in answered] == [True, False, True, False]


def test_test_records_set_no_weight() -> None:
    records = [{**record, "split": "test"} for record in mixed()]
    respondent, answered, said = respond(knowing("predict"), records)
    assert (respondent.fit.weight, respondent.fit.records) == (0.5, 0)
    assert said == [
        "there is no record of the split valid, so both readings have the same weight (0.5)"
    ]
    assert {record["student"]["answers"]["both"]["fitted_on"] for record in answered} == {0}


def test_valid_records_that_determine_nothing_are_told_of() -> None:
    student = TwoReadings({"a": {"1": 0.9}}, {"so": {"1": 0.5}}, {"a": "so"})
    records = [equation("a", "1", split="valid"), equation("a", "2", split="valid")]
    _, _, said = respond(student, records)
    assert said == [
        "none of 2 records of the split valid tells the readings apart, "
        "so both readings have the same weight (0.5)"
    ]


def test_a_given_weight_answers_records_as_they_come() -> None:
    student = knowing("predict")
    reader = Reader(student, Answering("both", weight=0.75))
    chunks = iter([[closed("a")], [closed("b", split="valid")]])
    answers = Respondent(reader).answer(chunks)
    _, first = next(answers)
    assert first["answers"]["both"]["weight"] == 0.75
    assert len(list(chunks)) == 1  # the second was not read yet


def test_no_weight_is_fitted_for_one_reading_alone() -> None:
    def chunks() -> Iterator[list[Record]]:
        yield mixed()
        raise AssertionError("the first answer waits for the last record")

    reader = Reader(knowing("predict"), Answering("conclude"))
    _, first = next(Respondent(reader).answer(chunks()))
    assert first["answers"]["both"]["weight"] == 0.5
    assert first["label"] == "tree"


def test_gold_is_compared_by_the_task() -> None:
    student = TwoReadings(
        {"a": {"1 + 1": 0.9, "3": 0.05}},
        {"so": {"3": 0.9, "1 + 1": 0.01}},
        {"a": "so"},
    )
    respondent, _, _ = respond(student, [equation("a", "2", split="valid")] * 5)
    assert respondent.fit.weight > 0.5
    assert respondent.fit.records == 5


def test_the_time_of_both_is_that_of_all_its_parts() -> None:
    ticks = iter(range(1000))
    reader = Reader(
        knowing("predict"), Answering("both", weight=0.5), clock=lambda: float(next(ticks))
    )
    respondent = Respondent(reader)
    list(respondent.answer([[closed("a"), closed("b")]]))
    assert respondent.seconds() == {
        "predict": 0.5,
        "conclude": 1.0,
        "both": 1.5,
        "named": 1.0,
    }
