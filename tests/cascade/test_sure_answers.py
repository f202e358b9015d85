"""What the student is sure of is its answer; the rest goes to the teacher, in order."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mitools.annotate.notices import Notices
from mitools.annotate.protocol import Answered, ToTeacher
from mitools.asking.predict import OpenedStudent
from mitools.cascade.ask_student import Asking, AskingStudent
from mitools.cascade.sure_answers import SureAnswers
from mitools.errors import InvalidFieldError
from mitools.operating.point import OperatingPoint
from mitools.records import Record
from tests.cascade.conftest import SURE, UNSURE, AddingStudent, SortingStudent, sums


def test_records_keep_their_order_and_only_sure_ones_are_explained(
    asking: AskingStudent, adding: AddingStudent
) -> None:
    items = [*SureAnswers(asking, 4).route(iter(sums(6)))]
    assert [type(item) for item in items] == [Answered, ToTeacher] * 3
    assert [item.record["id"] for item in items] == [record["id"] for record in sums(6)]
    assert isinstance(items[1], ToTeacher)
    assert items[1].about == {"by": "teacher", "student_confidence": UNSURE}
    assert items[0].record["teacher"]["student_confidence"] == SURE
    assert adding.asked == [
        ("label", [10, 11, 12, 13]),
        ("rationale", [10, 12]),
        ("label", [14, 15]),
        ("rationale", [14]),
    ]


def test_no_record_is_read_before_the_batch_before_it_was_taken(asking: AskingStudent) -> None:
    taken = 0

    def source() -> Iterator[Record]:
        nonlocal taken
        for record in sums(100):
            taken += 1
            yield record

    items = SureAnswers(asking, 4).route(source())
    next(items)
    assert taken == 4


def test_an_error_of_reading_comes_after_what_was_read(asking: AskingStudent) -> None:
    def source() -> Iterator[Record]:
        yield from sums(3)
        raise InvalidFieldError("line 4")

    got = []
    with pytest.raises(InvalidFieldError, match="line 4"):
        got.extend(SureAnswers(asking, 64).route(source()))
    assert len(got) == 3


def test_it_stops_between_batches(asking: AskingStudent, adding: AddingStudent) -> None:
    front = SureAnswers(asking, 2)
    items = front.route(iter(sums(10)))
    next(items)
    front.stop()
    assert len([*items]) == 1
    assert [task for task, _ in adding.asked].count("label") == 1


def test_nothing_gives_nothing(asking: AskingStudent, adding: AddingStudent) -> None:
    assert [*SureAnswers(asking, 2).route(iter(()))] == []
    assert adding.asked == []


def of_task(task: str) -> Asking:
    return Asking.of(OperatingPoint(target=0.9, risk=0.1, threshold=0.9, task=task))


def test_records_of_another_task_than_the_threshold_are_warned_about_once(
    adding: AddingStudent,
) -> None:
    warnings: list[str] = []
    front = SureAnswers(
        AskingStudent(OpenedStudent(adding, "adder", None), of_task("equation")),
        2,
        Notices(on_warning=warnings.append),
    )
    others = [{**record, "task": "text"} for record in sums(5, first=30)]
    items = [*front.route(iter([*sums(2), *others]))]
    assert (len(items), len(warnings)) == (7, 1)
    assert f'record "{others[0]["id"]}" has the task text, and the threshold was' in warnings[0]
    assert "chosen on the task equation" in warnings[0]


def test_a_record_that_gets_the_learned_labels_is_of_their_task() -> None:
    warnings: list[str] = []
    student = AskingStudent(OpenedStudent(SortingStudent(), "sorter", None), of_task("labels"))
    front = SureAnswers(student, 2, Notices(on_warning=warnings.append))
    [item] = front.route(iter([{"id": "1", "input": "Please refund me."}]))
    assert isinstance(item, Answered)
    assert not warnings
