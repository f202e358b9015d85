from __future__ import annotations

from array import array

import pytest

from mitools.annotate.options import Price
from mitools.evaluate.costs.bill import Bill
from mitools.evaluate.costs.figures import MEASURES, Prices, Spent, cost_figures
from mitools.evaluate.costs.meter import Meter

BILL = Bill(asked=200, counted=100, prompt=100_000, completion=20_000)
PRICES = Prices(Price(1.0, 10.0), hour=3.6)  # the second costs a thousandth of a dollar


def meter(*waits: float, seconds: float = 1.0, tokens: int = 0) -> Meter:
    return Meter(array("d", waits), largest=4, seconds=seconds, tokens=tokens)


def spent(**more: object) -> Spent:
    values = {"meter": meter(*[0.1] * 100, tokens=500), "single": None, "bill": BILL}
    return Spent(**{**values, "memory": (512.0, "process"), "train_seconds": 50.0, **more})  # type: ignore[arg-type]


def test_dollars_are_per_thousand_records() -> None:
    found = cost_figures(spent(), PRICES)
    # A record takes 10 ms of the student, and 1,000 and 200 tokens of the teacher.
    assert found["student_usd"].value == pytest.approx(0.01)
    assert found["teacher_usd"].value == pytest.approx(1000 * (1000 + 2000) / 1e6)
    assert found["teacher_usd"].details["bill"] == pytest.approx(200 * 0.003)


def test_break_even_is_training_and_annotation_over_the_saving() -> None:
    found = cost_figures(spent(), PRICES)["break_even"]
    assert found.details["training_usd"] == pytest.approx(0.05)
    assert found.details["annotation_usd"] == pytest.approx(0.6)
    assert found.value == 218  # 0.65 / 0.00299 = 217.4


def test_a_student_that_costs_more_than_the_teacher_never_breaks_even() -> None:
    found = cost_figures(spent(), Prices(Price(0.001, 0.001), hour=36_000.0))["break_even"]
    assert (found.value, found.status) == (None, "undefined")
    assert "costs as much" in str(found.reason)


def test_no_price_is_made_up() -> None:
    found = cost_figures(spent(), Prices())
    for name in ("student_usd", "teacher_usd", "break_even"):
        assert (found[name].status, found[name].value) == ("skipped", None)
    assert "--student-price" in str(found["student_usd"].reason)
    assert found["student_ms"].value == pytest.approx(10.0)


def test_percentiles_are_observed_waits() -> None:
    waits = [0.001 * (number + 1) for number in range(100)]
    found = cost_figures(spent(meter=meter(*waits), single=meter(0.004, 0.002, 0.008)), PRICES)
    assert found["latency_p50"].value == pytest.approx(50.0)
    assert found["latency_p95"].value == pytest.approx(95.0)
    assert found["latency_p50"].details["batch_size"] == 4
    assert found["single_p50"].value == pytest.approx(4.0)
    assert found["single_p95"].value == pytest.approx(8.0)


def test_tokens_are_per_record_and_memory_says_of_what() -> None:
    found = cost_figures(spent(), PRICES)
    assert found["student_tokens"].value == 5
    assert found["teacher_prompt_tokens"].value == 1000
    assert found["teacher_completion_tokens"].value == 200
    assert found["memory"].details["measured"] == "process"


def test_records_that_held_answers_have_a_teachers_bill_only() -> None:
    found = cost_figures(spent(meter=None, memory=None, train_seconds=None), PRICES)
    assert found["teacher_usd"].status == "ok"
    for name in ("student_usd", "student_ms", "latency_p50", "memory", "student_tokens"):
        assert found[name].reason == "time and memory are measured where a student answers"
    assert found["break_even"].value is None


@pytest.mark.parametrize(
    ("bill", "reason"),
    [
        (Bill(), "no record holds an answer of a teacher"),
        (Bill(asked=3), "no record holds the token counts of a teacher"),
    ],
)
def test_a_teacher_without_counts_has_no_price(bill: Bill, reason: str) -> None:
    found = cost_figures(spent(bill=bill), PRICES)
    for name in ("teacher_usd", "teacher_prompt_tokens", "break_even"):
        assert found[name].reason == reason


def test_training_of_unknown_length_has_no_break_even() -> None:
    found = cost_figures(spent(train_seconds=None), PRICES)["break_even"]
    assert found.reason == "the time of the student's training is unknown"


def test_every_figure_is_there_in_order() -> None:
    assert [*cost_figures(spent(), Prices())] == [*MEASURES]
