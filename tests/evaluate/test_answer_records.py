"""How a student answers a stream of records."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from mitools.asking.predict import OpenedStudent
from mitools.evaluate.answer_records import AnsweringStudent
from mitools.evaluate.options import EvalOptions
from mitools.records import Record
from tests.asking.two_readings import TwoReadings
from tests.evaluate.examples import equation


def answering(student: Any, warnings: list[str] | None = None, **options: Any) -> AnsweringStudent:
    opened = OpenedStudent(student, "fake@0", "0")
    warn = (lambda _text: None) if warnings is None else warnings.append
    return AnsweringStudent(EvalOptions(**options), lambda: opened, warn)


def test_each_record_comes_with_its_answered_copy(student: Any) -> None:
    student.labels = {"q1": "2"}
    given = [equation(1), equation(2)]
    pairs = list(answering(student).answer(iter(given)))
    assert [record for record, _ in pairs] == given
    assert [copy["student"]["label"] for _, copy in pairs] == ["2", None]
    assert {copy["student"]["model"] for _, copy in pairs} == {"fake@0"}


def test_no_student_is_opened_for_no_records() -> None:
    def refuse() -> OpenedStudent:
        raise AssertionError("opened")

    assert list(AnsweringStudent(EvalOptions(), refuse).answer(iter([]))) == []


def test_batches_have_the_size_of_the_options(student: Any) -> None:
    given: Iterator[Record] = iter([equation(number) for number in range(5)])
    list(answering(student, batch_size=2, rationales=False).answer(given))
    assert [inputs for _, inputs in student.asked] == [["q0", "q1"], ["q2", "q3"], ["q4"]]


def test_records_to_fit_on_get_no_rationale(student: Any) -> None:
    given = [equation(1, split="valid"), equation(2, split="test")]
    pairs = list(answering(student, temperature=True).answer(iter(given)))
    assert ["rationale" in copy["student"] for _, copy in pairs] == [False, True]


def test_another_task_than_the_one_learned_is_a_warning(student: Any) -> None:
    warnings: list[str] = []
    list(answering(student, warnings, task="text").answer(iter([equation(1)])))
    assert warnings == ['the student learned the task "equation", the records are "text"']


def test_the_predict_pass_alone_has_no_weight_and_no_times(student: Any) -> None:
    asked = answering(student)
    list(asked.answer(iter([equation(1)])))
    assert (asked.weight, asked.seconds) == (None, {})


def two_readings(**metadata: Any) -> TwoReadings:
    return TwoReadings(
        {"q1": {"1": 0.6}, "q2": {"1": 0.6}},
        {"so": {"2": 0.9}},
        {"q1": "so", "q2": "so"},
        metadata={"concludes": True, **metadata},
    )


def test_with_a_saved_weight_an_answer_leaves_before_the_next_record_is_read() -> None:
    student = two_readings(answer_weight={"value": 0.25, "fitted_on": 40})
    given = iter([equation(1), equation(2, split="valid")])
    asked = answering(student, batch_size=1)
    _, first = next(asked.answer(given))
    assert first["student"]["answers"]["both"]["weight"] == 0.25
    assert first["student"]["label"] == "2"
    assert [record["id"] for record in given] == [equation(2)["id"]]


def test_without_a_saved_weight_all_records_are_read_first() -> None:
    given = iter([equation(1), equation(2, split="valid")])
    next(answering(two_readings(), answer="both", batch_size=1).answer(given))
    assert list(given) == []


def test_progress_counts_records_as_they_are_answered_and_not_as_they_leave() -> None:
    opened = OpenedStudent(two_readings(), "fake@0", "0")
    counts: list[int] = []
    options = EvalOptions(answer="both", batch_size=2)
    asked = AnsweringStudent(options, lambda: opened, advance=counts.append)
    given = [equation(1), equation(2, split="valid"), equation(1, split="test")]
    next(asked.answer(iter(given)))
    assert counts == [2, 1]
