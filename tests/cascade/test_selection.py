"""Choosing records for the teacher: the least sure ones, or random ones."""

from __future__ import annotations

import random

import pytest

from mitools.annotate.protocol import Passed, ToTeacher
from mitools.asking.predict import OpenedStudent
from mitools.cascade.ask_student import Asking, AskingStudent
from mitools.cascade.selection import Selection, has_answer
from mitools.records import Record
from tests.cascade.conftest import AddingStudent, sums

ANSWERED = {"label": "1", "rationale": None, "agrees": None}


def chosen(selection: Selection, records: list[Record]) -> list[str]:
    items = [*selection.route(iter(records))]
    assert [item.record for item in items] == records
    assert all(isinstance(item, ToTeacher | Passed) for item in items)
    return [item.record["id"] for item in items if isinstance(item, ToTeacher)]


@pytest.fixture
def graded() -> AskingStudent:
    """A student that is surer of larger numbers."""
    student = AddingStudent(confidence=lambda number: min(number, 100) / 100)
    return AskingStudent(OpenedStudent(student, "graded", None), Asking())


def test_the_least_sure_are_chosen_of_those_without_an_answer(graded: AskingStudent) -> None:
    records = sums(9)[::-1]
    records[8] = {**records[8], "teacher": ANSWERED}  # r0, of which it is least sure
    selection = Selection(2, student=graded, batch_size=3, spreads=False)
    assert chosen(selection, records) == ["r2", "r1"]
    assert (selection.open, selection.chosen, selection.held) == (8, 2, 1)
    assert selection.range == (0.11, 0.12)


def test_the_confidence_is_added_to_the_answer_of_the_teacher(graded: AskingStudent) -> None:
    [item] = [*Selection(1, student=graded).route(iter(sums(1)))]
    assert isinstance(item, ToTeacher)
    assert item.about == {"student_confidence": 0.1}


def test_a_record_without_a_valid_answer_comes_first(graded: AskingStudent) -> None:
    selection = Selection(1, student=graded, spreads=False)
    assert chosen(selection, [*sums(3), {**sums(1, first=500)[0], "id": "x"}]) == ["x"]
    assert selection.range is None


def test_more_than_there_are_chooses_all(graded: AskingStudent) -> None:
    assert len(chosen(Selection(99, student=graded), sums(5))) == 5
    assert chosen(Selection(99), [{**one, "teacher": ANSWERED} for one in sums(3)]) == []


def test_a_random_choice_depends_on_the_seed_alone() -> None:
    records = sums(40)
    first = chosen(Selection(10, seed=1), records)
    shuffled = records.copy()
    random.Random(0).shuffle(shuffled)
    assert {*chosen(Selection(10, seed=1), shuffled)} == {*first}
    assert {*first} < {*chosen(Selection(20, seed=1), records)}
    assert {*chosen(Selection(10, seed=2), records)} != {*first}


def test_equal_confidences_are_ranked_by_the_seed() -> None:
    student = AddingStudent(confidence=lambda _number: 0.5)
    asking = AskingStudent(OpenedStudent(student, "s", None), Asking())
    by_seed = [
        tuple(chosen(Selection(5, seed=seed, student=asking, spreads=False), sums(40)))
        for seed in range(3)
    ]
    assert len({*by_seed}) == 3
    assert by_seed[0] != tuple(record["id"] for record in sums(5))


def test_a_record_is_drawn_in_proportion_to_its_uncertainty() -> None:
    """Half of the records have the confidence 0.9, half of them 0.7: one to three."""
    student = AddingStudent(confidence=lambda number: 0.9 if number % 2 else 0.7)
    asking = AskingStudent(OpenedStudent(student, "s", None), Asking())
    records = sums(40)
    unsure = {record["id"] for record in records if int(record["id"][1:]) % 2 == 0}
    drawn = [chosen(Selection(1, seed=seed, student=asking), records)[0] for seed in range(300)]
    assert 0.69 < sum(name in unsure for name in drawn) / 300 < 0.81
    # The draw depends on the seed alone, and more records hold fewer.
    shuffled = records.copy()
    random.Random(0).shuffle(shuffled)
    few, more = ({*chosen(Selection(n, student=asking), shuffled)} for n in (5, 12))
    assert few < more
    assert few == {*chosen(Selection(5, student=asking), records)}


def test_a_record_without_a_valid_answer_is_drawn_as_one_of_no_confidence() -> None:
    student = AddingStudent(confidence=lambda _number: 1.0)
    asking = AskingStudent(OpenedStudent(student, "s", None), Asking())
    records = [*sums(20), {**sums(1, first=500)[0], "id": "x"}]
    for seed in range(5):
        assert chosen(Selection(1, seed=seed, student=asking), records) == ["x"]


def test_a_selection_that_was_stopped_chooses_nothing(graded: AskingStudent) -> None:
    selection = Selection(2, student=graded)
    selection.stop()
    assert [*selection.route(iter(sums(5)))] == []


def test_a_failed_answer_is_an_answer() -> None:
    assert has_answer({"teacher": {"label": None, "error": {"kind": "empty"}}})
    assert not has_answer({"teacher": None})
    assert not has_answer({})
