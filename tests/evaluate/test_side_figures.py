"""Baselines and costs of a whole evaluation."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from mitools.annotate.options import Price
from mitools.asking.predict import OpenedStudent
from mitools.errors import DataError, SourceError, UsageError
from mitools.evaluate.catalog import summary_schema
from mitools.evaluate.findings import check_side
from mitools.evaluate.options import EvalOptions
from mitools.evaluate.run import Evaluation
from tests.evaluate.baselines.problems import WORDS, labelled

pytestmark = pytest.mark.usefixtures("few_resamples")


def records(*, train: int = 45, test: int = 15) -> list[dict[str, Any]]:
    found = []
    for number in range(train + test):
        example = labelled(number)
        usage = {"prompt_tokens": 100, "completion_tokens": 10}
        found.append(
            {
                "id": str(number),
                "input": example.problem.input,
                "label": example.label,
                "task": "labels",
                "choices": [*WORDS],
                "split": "train" if number < train else "test",
                "teacher": {"label": example.label, "usage": usage},
            }
        )
    return found


def opener(student: Any) -> Callable[[], OpenedStudent]:
    return lambda: OpenedStudent(student, "fake@0", "0")


def evaluated(student: Any, given: list[dict[str, Any]], **options: Any) -> Evaluation:
    run = Evaluation(EvalOptions(simulator="none", **options), opener(student))
    list(run.run(given))
    return run


def test_baselines_and_costs_are_in_the_summary_and_fit_the_schema(student: Any) -> None:
    student.metadata = {"task": "labels", "results": {"train_seconds": 7.5}}
    run = evaluated(
        student,
        records(),
        baselines=("all",),
        latency_records=4,
        price=Price(1.0, 10.0),
        student_price=1.0,
    )
    summary = json.loads(json.dumps(run.summary()))
    jsonschema.validate(summary, summary_schema())
    systems = summary["baselines"]["systems"]
    assert [*systems] == ["student", "majority", "tfidf", "arithmetic", "teacher"]
    assert systems["tfidf"]["accuracy"]["value"] == 1
    assert systems["arithmetic"]["accuracy"]["status"] == "undefined"
    assert systems["student"]["fit_seconds"]["value"] == 7.5
    assert summary["baselines"]["about"]["learned_from"] == 45
    assert summary["costs"]["single_p50"]["n"] == 4
    assert summary["costs"]["teacher_usd"]["n"] == 60  # training records have their bill too
    assert summary["costs"]["latency_p50"]["batch_size"] == 15
    assert summary["costs"]["break_even"]["value"] > 0


def test_without_baselines_there_is_no_block_and_nothing_is_kept(student: Any) -> None:
    run = evaluated(student, records())
    assert "baselines" not in run.summary()
    assert run.side._bench.seen == 0
    assert run.side._bench.evaluated == []


def test_the_students_own_answers_stay_what_they_were(student: Any) -> None:
    plain = Evaluation(EvalOptions(simulator="none"), opener(student))
    beside = Evaluation(
        EvalOptions(simulator="none", baselines=("tfidf",), latency_records=2), opener(student)
    )
    assert list(plain.run(records())) == list(beside.run(records()))


def test_records_that_hold_answers_are_compared_too() -> None:
    given = [
        {**one, "student": {"label": "billing", "confidence": 0.4}} if number >= 45 else one
        for number, one in enumerate(records())
    ]
    run = Evaluation(EvalOptions(simulator="none", baselines=("majority",)))
    list(run.run(given))
    systems = run.summary()["baselines"]["systems"]
    assert systems["student"]["accuracy"]["value"] == pytest.approx(1 / 3)
    assert systems["student"]["answer_ms"]["status"] == "skipped"


def test_without_training_records_the_error_comes_last_and_names_what_to_give(student: Any) -> None:
    run = evaluated(student, records(train=0), baselines=("tfidf",))
    assert run.summary()["label"]["accuracy"]["status"] == "ok"
    with pytest.raises(DataError, match=r'no record of the split "train".*give "mitools eval" all'):
        check_side([run])
    check_side([evaluated(student, records(), baselines=("tfidf",))])
    check_side([evaluated(student, records(train=0))])


@pytest.mark.parametrize("split", ["train", "all"])
def test_baselines_are_not_tested_on_what_they_learn_from(split: Any) -> None:
    with pytest.raises(UsageError, match="learns from the training split"):
        EvalOptions(baselines=("majority",), split=split).check(has_student=True)


def test_options_that_need_a_student_or_a_value_are_refused() -> None:
    for options, message in (
        (EvalOptions(baselines=("untrained",)), "--baseline untrained needs a student"),
        (EvalOptions(latency_records=5), "--latency-records needs a student"),
        (EvalOptions(student_price=-1.0), "--student-price must be at least 0"),
        (EvalOptions(student_price=float("nan")), "--student-price must be at least 0"),
        (EvalOptions(baselines=("nothing",)), 'no baseline "nothing"'),
        (EvalOptions(latency_records=-1), "--latency-records must be at least 0"),
    ):
        with pytest.raises(UsageError, match=message):
            options.check(has_student=False)


def test_an_encoder_is_opened_before_any_record_is_read() -> None:
    with pytest.raises(SourceError, match="not a sentence encoder"):
        Evaluation(EvalOptions(baselines=("encoder:/nowhere",)))


def test_labels_are_those_that_the_student_learned_from(student: Any) -> None:
    student.metadata = {"task": "labels", "options": {"labels_from": "teacher"}}
    given = [{**one, "teacher": {"label": "account"}} for one in records()]
    run = evaluated(student, given, baselines=("majority",))
    baselines = run.summary()["baselines"]
    assert baselines["about"]["labels_from"] == "teacher"
    assert baselines["systems"]["majority"]["ece_width"]["value"] == pytest.approx(2 / 3)
