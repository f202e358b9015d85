from __future__ import annotations

from typing import Any

import pytest

from mitools.annotate.options import Price
from mitools.evaluate.costs.bill import Bill

PRICE = Price(1.0, 10.0)


def record(**teacher: Any) -> dict[str, Any]:
    return {"id": "1", "input": "q", "teacher": teacher or None}


def usage(prompt: Any, completion: Any) -> dict[str, Any]:
    return record(label="1", usage={"prompt_tokens": prompt, "completion_tokens": completion})


def test_records_pass_and_tokens_add_up() -> None:
    bill, records = Bill(), [usage(100, 10), record(), usage(300, 30)]
    assert list(bill.watch(records)) == records
    assert (bill.asked, bill.counted, bill.prompt, bill.completion) == (2, 2, 400, 40)
    assert bill.per_record(PRICE) == pytest.approx((400 * 1 + 40 * 10) / 1e6 / 2)


def test_answers_without_counts_cost_what_the_others_do() -> None:
    bill = Bill()
    for one in (usage(100, 10), record(label="2"), usage(True, 1), usage(-1, 2), usage("3", 2)):
        bill.add(one)
    assert (bill.asked, bill.counted) == (5, 1)
    assert bill.total(PRICE) == pytest.approx(5 * 200 / 1e6)


def test_a_replay_has_no_counts() -> None:
    bill = Bill()
    bill.add(record(label="2", usage=None))
    assert (bill.asked, bill.counted) == (1, 0)


def test_what_a_student_answered_in_its_place_cost_the_teacher_nothing() -> None:
    bill = Bill()
    bill.add(record(label="1", by="student"))
    bill.add(record(label="1", by="teacher"))
    assert bill.asked == 1
