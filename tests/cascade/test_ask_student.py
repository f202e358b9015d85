"""A student's answers as those of a teacher, and the operating point that it needs."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from mitools.asking.answering import Answering
from mitools.asking.predict import OpenedStudent
from mitools.cascade.ask_student import Asking, AskingStudent, open_asking_student
from mitools.errors import StudentError
from mitools.evaluate.options import EvalOptions
from mitools.evaluate.run import Evaluation
from mitools.operating.confidence import Confidence
from mitools.operating.point import OperatingPoint
from tests.asking.two_readings import TwoReadings, closed
from tests.cascade.conftest import SURE, UNSURE, AddingStudent, SortingStudent, sums


def test_an_answer_has_the_fields_of_a_teacher(asking: AskingStudent) -> None:
    [asked, other] = asking.ask(sums(2))
    assert (asked.confidence, other.confidence) == (SURE, UNSURE)
    assert (asking.is_sure(asked), asking.is_sure(other)) == (True, False)
    [answered] = asking.answered([asked])
    assert answered.problem is None
    assert answered.record == {
        **sums(1)[0],
        "teacher": {
            "label": "17",
            "rationale": "10 + 7 = 17.",
            "agrees": True,
            "model": "adder@1",
            "by": "student",
            "student_confidence": SURE,
        },
    }
    assert asking.seconds > 0


def test_gold_is_compared_only_where_it_can_be_read(asking: AskingStudent) -> None:
    records = [{**sums(1)[0], "label": label} for label in ("18", "many", None)]
    found = [one.record["teacher"]["agrees"] for one in asking.answered(asking.ask(records))]
    assert found == [False, None, None]


def test_an_answer_that_is_not_a_possible_label_is_never_sure(adding: AddingStudent) -> None:
    opened = OpenedStudent(adding, "adder", None)
    student = AskingStudent(opened, Asking(threshold=0.0))
    [asked] = student.ask(sums(1, first=500))
    assert asked.confidence is None
    assert not student.is_sure(asked)


def test_a_threshold_is_compared_with_all_digits_of_a_confidence(adding: AddingStudent) -> None:
    """All answers of a student that is certain have the same scaled confidence."""
    opened = OpenedStudent(adding, "adder", None)
    loose = AskingStudent(opened, Asking(confidence=Confidence("scaled", 1.7), threshold=0.0))
    [asked] = loose.ask(sums(1))
    assert asked.confidence is not None
    assert asked.confidence != asked.written_confidence
    for threshold, is_sure in (
        (asked.confidence, True),
        (math.nextafter(asked.confidence, 1), False),
    ):
        asking = Asking(confidence=Confidence("scaled", 1.7), threshold=threshold)
        student = AskingStudent(opened, asking)
        [again] = student.ask(sums(1))
        assert student.is_sure(again) is is_sure
    [answered] = loose.answered([asked])
    assert answered.record["teacher"]["student_confidence"] == round(asked.confidence, 6)


def test_a_student_without_rationales_is_not_asked_for_them(adding: AddingStudent) -> None:
    adding.metadata["trained"] = ["label"]
    student = AskingStudent(OpenedStudent(adding, "adder", None), Asking(threshold=0.0))
    [answered] = student.answered(student.ask(sums(1)))
    assert answered.record["teacher"]["rationale"] is None
    assert [task for task, _ in adding.asked] == ["label"]


def test_a_confidence_that_reads_the_rationale_decodes_it_once(adding: AddingStudent) -> None:
    asking = Asking(threshold=0.0, rationales=True)
    student = AskingStudent(OpenedStudent(adding, "adder", None), asking)
    [answered] = student.answered(student.ask(sums(1)))
    assert answered.record["teacher"]["rationale"] == "10 + 7 = 17."
    assert [task for task, _ in adding.asked] == ["label", "rationale"]


@pytest.mark.parametrize(
    "fields", [{}, {"task": "text"}, {"choices": ["login", "other"]}, {"task": "labels"}]
)
def test_a_record_is_asked_as_in_eval_and_stays_as_it_came(fields: dict[str, Any]) -> None:
    record = {"id": "1", "input": "Please refund me.", **fields}
    opened = OpenedStudent(SortingStudent(), "sorter", None)
    [judged] = Evaluation(EvalOptions(simulator="none"), lambda: opened).run([record])
    [asked] = AskingStudent(opened, Asking()).ask([record])
    assert asked.written_confidence == judged["student"]["confidence"]
    assert (asked.answer["label"], asked.record) == (judged["student"]["label"], record)


def test_gold_is_compared_within_the_learned_labels() -> None:
    """Two labels that differ in case are compared exactly; as free text they are equal."""
    student = SortingStudent({"task": "labels", "labels": ["billing", "Billing"]})
    record = {"id": "1", "input": "Please refund me.", "label": "Billing"}
    asking = AskingStudent(OpenedStudent(student, "sorter", None), Asking(threshold=0.9))
    [answered] = asking.answered(asking.ask([record]))
    teacher = answered.record["teacher"]
    assert (teacher["label"], teacher["agrees"]) == ("billing", False)
    assert answered.record == {**record, "teacher": teacher}


def test_a_way_of_answering_that_the_student_lacks_is_refused(adding: AddingStudent) -> None:
    with pytest.raises(StudentError, match="gives no label after its rationale"):
        AskingStudent(OpenedStudent(adding, "a", None), Asking(Answering("conclude"), threshold=0))


def test_the_operating_point_says_how_to_ask(folder: Path) -> None:
    asking = open_asking_student(str(folder)).asking
    assert (asking.threshold, asking.answering.way, asking.confidence.kind) == (
        0.9,
        "predict",
        "label",
    )
    assert open_asking_student(str(folder), threshold=0.5).asking.threshold == 0.5


def test_without_an_operating_point_the_error_says_how_to_choose_one(folder: Path) -> None:
    (folder / "operating_point.json").unlink()
    with pytest.raises(StudentError, match="has no operating point") as caught:
        open_asking_student(str(folder))
    hint = f'"mitools eval --student {folder} --target-accuracy 0.95 RECORDS"'
    assert hint in str(caught.value)
    assert open_asking_student(str(folder), threshold=0.7).asking.threshold == 0.7
    assert open_asking_student(str(folder), needs_point=False).asking.threshold is None


def test_without_an_operating_point_a_student_answers_as_in_eval(
    folder: Path, adding: AddingStudent
) -> None:
    (folder / "operating_point.json").unlink()
    opened = [open_asking_student(str(folder), threshold=0.7)]
    adding.metadata |= {"concludes": True, "answer_weight": {"value": 0.6, "fitted_on": 80}}
    opened += [open_asking_student(str(folder), needs_point=False)]
    found = [(one.asking.answering.way, one.asking.answering.weight) for one in opened]
    assert found == [("predict", None), ("both", 0.6)]


def test_a_rationale_that_the_answer_was_read_behind_is_decoded_once() -> None:
    text = "They swim."
    student = TwoReadings({"fish": {"sea": 0.6}}, {text: {"sea": 0.9}}, {"fish": text})
    front = AskingStudent(
        OpenedStudent(student, "two", None), Asking(Answering("both", weight=0.5), threshold=0.0)
    )
    [answered] = front.answered(front.ask([closed("fish")]))
    assert answered.record["teacher"]["rationale"] == text
    assert student.asked.count(("explain", 1)) == 1


def test_the_label_that_a_rationale_names_is_given_with_that_rationale() -> None:
    text = "They live in the sea."
    student = TwoReadings({"fish": {"sea": 0.2, "tree": 0.6}}, {}, {"fish": text}, metadata={})
    asking = Asking(Answering("named"), threshold=0.6)
    front = AskingStudent(OpenedStudent(student, "one", None), asking)
    (asked,) = front.ask([closed("fish")])
    assert (asked.confidence, front.is_sure(asked)) == (pytest.approx(2 / 3, abs=1e-6), True)
    (answered,) = front.answered([asked])
    given = answered.record["teacher"]
    assert (given["label"], given["rationale"]) == ("sea", text)
    assert student.asked.count(("explain", 1)) == 1


def test_a_point_that_no_threshold_reached_is_an_error(folder: Path) -> None:
    OperatingPoint(target=0.9, risk=0.05, threshold=None).save(folder)
    with pytest.raises(StudentError, match=r"reached the target 0\.9: no answer is sure"):
        open_asking_student(str(folder))
    assert open_asking_student(str(folder), threshold=0.7).asking.threshold == 0.7


def test_a_point_of_other_weights_is_an_error(folder: Path) -> None:
    OperatingPoint(target=0.9, risk=0.05, threshold=0.9, student="d2").save(folder)
    with pytest.raises(StudentError, match="belongs to another student"):
        open_asking_student(str(folder))


def test_a_trained_folder_answers_choices(tmp_path: Path, tiny_seq2seq: Path) -> None:
    from mitools.asking.identity import hash_student
    from mitools.student import save_student
    from mitools.student.base.open_base import open_checkpoint
    from mitools.student.codec import Codec

    folder = tmp_path / "tiny"
    base = open_checkpoint(str(tiny_seq2seq), "tiny")
    codec = Codec(base.tokenizer, base.kind, 64, 12, 20)
    save_student(folder, base.model, codec, {"task": "choice"})
    digest = hash_student(folder)
    OperatingPoint(target=0.5, risk=0.1, threshold=0.1, student=digest).save(folder)
    student = open_asking_student(str(folder))
    record = {"id": "a", "input": "How many?", "choices": ["one", "two"], "task": "choice"}
    [asked] = student.ask([record])
    assert student.is_sure(asked)
    [answered] = student.answered([asked])
    teacher = answered.record["teacher"]
    assert teacher["label"] in record["choices"]
    assert teacher["model"] == f"tiny@{digest[:12]}"
    assert 0.5 <= teacher["student_confidence"] <= 1
