"""Going over records, and asking a student no more than needed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from mitools.evaluate.run import Opened
from mitools.explain.filters import Criteria, Selection
from mitools.explain.run import ExplainOptions, Explanation, read_ahead
from mitools.student.protocol import Generation


@dataclass
class FakeStudent:
    """Answers with the last choice, or with the input in capitals; remembers what it was asked."""

    metadata: Mapping[str, Any] = field(default_factory=dict)
    asked: list[list[str]] = field(default_factory=list)

    def score_choices(
        self, inputs: Sequence[str], choices: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        return [[math.log((k + 1) / 10) for k, _ in enumerate(row)] for row in choices]

    def generate_labels(self, inputs: Sequence[str]) -> list[Generation]:
        return [Generation(text.upper(), -0.1, False, 2) for text in inputs]

    def generate_rationales(self, inputs: Sequence[str]) -> list[Generation]:
        self.asked.append(list(inputs))
        return [Generation(f"Because {text}.", -1.0, False, 9) for text in inputs]


@pytest.fixture
def student() -> FakeStudent:
    return FakeStudent()


def opening(student: FakeStudent) -> Callable[[], Opened]:
    return lambda: Opened(student, "fake@123", "123")


def rows(n: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"id": f"r{i}", "input": f"q{i}", **fields} for i in range(n)]


def test_records_without_a_student_are_answered_in_chunks(student: FakeStudent) -> None:
    explanation = Explanation(ExplainOptions(chunk=2), opening(student))
    shown = list(explanation.run(rows(3)))
    assert student.asked == [["q0", "q1"], ["q2"]]
    assert [item.record["student"]["label"] for item in shown] == ["Q0", "Q1", "Q2"]
    assert [item.record["student"]["model"] for item in shown] == ["fake@123"] * 3
    assert [item.view.position for item in shown] == [1, 2, 3]
    assert all("scores" not in item.record for item in shown)


def test_choices_are_scored(student: FakeStudent) -> None:
    record = {"id": "c", "input": "q", "choices": ["a", "b"], "label": "b"}
    (item,) = Explanation(ExplainOptions(), opening(student)).run([record])
    assert item.view.is_right
    assert item.record["student"]["confidence"] == pytest.approx(2 / 3, abs=1e-6)


def test_an_answer_that_is_there_stays(student: FakeStudent) -> None:
    records = rows(3)
    records[1]["student"] = {"label": "mine"}
    shown = list(Explanation(ExplainOptions(), opening(student)).run(records))
    assert student.asked == [["q0", "q2"]]
    assert [item.record["student"]["label"] for item in shown] == ["Q0", "mine", "Q2"]
    assert shown[1].record is records[1]


def test_the_student_is_opened_once_and_only_when_it_is_needed(student: FakeStudent) -> None:
    opened: list[int] = []

    def open_student() -> Opened:
        opened.append(1)
        return Opened(student, "fake", "")

    answered = rows(5, student={"label": "mine"})
    assert len(list(Explanation(ExplainOptions(), open_student).run(answered))) == 5
    assert opened == []
    assert len(list(Explanation(ExplainOptions(chunk=1), open_student).run(rows(3)))) == 3
    assert opened == [1]


def test_a_student_of_labels_alone_is_not_asked_to_explain(student: FakeStudent) -> None:
    student.metadata = {"trained": ["label"]}
    (item,) = Explanation(ExplainOptions(), opening(student)).run(rows(1))
    assert student.asked == []
    assert "rationale" not in item.record["student"]
    assert item.record["student"]["trained"] == ["label"]


def test_only_records_that_can_be_shown_are_asked_about(student: FakeStudent) -> None:
    settings = ExplainOptions(Criteria(ids=frozenset({"r1", "r7", "r8"})), Selection(limit=2))
    explanation = Explanation(settings, opening(student))
    assert [item.view.id for item in explanation.run(rows(10))] == ["r1", "r7"]
    assert student.asked == [["q1", "q7"]]
    assert (explanation.tally.read, explanation.tally.matching) == (8, 2)


def test_a_filter_on_the_answer_sees_the_live_one(student: FakeStudent) -> None:
    records = [{**row, "label": "q1"} for row in rows(3)]
    settings = ExplainOptions(Criteria(is_right=True))
    explanation = Explanation(settings, opening(student))
    assert [item.view.id for item in explanation.run(records)] == ["r1"]
    tally = explanation.tally
    assert (tally.read, tally.matching, tally.shown, tally.right) == (3, 1, 1, 1)


def test_sorting_by_confidence_asks_first(student: FakeStudent) -> None:
    records = rows(2) + rows(1, student={"label": "mine", "confidence": 0.1})
    settings = ExplainOptions(selection=Selection(sort="confidence"))
    shown = list(Explanation(settings, opening(student)).run(records))
    assert [item.view.position for item in shown] == [3, 1, 2]


def test_verdicts_on_an_older_answer_are_not_shown(student: FakeStudent) -> None:
    record = {"id": "x", "input": "q", "label": "Q", "scores": {"correct": False, "mine": 1}}
    (item,) = Explanation(ExplainOptions(), opening(student)).run([record])
    assert item.view.is_right is True
    assert item.record["scores"]["correct"] is True
    assert item.record["scores"]["mine"] == 1


def test_a_student_of_another_task_is_warned_about(student: FakeStudent) -> None:
    warnings: list[str] = []
    student.metadata = {"task": "equation"}
    list(Explanation(ExplainOptions(chunk=1), opening(student), warnings.append).run(rows(3)))
    assert warnings == ['the student learned the task "equation", the records are "text"']


def test_without_a_student_records_are_taken_one_at_a_time() -> None:
    taken: list[int] = []

    def records() -> Iterator[dict[str, Any]]:
        for index, row in enumerate(rows(5)):
            taken.append(index)
            yield row

    shown = Explanation(ExplainOptions()).run(records())
    assert taken == []
    next(shown)
    assert taken == [0]


def test_reading_ahead_changes_no_item_and_no_order() -> None:
    items = list(Explanation(ExplainOptions()).run(rows(5)))
    for count in (1, 3, 5, 9):
        assert list(read_ahead(iter(items), count)) == items


def test_an_interrupt_while_reading_ahead_loses_nothing_that_arrived() -> None:
    def records() -> Iterator[dict[str, Any]]:
        yield from rows(3)
        raise KeyboardInterrupt

    seen: list[str] = []

    def look() -> None:
        for item in read_ahead(Explanation(ExplainOptions()).run(records()), 10):
            seen.append(item.view.id)

    with pytest.raises(KeyboardInterrupt):
        look()
    assert seen == ["r0", "r1", "r2"]
