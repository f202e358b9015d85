from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mitools.asking.predict import OpenedStudent
from mitools.errors import EmptyInputError
from mitools.evaluate.options import EvalOptions, JudgeOptions
from mitools.evaluate.run import Evaluation
from mitools.operating.point import OperatingPoint
from mitools.records import Record
from mitools.schema import validate
from tests.evaluate.examples import choice, equation
from tests.evaluate.probes.subjects import Talker

pytestmark = pytest.mark.usefixtures("few_resamples")


def opener(student: Any) -> Callable[[], OpenedStudent]:
    return lambda: OpenedStudent(student, "fake@0", "0")


@pytest.mark.parametrize("chunk", [1, 2, 3, 100])
def test_the_size_of_the_chunks_changes_nothing(student: Any, chunk: int) -> None:
    student.labels, student.favourite = {"q1": "2"}, {"q2": "b"}
    records = [equation(1), choice(2, "a", "b"), equation(3), choice(4, "c", "d"), equation(5)]
    found = list(Evaluation(EvalOptions(batch_size=chunk), opener(student)).run(iter(records)))
    assert found == list(Evaluation(EvalOptions(), opener(student)).run(iter(records)))


def test_records_leave_valid_with_answer_verdict_and_the_students_name(student: Any) -> None:
    student.labels = {"q1": "2"}
    (found,) = Evaluation(EvalOptions(), opener(student)).run([equation(1, mine=[1])])
    validate(found)
    assert found["student"]["model"] == "fake@0"
    assert found["scores"]["correct"] is True
    assert found["mine"] == [1]


def test_the_student_is_opened_when_the_first_record_has_arrived(student: Any) -> None:
    events: list[str] = []

    def records() -> Iterator[Record]:
        events.append("record")
        yield equation(1)

    def open_student() -> OpenedStudent:
        events.append("opened")
        return OpenedStudent(student, "fake@0", "0")

    list(Evaluation(EvalOptions(), open_student).run(records()))
    assert events == ["record", "opened"]


def test_the_student_is_opened_once(student: Any) -> None:
    opened: list[OpenedStudent] = []

    def open_student() -> OpenedStudent:
        opened.append(OpenedStudent(student, "fake@0", "0"))
        return opened[-1]

    list(Evaluation(EvalOptions(batch_size=1), open_student).run([equation(1), equation(2)]))
    assert len(opened) == 1


def test_records_leave_before_the_next_chunk_is_read(student: Any) -> None:
    read = itertools.count()
    endless = (equation(next(read)) for _ in itertools.repeat(None))
    running = Evaluation(EvalOptions(batch_size=2), opener(student)).run(endless)
    assert [record["id"] for record in itertools.islice(running, 2)] == ["0", "1"]
    assert next(read) == 2


def test_progress_counts_each_record_once_answered_or_judged(student: Any) -> None:
    student.labels = {"q1": "2"}
    given = [equation(1), equation(2), equation(3)]
    answered: list[int] = []
    running = Evaluation(EvalOptions(batch_size=2), opener(student))
    found = list(running.run(iter(given), advance=answered.append))
    judged: list[int] = []
    list(Evaluation(EvalOptions()).run(iter(found), advance=judged.append))
    assert (answered, judged) == ([2, 1], [1, 1, 1])


def parts() -> list[Record]:
    names = ["train", "train", "valid", "test", None]
    return [equation(index, split=name) for index, name in enumerate(names)]


@pytest.mark.parametrize(
    ("part", "ids"),
    [(None, "34"), ("test", "3"), ("train", "01"), ("valid", "2"), ("all", "01234")],
)
def test_only_the_wanted_part_is_evaluated(student: Any, part: str | None, ids: str) -> None:
    found = Evaluation(EvalOptions(split=part), opener(student)).run(parts())
    assert "".join(record["id"] for record in found) == ids


def test_valid_records_are_answered_for_a_temperature_and_enter_no_other_figure(
    student: Any,
) -> None:
    student.labels = {"q2": "3", "q3": "0", "q4": "5"}
    evaluation = Evaluation(EvalOptions(temperature=True, batch_size=2), opener(student))
    found = list(evaluation.run(parts()))
    assert [record["id"] for record in found] == list("234")
    assert "rationale" not in found[0]["student"]
    assert found[1]["student"]["rationale"] == ""
    assert evaluation.tally.records == 2
    assert evaluation.tally.summary(0)["label"]["accuracy"].value == 0.5


def test_a_temperature_is_fitted_again_alike_without_a_model(student: Any) -> None:
    student.labels = {f"q{n}": str(n + 1) for n in range(40) if n % 5}
    records = [equation(n, split=("valid", "test")[n % 4 > 1]) for n in range(40)]
    asked = Evaluation(EvalOptions(temperature=True), opener(student))
    once = list(asked.run(records))
    again = Evaluation(EvalOptions(temperature=True))
    assert list(again.run(once)) == once
    assert asked.tally.summary(0)["temperature"]["temperature"].n == 20
    assert again.tally.summary(0) == asked.tally.summary(0)


def test_training_records_that_pass_by_teach_what_rationales_support(student: Any) -> None:
    student.labels = {f"q{n}": str(n + 1) for n in range(60)}
    said = {"label": "3", "rationale": "no sum here, only 3"}
    records = [equation(n, split="train", teacher=said) for n in range(55)] + [equation(55)]
    evaluation = Evaluation(EvalOptions(simulator="local"), opener(student))
    assert [record["id"] for record in evaluation.run(records)] == ["55"]
    found = evaluation.tally.summary(0)["consistency"]["with_simulator"]
    assert found.reason == "no rationale supports an answer"
    unasked = Evaluation(EvalOptions(simulator="none"), opener(student))
    list(unasked.run(records))
    assert unasked.tally.summary(0)["consistency"]["with_simulator"].status == "skipped"


def test_a_part_that_is_empty_is_an_error_that_says_what_there_is(student: Any) -> None:
    with pytest.raises(EmptyInputError) as caught:
        list(Evaluation(EvalOptions(), opener(student)).run(parts()[:3]))
    assert str(caught.value) == (
        'no record is in the split "test" (train: 2, valid: 1); '
        'choose one that is there: "--split train"'
    )


def test_a_part_of_records_without_any_split_is_an_error(student: Any) -> None:
    with pytest.raises(EmptyInputError, match='so none is in "valid"; run "mitools split" first'):
        list(Evaluation(EvalOptions(split="valid"), opener(student)).run([equation(1)]))


def test_gold_that_is_not_an_answer_counts_neither_right_nor_wrong(student: Any) -> None:
    solution = {**equation(1), "label": "7 + 1 = 8\n#### 8"}
    evaluation = Evaluation(EvalOptions(), opener(student))
    (judged, other) = evaluation.run([solution, equation(2)])
    assert judged["scores"]["correct"] is None
    assert judged["scores"]["exact"] is None
    assert other["scores"]["correct"] is not None


def test_records_that_hold_answers_are_scored_again_alike(student: Any) -> None:
    student.labels = {"q1": "2", "q2": "3 + 0"}
    student.rationales = {"q1": "1 + 1 = 2"}
    asked = Evaluation(EvalOptions(), opener(student))
    once = list(asked.run([equation(1), equation(2), equation(3)]))
    again = Evaluation(EvalOptions())
    assert list(again.run(once)) == once
    assert again.tally.summary(0) == asked.tally.summary(0)


def test_a_task_given_by_hand_overrides_the_records(student: Any) -> None:
    student.labels = {"q1": "1 + 1.0"}
    (by_value,) = Evaluation(EvalOptions(), opener(student)).run([equation(1)])
    (by_text,) = Evaluation(EvalOptions(task="text"), opener(student)).run([equation(1)])
    assert (by_value["scores"]["correct"], by_text["scores"]["correct"]) == (True, False)


def test_the_same_records_are_probed_whatever_their_order() -> None:
    records = [{**equation(n), "input": f"Where are the {n} pears?"} for n in range(20)]
    found = []
    for order in (records, records[::-1]):
        student = Talker(lambda text: "4" if "7" in text else "5")
        settings = EvalOptions(probes=("cue", "counterfactual"), probe_records=6)
        evaluation = Evaluation(settings, opener(student))
        list(evaluation.run(order))
        counts: list[int] = []
        found.append(evaluation.probe(lambda _student: None, counts.append))
        assert sum(counts) > 6
    assert found[0] == found[1]
    assert list(found[0]) == ["counterfactual", "cue"]
    assert found[0]["counterfactual"]["flip_coverage"].n == 6


def test_no_more_records_are_probed_than_allowed_where_a_judge_is_shown_more() -> None:
    judge = JudgeOptions("judge-1", records=9)
    options = EvalOptions(probes=("cue",), probe_records=3, judge=judge)
    evaluation = Evaluation(options, opener(Talker(lambda _text: "5")))
    list(evaluation.run([{**equation(n), "input": f"Add {n} to 2."} for n in range(12)]))
    found = evaluation.probe(lambda _student: None, lambda _count: None)
    assert found["cue"]["followed"].n == 3


def test_nothing_is_probed_that_was_not_asked_for(student: Any) -> None:
    evaluation = Evaluation(EvalOptions(), opener(student))
    list(evaluation.run([equation(1)]))
    assert evaluation.probe(lambda _student: None, lambda _count: None) == {}
    assert evaluation.sample.items() == []


def judged_before(number: int, split: str, *, right: bool, confidence: float) -> Record:
    gold = f"{number} + 1"
    student = {"label": gold if right else "0", "confidence": confidence, "rationale": "So."}
    return equation(number, split=split, student=student)


def operated(**options: Any) -> tuple[Evaluation, list[Record]]:
    """Evaluate sure answers that are right and unsure ones that are wrong; valid ones are last."""
    records = [
        judged_before(n, split, right=n % 2 == 0, confidence=0.9 if n % 2 == 0 else 0.4)
        for split, start in (("test", 0), ("valid", 200))
        for n in range(start, start + 100)
    ]
    evaluation = Evaluation(EvalOptions(target_accuracy=0.9, risk=0.1, **options))
    return evaluation, list(evaluation.run(records))


def test_an_operating_point_is_chosen_on_valid_and_marks_every_record() -> None:
    evaluation, found = operated()
    point = evaluation.operating_point
    assert point is not None
    assert (point.threshold, point.records, point.right) == (0.9, 100, 50)
    assert [one["id"] for one in found] == [str(n) for n in [*range(100), *range(200, 300)]]
    assert all(one["scores"]["sure"] is (one["student"]["confidence"] == 0.9) for one in found)
    validate(found[0])
    summary = evaluation.summary()
    assert summary["records"] == 100
    assert summary["operating"]["coverage"]["value"] == 0.5
    assert summary["operating"]["accuracy"]["value"] == 1
    assert summary["operating"]["threshold"]["value"] == 0.9


def test_half_of_the_test_records_can_choose_and_are_not_evaluated() -> None:
    evaluation, found = operated(calibrate_on="test")
    point = evaluation.operating_point
    assert point is not None
    assert {one["split"] for one in found} == {"test"}  # nothing is fitted on valid ones
    assert evaluation.tally.records + point.records == 100
    assert 30 < point.records < 70


def test_the_records_that_chose_a_threshold_are_marked_and_stay_left_out() -> None:
    first, found = operated(calibrate_on="test", confidence="combined")
    chose = [one for one in found if one["scores"].get("role") == "calibration"]
    assert first.operating_point is not None
    assert len(chose) == first.operating_point.records
    assert {one["scores"]["role"] for one in found if one["split"] == "valid"} == {"fitting"}
    validate(chose[0])
    told: list[str] = []
    again = Evaluation(EvalOptions(outcomes=True), warn=told.append)
    marked = list(again.run(found))
    assert again.tally.records == first.tally.records == len(again.outcomes.by_record)
    assert marked == [one for one in found if one["split"] == "test"]
    assert [text for text in told if text.startswith(f"{len(chose)} records chose the threshold")]


def test_a_new_threshold_or_a_new_answer_ends_the_role_of_a_record(student: Any) -> None:
    _, found = operated(calibrate_on="test")
    tests = [one for one in found if one["split"] == "test"]
    for options in ({"target_accuracy": 0.9, "risk": 0.1}, {}):
        opened = None if options else opener(student)
        evaluation = Evaluation(EvalOptions(**options), opened)  # type: ignore[arg-type]
        again = list(evaluation.run(tests))
        assert evaluation.tally.records == 100
        assert not any("role" in one["scores"] for one in again)


def test_validation_records_count_where_they_are_asked_for() -> None:
    _, found = operated()
    evaluation = Evaluation(EvalOptions(split="valid"))
    list(evaluation.run(found))
    assert evaluation.tally.records == 100


def test_judged_records_give_their_figures_again_without_the_threshold() -> None:
    first, found = operated()
    again = Evaluation(EvalOptions())
    marked = list(again.run(found))
    assert [one["scores"]["sure"] for one in marked] == [
        one["scores"]["sure"] for one in found[:100]
    ]
    blocks = [one.summary()["operating"] for one in (first, again)]
    for name in ("coverage", "accuracy", "accuracy_below", "agreement"):
        assert blocks[0][name] == blocks[1][name]
    assert blocks[1]["threshold"]["status"] == "not_applicable"


def test_a_new_answer_loses_the_mark_of_the_old_one(student: Any) -> None:
    record = equation(1, student={"label": "2"}, scores={"sure": True, "mine": 1})
    (found,) = Evaluation(EvalOptions(), opener(student)).run([record])
    assert "sure" not in found["scores"]
    assert found["scores"]["mine"] == 1


def test_the_saved_operating_point_of_a_student_is_used(student: Any, tmp_path: Path) -> None:
    OperatingPoint(target=0.9, risk=0.1, threshold=0.5, student="0").save(tmp_path)
    student.labels, student.log_prob = {"q1": "2"}, -0.1
    opened = OpenedStudent(student, "fake@0", "0", tmp_path)
    evaluation = Evaluation(EvalOptions(), lambda: opened)
    (found,) = evaluation.run([equation(1)])
    assert found["scores"]["sure"] is True
    assert evaluation.summary()["operating"]["coverage"]["value"] == 1


def test_valid_records_are_explained_only_where_the_confidence_reads_rationales(
    student: Any,
) -> None:
    for confidence, expected in (("label", 1), ("agreement", 2)):
        student.asked.clear()
        options = EvalOptions(target_accuracy=0.9, confidence=confidence)  # type: ignore[arg-type]
        records = [equation(1, split="valid"), equation(2, split="test")]
        list(Evaluation(options, opener(student)).run(records))
        asked = [text for what, texts in student.asked if what == "rationales" for text in texts]
        assert len(asked) == expected


def test_inputs_that_the_student_cut_are_told_and_counted(student: Any) -> None:
    student.are_cut = lambda inputs: [text == "q2" for text in inputs]
    told: list[str] = []
    run = Evaluation(EvalOptions(), opener(student), told.append)
    found = list(run.run([equation(1), equation(2), equation(3)]))
    assert [one["student"]["input_truncated"] for one in found] == [False, True, False]
    (warning,) = (text for text in told if "--max-input-tokens" in text)
    assert warning.startswith("1 of 3 inputs")
    figure = run.figures()["label"]["input_truncated"]
    assert (figure.value, figure.n) == (1 / 3, 3)


def test_a_student_that_does_not_tell_whether_it_cuts_has_no_such_figure(student: Any) -> None:
    told: list[str] = []
    run = Evaluation(EvalOptions(), opener(student), told.append)
    (found,) = run.run([equation(1)])
    assert "input_truncated" not in found["student"]
    assert run.figures()["label"]["input_truncated"].status == "skipped"
    assert not any("--max-input-tokens" in text for text in told)
