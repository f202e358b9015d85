from __future__ import annotations

from typing import Any

import pytest

from mitools.errors import StudentError
from mitools.evaluate.baselines.compare import compare_baselines
from mitools.evaluate.baselines.protocol import Guess, Problem
from mitools.evaluate.baselines.untrained import Untrained
from mitools.evaluate.options import EvalOptions
from tests.asking.fake_student import FakeStudent
from tests.evaluate.baselines.test_compare import bench

pytestmark = pytest.mark.usefixtures("few_resamples")


def test_the_base_is_asked_as_the_student_is(student: Any) -> None:
    base = FakeStudent(labels={"q": "12"}, favourite={"which?": "b"})
    baseline = Untrained(student, EvalOptions(decode=True), None, lambda _student: base)
    baseline.fit([])
    problems = [Problem("1", "q", "equation"), Problem("2", "which?", "choice", ("a", "b"))]
    labels = [guess.label for guess in baseline.answer(problems)]
    assert labels == ["12", "b"]
    assert {kind for kind, _ in base.asked} == {"choices", "labels"}  # no rationale is asked for
    assert student.asked == []
    assert baseline.answer([]) == []


def test_its_description_says_where_weights_are_random(student: Any) -> None:
    student.metadata = {"base": "scratch:tiny"}
    about = Untrained(student, EvalOptions(), None, lambda one: one).about
    assert about == "random weights, asked as the student is"
    student.metadata = {"base": "some/model"}
    assert "the base model some/model" in Untrained(student, EvalOptions(), None, lambda s: s).about


def test_it_needs_no_training_records(student: Any) -> None:
    made = {"untrained": Untrained(student, EvalOptions(), None, lambda _student: FakeStudent())}
    found = compare_baselines(bench(train=0), made, "auto", 0)["systems"]["untrained"]
    assert found["accuracy"].status == "ok"
    assert found["accuracy"].n == 30


def test_a_base_that_cannot_be_opened_leaves_the_reason(student: Any) -> None:
    def gone(_student: Any) -> Any:
        raise StudentError("cannot open the student x")

    made = {"untrained": Untrained(student, EvalOptions(), None, gone)}
    found = compare_baselines(bench(), made, "auto", 0)["systems"]["untrained"]
    assert found["accuracy"].reason == "cannot open the student x"


def test_an_answer_without_a_label_is_kept(student: Any) -> None:
    baseline = Untrained(student, EvalOptions(), None, lambda _student: FakeStudent())
    baseline.fit([])
    (guess,) = baseline.answer([Problem("1", "q", "text")])
    assert guess == Guess(None, guess.confidence)
