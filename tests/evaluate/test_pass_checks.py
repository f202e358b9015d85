"""What a pass checks of its records: the answers that they hold, and what it warns about."""

from __future__ import annotations

from typing import Any

import pytest

from mitools.errors import InvalidFieldError, MissingFieldError
from mitools.evaluate.options import EvalOptions
from mitools.evaluate.pass_checks import held_answer
from mitools.evaluate.run import Evaluation
from mitools.records import Record
from tests.evaluate.examples import choice, equation
from tests.evaluate.test_run import opener

pytestmark = pytest.mark.usefixtures("few_resamples")


def warnings(student: Any, records: list[Record]) -> list[str]:
    found: list[str] = []
    list(Evaluation(EvalOptions(), opener(student), found.append).run(records))
    return found


def test_nothing_unusual_warns_of_nothing(student: Any) -> None:
    assert warnings(student, [equation(1), equation(2)]) == []


def test_repeated_ids_are_counted_each_and_reported(student: Any) -> None:
    assert warnings(student, [equation(1)] * 3) == [
        '2 records with an id seen before (such as "1"); all count'
    ]


def test_a_student_of_another_task_is_reported(student: Any) -> None:
    assert warnings(student, [choice(1, "a", "b")]) == [
        'the student learned the task "equation", the records are "choice"'
    ]


def test_records_of_several_tasks_are_reported(student: Any) -> None:
    assert warnings(student, [equation(1), choice(2, "a", "b")]) == [
        "the records are of several tasks (choice: 1, equation: 1); the figures mix them"
    ]


def test_records_without_a_split_beside_those_with_one_are_reported(student: Any) -> None:
    records = [equation(1, split="train"), equation(2, split="test"), equation(3)]
    assert warnings(student, records) == ['1 record without a split; counted with the split "test"']


def test_without_a_student_records_need_answers() -> None:
    with pytest.raises(
        MissingFieldError, match=r'record "1": field "student" is missing.*--student DIR'
    ):
        list(Evaluation(EvalOptions()).run([equation(1)]))


def test_a_stated_confidence_above_1_is_refused() -> None:
    with pytest.raises(InvalidFieldError, match="confidence"):
        list(
            Evaluation(EvalOptions()).run([equation(1, student={"label": "2", "confidence": 1.5})])
        )


def test_answers_of_two_students_in_one_input_are_reported() -> None:
    found: list[str] = []
    records = [equation(n, student={"label": "2", "model": f"s{n}"}) for n in (1, 2)]
    list(Evaluation(EvalOptions(), warn=found.append).run(records))
    assert found == ["2 students answered; the figures mix them"]


def test_rationales_are_dropped_when_scoring_again_without_them() -> None:
    one = equation(
        1, student={"label": "2", "rationale": "1 + 1 = 2", "rationale_truncated": False}
    )
    (found,) = Evaluation(EvalOptions(rationales=False)).run([one])
    assert found["student"] == {"label": "2"}
    assert "supports" not in found["scores"]


def test_an_answer_that_is_kept_whole_is_the_record_itself() -> None:
    record = equation(1, student={"label": "2", "rationale": "1 + 1 = 2", "confidence": 1.0})
    assert held_answer(record, rationales=True) is record
    assert "rationale" in record["student"]
