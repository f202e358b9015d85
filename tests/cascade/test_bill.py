"""The bill of a run with a student before the teacher, computed by hand."""

from __future__ import annotations

import pytest

from mitools.annotate.options import Price
from mitools.cascade.ask_student import AskingStudent
from mitools.cascade.bill import CascadeBill, front_lines
from mitools.cascade.selection import Selection
from mitools.cascade.sure_answers import SureAnswers
from mitools.records import Record
from tests.cascade.conftest import AddingStudent, sums

USAGE = {"prompt_tokens": 300, "completion_tokens": 100}
PRICE = Price(1, 7)  # 300 · 1 + 100 · 7 = 1,000 millionths: $0.001 an answer
TRAINED = {"data": {"records": {"train": 500}}, "results": {"train_seconds": 1800.0}}


def records(by_student: int, by_teacher: int) -> list[Record]:
    student = [
        {"id": f"s{n}", "teacher": {"by": "student", "agrees": [True, None, False][n % 3]}}
        for n in range(by_student)
    ]
    teacher = [
        {"id": f"t{n}", "teacher": {"by": "teacher", "usage": USAGE}} for n in range(by_teacher)
    ]
    return [*student, *teacher, {"id": "p"}]


def filled(price: Price | None = PRICE, hour: float | None = 2.0) -> CascadeBill:
    bill = CascadeBill(price, hour)
    bill.add(records(60, 40))
    return bill


def test_the_savings_of_a_run() -> None:
    bill = filled()
    assert (bill.by_student, bill.by_teacher, bill.with_gold, bill.agreeing) == (60, 40, 40, 20)
    savings = bill.savings(18.0, TRAINED)
    assert savings is not None
    assert savings.teacher_usd == pytest.approx(0.001)
    assert savings.student_usd == pytest.approx(0.01)  # 18 s at $2 an hour
    assert savings.saved_usd == pytest.approx(0.05)
    assert savings.annotation_usd == pytest.approx(0.5)
    assert savings.training_usd == pytest.approx(1.0)
    assert savings.break_even == 3000  # $1.50 at $0.05 for 100 records


def test_without_a_price_of_the_machine_the_time_is_not_in_the_saving() -> None:
    savings = filled(hour=None).savings(18.0, TRAINED)
    assert savings is not None
    assert (savings.student_usd, savings.training_usd) == (None, None)
    assert savings.saved_usd == pytest.approx(0.06)
    assert savings.break_even == 834  # $0.50 at $0.06 for 100 records


def test_a_student_that_costs_more_is_never_paid_back() -> None:
    savings = filled(hour=2000.0).savings(18.0, TRAINED)
    assert savings is not None
    assert savings.saved_usd < 0
    assert savings.break_even is None


@pytest.mark.parametrize("metadata", [{}, {"data": {"records": {"train": "many"}}}, {"data": 3}])
def test_metadata_that_names_no_records_gives_no_break_even(metadata: dict[str, object]) -> None:
    savings = filled().savings(18.0, metadata)
    assert savings is not None
    assert (savings.annotation_usd, savings.break_even) == (None, None)


def test_the_lines_of_a_run(asking: AskingStudent, adding: AddingStudent) -> None:
    adding.metadata.update(TRAINED)
    asking.seconds = 18.0
    front = SureAnswers(asking, 8)
    assert front_lines(front, filled()) == [
        "60 by the student adder@1, sure at 0.9 (20 of 40 agree with gold, 50.0%); "
        "40 (40.0%) by the teacher",
        "teacher: $0.001 a record (40 answers); 60 answers less save $0.06; "
        "the student took 18.0 s, $0.01",
        "break-even: after 3,000 records like these (annotation of the training records $0.5 at "
        "this price, training $1)",
    ]
    assert front_lines(front, filled(hour=None))[1].endswith(
        'the student took 18.0 s of unknown price ("--student-price USD")'
    )
    assert front_lines(front, filled(hour=2000.0))[2].startswith("break-even: never")
    assert front_lines(front, CascadeBill()) == []


@pytest.mark.parametrize(
    ("price", "by_teacher", "reason"),
    [
        (None, 3, 'the price of a token is not known ("--price IN,OUT")'),
        (PRICE, 0, "the teacher was asked about no record"),
    ],
)
def test_an_unknown_saving_says_why(
    asking: AskingStudent, price: Price | None, by_teacher: int, reason: str
) -> None:
    bill = CascadeBill(price)
    bill.add(records(6, by_teacher))
    assert front_lines(SureAnswers(asking, 8), bill)[1] == f"saving: unknown, as {reason}"
    bare = CascadeBill(PRICE)
    bare.add([{"teacher": {"by": "teacher"}}])
    assert "holds token counts" in front_lines(SureAnswers(asking, 8), bare)[1]


def test_the_lines_of_a_selection(asking: AskingStudent) -> None:
    for spreads, how in ((True, "in proportion to 1 - confidence"), (False, "the least sure")):
        selection = Selection(3, student=asking, spreads=spreads)
        list(selection.route(iter(sums(10))))
        [line] = front_lines(selection, CascadeBill())
        assert line == (
            f"3 of 10 records without an answer chosen, {how} (confidence 0.4 to 0.4); 0 had one"
        )
    at_random = Selection(3)
    list(at_random.route(iter(sums(10))))
    assert "3 of 10 records without an answer chosen, at random; 0 had one" in front_lines(
        at_random, CascadeBill()
    )
