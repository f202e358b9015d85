"""Going over records, and asking a student no more than needed."""

from __future__ import annotations

import doctest
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import mitools.explain.run
from mitools.asking.answering import WAYS
from mitools.cli import mitools as command
from mitools.errors import StudentError, UsageError
from mitools.evaluate.run import OpenedStudent
from mitools.explain.options import ExplainOptions
from mitools.explain.pager import read_ahead
from mitools.explain.run import ExplanationRun, explain_records
from mitools.explain.terminal import Terminal
from mitools.student.protocol import Generation
from tests.asking.two_readings import TwoReadings, closed


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


def opening(student: FakeStudent) -> Callable[[], OpenedStudent]:
    return lambda: OpenedStudent(student, "fake@123", "123")


def rows(n: int, **fields: Any) -> list[dict[str, Any]]:
    return [{"id": f"r{i}", "input": f"q{i}", **fields} for i in range(n)]


def test_a_student_answers_in_the_way_that_is_asked_for() -> None:
    student = TwoReadings(
        {"fish": {"sea": 0.2, "tree": 0.3}},
        {"swims": {"sea": 0.9, "tree": 0.05}},
        {"fish": "swims"},
    )
    opened = OpenedStudent(student, "two", "")
    labels = {}
    for way in WAYS:
        options = ExplainOptions(answer=way, student="two")
        (item,) = ExplanationRun(options, open_student=lambda: opened).run([closed("fish")])
        side = item.view.student
        assert side is not None
        labels[way] = side.label
        shown = {"predict": [], "named": ["predict", "named"]}.get(way, [*WAYS])
        assert [answer.way for answer in side.ways] == shown
        assert [answer.way for answer in side.ways if answer.is_chosen] == (
            [] if way == "predict" else [way]
        )
    assert labels == {"predict": "tree", "conclude": "sea", "both": "sea", "named": "tree"}


@pytest.mark.parametrize(("saved", "label"), [(None, "tree"), (0.5, "sea"), (0.9, "tree")])
def test_a_student_answers_by_both_readings_with_the_weight_that_it_brings(
    saved: float | None, label: str
) -> None:
    student = TwoReadings(
        {"fish": {"sea": 0.2, "tree": 0.3}},
        {"swims": {"sea": 0.9, "tree": 0.05}},
        {"fish": "swims"},
    )
    if saved is not None:
        student.metadata["answer_weight"] = {"value": saved, "fitted_on": 30}
    options = ExplainOptions(student="two")
    opened = OpenedStudent(student, "two", "")
    (item,) = ExplanationRun(options, open_student=lambda: opened).run([closed("fish")])
    assert item.view.student is not None
    assert item.view.student.label == label
    assert item.record["student"].get("answered_by") == ("both" if saved else None)


def test_a_way_that_the_student_lacks_is_refused(student: FakeStudent) -> None:
    options = ExplainOptions(answer="conclude", student="fake")
    with pytest.raises(StudentError, match="gives no label after its rationale"):
        list(ExplanationRun(options, open_student=opening(student)).run(rows(1)))
    for wrong, message in (
        ({"answer": "both"}, "--answer needs a student"),
        ({"draws": 2, "student": "s"}, "--draws needs answers that come from rationales"),
        ({"answer": "guess", "student": "s"}, "--answer must be one of"),
    ):
        with pytest.raises(UsageError, match=message):
            ExplainOptions(**wrong).check()  # type: ignore[arg-type]


def test_records_without_a_student_are_answered_in_chunks(student: FakeStudent) -> None:
    explanation = ExplanationRun(ExplainOptions(batch_size=2), open_student=opening(student))
    shown = list(explanation.run(rows(3)))
    assert student.asked == [["q0", "q1"], ["q2"]]
    assert [item.record["student"]["label"] for item in shown] == ["Q0", "Q1", "Q2"]
    assert [item.record["student"]["model"] for item in shown] == ["fake@123"] * 3
    assert [item.view.position for item in shown] == [1, 2, 3]
    assert all("scores" not in item.record for item in shown)


def test_choices_are_scored(student: FakeStudent) -> None:
    record = {"id": "c", "input": "q", "choices": ["a", "b"], "label": "b"}
    (item,) = ExplanationRun(ExplainOptions(), open_student=opening(student)).run([record])
    assert item.view.is_right
    assert item.record["student"]["confidence"] == pytest.approx(2 / 3, abs=1e-6)


def test_an_answer_that_is_there_stays(student: FakeStudent) -> None:
    records = rows(3)
    records[1]["student"] = {"label": "mine"}
    shown = list(ExplanationRun(ExplainOptions(), open_student=opening(student)).run(records))
    assert student.asked == [["q0", "q2"]]
    assert [item.record["student"]["label"] for item in shown] == ["Q0", "mine", "Q2"]
    assert shown[1].record is records[1]


def test_the_student_is_opened_once_and_only_when_it_is_needed(student: FakeStudent) -> None:
    opened: list[int] = []

    def open_student() -> OpenedStudent:
        opened.append(1)
        return OpenedStudent(student, "fake", "")

    answered = rows(5, student={"label": "mine"}, task="text")
    assert len(list(ExplanationRun(ExplainOptions(), open_student=open_student).run(answered))) == 5
    assert opened == []
    assert (
        len(
            list(
                ExplanationRun(ExplainOptions(batch_size=1), open_student=open_student).run(rows(3))
            )
        )
        == 3
    )
    assert opened == [1]


def test_a_student_of_labels_alone_is_not_asked_to_explain(student: FakeStudent) -> None:
    student.metadata = {"trained": ["label"]}
    (item,) = ExplanationRun(ExplainOptions(), open_student=opening(student)).run(rows(1))
    assert student.asked == []
    assert "rationale" not in item.record["student"]
    assert item.record["student"]["trained"] == ["label"]


def test_only_records_that_can_be_shown_are_asked_about(student: FakeStudent) -> None:
    options = ExplainOptions(id=("r1", "r7", "r8"), limit=2)
    explanation = ExplanationRun(options, open_student=opening(student))
    assert [item.view.id for item in explanation.run(rows(10))] == ["r1", "r7"]
    assert student.asked == [["q1", "q7"]]
    assert (explanation.counts.read, explanation.counts.matching) == (8, 2)


def test_a_filter_on_the_answer_sees_the_live_one(student: FakeStudent) -> None:
    records = [{**row, "label": "q1"} for row in rows(3)]
    options = ExplainOptions(right=True)
    explanation = ExplanationRun(options, open_student=opening(student))
    assert [item.view.id for item in explanation.run(records)] == ["r1"]
    tally = explanation.counts
    assert (tally.read, tally.matching, tally.shown, tally.right) == (3, 1, 1, 1)


def test_sorting_by_confidence_asks_first(student: FakeStudent) -> None:
    records = rows(2) + rows(1, student={"label": "mine", "confidence": 0.1})
    options = ExplainOptions(sort="confidence")
    shown = list(ExplanationRun(options, open_student=opening(student)).run(records))
    assert [item.view.position for item in shown] == [3, 1, 2]


def test_verdicts_on_an_older_answer_are_not_shown(student: FakeStudent) -> None:
    record = {"id": "x", "input": "q", "label": "Q", "scores": {"correct": False, "mine": 1}}
    (item,) = ExplanationRun(ExplainOptions(), open_student=opening(student)).run([record])
    assert item.view.is_right is True
    assert item.record["scores"]["correct"] is True
    assert item.record["scores"]["mine"] == 1


def test_a_student_of_another_task_is_warned_about(student: FakeStudent) -> None:
    warnings: list[str] = []
    student.metadata = {"task": "equation"}
    list(
        ExplanationRun(
            ExplainOptions(batch_size=1), open_student=opening(student), warn=warnings.append
        ).run(rows(3))
    )
    assert warnings == ['the student was trained on the task "equation", not "text"']


def test_without_a_student_records_are_taken_one_at_a_time() -> None:
    taken: list[int] = []

    def records() -> Iterator[dict[str, Any]]:
        for index, row in enumerate(rows(5)):
            taken.append(index)
            yield row

    shown = ExplanationRun(ExplainOptions()).run(records())
    assert taken == []
    next(shown)
    assert taken == [0]


def test_reading_ahead_changes_no_item_and_no_order() -> None:
    items = list(ExplanationRun(ExplainOptions()).run(rows(5)))
    for count in (1, 3, 5, 9):
        assert list(read_ahead(iter(items), count)) == items


def test_an_interrupt_while_reading_ahead_loses_nothing_that_arrived() -> None:
    def records() -> Iterator[dict[str, Any]]:
        yield from rows(3)
        raise KeyboardInterrupt

    seen: list[str] = []

    def look() -> None:
        for item in read_ahead(ExplanationRun(ExplainOptions()).run(records()), 10):
            seen.append(item.view.id)

    with pytest.raises(KeyboardInterrupt):
        look()
    assert seen == ["r0", "r1", "r2"]


# From Python


SCORED: list[dict[str, Any]] = [
    {
        "id": f"q{number}",
        "input": f"What is {number} + {number % 3}?",
        "label": str(number + number % 3),
        "teacher": {"label": str(number), "rationale": f"{number} + {number % 3} = {number}."},
        "student": {
            "label": str(number + number % 2),
            "rationale": f"The answer is {number + number % 2}.",
            "confidence": (number % 10) / 10,
        },
    }
    for number in range(30)
]

MODES: list[tuple[dict[str, Any], list[str]]] = [
    ({}, []),
    ({"wrong": True, "low_conf": 0.7}, ["--wrong", "--low-conf", "0.7"]),
    (
        {"sort": "confidence", "reverse": True, "limit": 4},
        ["--sort", "confidence", "--reverse", "--limit", "4"],
    ),
    ({"sample": 5, "seed": 3, "disagree": True}, ["--sample", "5", "--seed", "3", "--disagree"]),
    ({"grep": "1[0-5]", "task": "equation"}, ["--grep", "1[0-5]", "--task", "equation"]),
]


@pytest.mark.parametrize(
    ("fields", "typed"), MODES, ids=[" ".join(typed) or "none" for _, typed in MODES]
)
def test_a_library_user_sees_what_the_command_shows(
    fields: dict[str, Any], typed: list[str]
) -> None:
    text = "".join(json.dumps(record) + "\n" for record in SCORED)
    done = CliRunner().invoke(command, ["explain", *typed], input=text)
    assert done.exit_code == 0, done.stderr
    options = ExplainOptions(**fields)
    terminal = Terminal(pattern=options.pattern)
    views = list(explain_records(SCORED, options))
    assert "".join(map(terminal.render, views)) == done.stdout
    done = CliRunner().invoke(command, ["explain", *typed, "--json"], input=text)
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [v.id for v in views]


def test_a_second_students_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    second = [{**record, "student": {"label": record["label"]}} for record in SCORED[::2]]
    path.write_text("".join(json.dumps(record) + "\n" for record in second))
    views = list(explain_records(SCORED, ExplainOptions(vs=str(path), fixed=True)))
    assert views
    assert {view.change for view in views} == {"fixed"}
    assert all(int(view.id[1:]) % 2 == 0 for view in views)


def test_options_that_do_not_fit_are_refused_before_a_record_is_read() -> None:
    with pytest.raises(UsageError, match="both right and wrong"):
        explain_records(iter(()), ExplainOptions(right=True, wrong=True))


def test_a_text_is_answered_instead_of_records(student: FakeStudent) -> None:
    options = ExplainOptions(text="why", choices="a,b", student="runs/x")
    (item,) = ExplanationRun(options, open_student=opening(student)).run(rows(3))
    assert item.record["input"] == "why"
    assert item.record["student"]["label"] == "b"


def test_the_example_of_the_docstring_runs() -> None:
    assert doctest.testmod(mitools.explain.run) == (0, 2)


def test_records_that_chose_a_threshold_are_in_no_comparison(tmp_path: Path) -> None:
    path = tmp_path / "b.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in SCORED))
    marked = [
        {**one, "scores": {"role": "calibration"}} if n % 2 else one for n, one in enumerate(SCORED)
    ]
    counted = []
    for records in (SCORED, marked):
        run = ExplanationRun(ExplainOptions(vs=str(path)))
        assert len(list(run.run(records))) == len(SCORED)
        counted.append(run.comparisons["second"].counts.total())
    assert counted == [len(SCORED), (len(SCORED) + 1) // 2]
