from __future__ import annotations

from typing import Any

from mitools.evaluate.baselines.bench import Bench


def record(number: int, **more: Any) -> dict[str, Any]:
    return {"id": str(number), "input": f"q{number}", "label": "4", "task": "equation", **more}


def judged(number: int, *, correct: bool | None = True, **more: Any) -> dict[str, Any]:
    student = {"label": "4", "confidence": 0.5}
    return record(number, student=student, scores={"correct": correct}, **more)


def test_labels_are_gold_where_known_else_the_teachers() -> None:
    bench = Bench()
    bench.add(judged(0))
    bench.add_training(record(1, teacher={"label": "5"}))
    bench.add_training(record(2, label=None, teacher={"label": "6"}))
    bench.add_training(record(3, label=" "))
    assert sorted(example.label for example in bench.examples()) == ["4", "6"]
    assert [example.label for example in bench.examples("gold")] == ["4"]
    assert sorted(example.label for example in bench.examples("teacher")) == ["5", "6"]
    assert bench.seen == 3


def test_labels_that_are_not_possible_and_other_tasks_are_left_out() -> None:
    bench = Bench()
    bench.add(judged(0))
    bench.add_training(record(1, label="many"))
    bench.add_training(record(2, label="a word", task="text"))
    assert bench.examples() == []


def test_examples_do_not_depend_on_the_order_of_the_records() -> None:
    orders = []
    for numbers in (range(20), reversed(range(20))):
        bench = Bench()
        bench.add(judged(99))
        for number in numbers:
            bench.add_training(record(number))
        orders.append(bench.examples())
    assert orders[0] == orders[1]


def test_a_teacher_that_gave_no_label_is_wrong_and_one_not_asked_unknown() -> None:
    bench = Bench()
    bench.add(judged(0, teacher={"label": "2 + 2"}))
    bench.add(judged(1, teacher={"error": {"kind": "unreadable"}}))
    bench.add(judged(2))
    bench.add(judged(3, correct=None))  # without gold nothing can be compared
    assert [one.is_teacher_correct for one in bench.evaluated] == [True, False, None]


def test_a_problem_holds_no_gold_label_and_each_choice_once() -> None:
    bench = Bench()
    bench.add(judged(0, task="choice", choices=["4", "4", "7"]))
    (one,) = bench.evaluated
    assert one.problem.choices == ("4", "7")
    assert not hasattr(one.problem, "label")
