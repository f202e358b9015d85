"""What is found in a record: who says what, who is right, what is odd."""

from __future__ import annotations

from typing import Any

import pytest

from mitools.errors import InvalidFieldError
from mitools.explain.build_view import view_of
from mitools.explain.view import ChoiceBar, StepView, SupportedAnswer, Thresholds, WayAnswer


def equation(**fields: Any) -> dict[str, Any]:
    return {"id": "e", "input": "12 apples and 7 more?", "task": "equation", **fields}


def choice(**fields: Any) -> dict[str, Any]:
    return {
        "id": "c",
        "input": "Where do fish live?",
        "task": "choice",
        "choices": ["tree", "sea", "car"],
        "label": "sea",
        **fields,
    }


def names(record: dict[str, Any], **options: Any) -> list[str]:
    return [flag.name for flag in view_of(record, **options).flags]


def test_only_the_sides_that_a_record_holds_are_there() -> None:
    assert view_of({"id": "x", "input": "?"}).sides == ()
    both = view_of(choice(student={"label": "sea"}))
    assert [side.who for side in both.sides] == ["gold", "student"]
    assert both.teacher is None
    everything = view_of(choice(teacher={"label": "sea"}, student={"label": "sea"}))
    assert [side.who for side in everything.sides] == ["gold", "teacher", "student"]
    nobody = view_of(choice(teacher=None, student=None, label=None))
    assert nobody.sides == ()


def test_a_human_rationale_is_golds() -> None:
    view = view_of(choice(rationale="Fish swim."))
    assert view.gold is not None
    assert view.gold.rationale == "Fish swim."


def test_labels_are_compared_as_the_task_does() -> None:
    record = equation(label="( 12.0 + 7.0 )", student={"label": "19"}, teacher={"label": "12 - 7"})
    view = view_of(record)
    assert view.is_right is True
    assert view.teacher is not None
    assert view.teacher.is_right is False
    assert view_of(record, task="text").is_right is False


def test_another_task_keeps_what_eval_wrote_about_the_operating_point() -> None:
    scores = {"correct": True, "valid": True, "sure": True, "role": "calibration"}
    record = equation(label="19", student={"label": "12 + 7"}, scores=scores)
    view = view_of(record, task="text")
    assert view.is_right is False
    assert view.is_sure is True
    assert "set_apart" in names(record, task="text")


def test_answers_in_each_way_are_judged_as_the_task_does() -> None:
    answers = {
        "both": {"label": "12 + 7", "confidence": 0.7},
        "predict": {"label": "12 - 7", "confidence": 0.6},
    }
    student = {"label": "12 + 7", "answered_by": "both", "answers": answers}
    side = view_of(equation(label="19", student=student)).student
    assert side is not None
    assert side.ways == (
        WayAnswer("predict", "12 - 7", 0.6, is_right=False),
        WayAnswer("both", "12 + 7", 0.7, is_right=True, is_chosen=True),
    )
    unknown = view_of(equation(student=student)).student
    assert unknown is not None
    assert {answer.is_right for answer in unknown.ways} == {None}
    answers["both"]["confidence"] = 7
    with pytest.raises(InvalidFieldError, match="must be between 0 and 1, not 7"):
        view_of(equation(label="19", student=student))


def test_without_gold_nobody_is_right_or_wrong() -> None:
    view = view_of(equation(student={"label": "19"}, teacher={"label": "19"}))
    assert view.is_right is None
    assert view.teacher is not None
    assert view.teacher.is_right is None
    assert "wrong" not in names(equation(student={"label": "19"}))


def test_the_verdicts_of_eval_are_taken_as_they_are() -> None:
    scores = {"correct": True, "valid": True, "supported": "car", "consistent": False}
    record = choice(student={"label": "tree", "rationale": "It is the tree."}, scores=scores)
    view = view_of(record)
    assert (view.is_right, view.is_consistent) == (True, False)
    assert view.student is not None
    assert view.student.support == SupportedAnswer("car")


def test_the_verdicts_of_eval_do_not_outlive_another_task() -> None:
    scores = {"correct": False, "valid": True, "supported": None, "consistent": None}
    record = {
        "id": "x",
        "input": "?",
        "label": "19",
        "scores": scores,
        "student": {"label": "19.0"},
    }
    assert view_of(record).is_right is False
    assert view_of(record, task="equation").is_right is True


def test_a_verdict_that_is_missing_is_worked_out() -> None:
    record = choice(student={"label": "tree", "rationale": "Fish swim in the sea."})
    assert view_of({**record, "scores": {"mine": 1}}).is_consistent is False
    assert view_of({**record, "scores": {"correct": True}}).is_right is True


@pytest.mark.parametrize(
    ("rationale", "label", "support", "is_consistent"),
    [
        (
            "Fish swim in the sea.",
            "sea",
            SupportedAnswer("sea", ("gold", "teacher", "student"), (17, 20)),
            True,
        ),
        (
            "Fish swim in the sea.",
            "tree",
            SupportedAnswer("sea", ("gold", "teacher"), (17, 20)),
            False,
        ),
        ("Fish drive by car.", "tree", SupportedAnswer("car", (), (14, 17)), False),
        ("Fish are animals.", "tree", SupportedAnswer(None), None),
        ("", "tree", None, None),
    ],
)
def test_which_answer_a_rationale_supports(
    rationale: str, label: str, support: SupportedAnswer | None, is_consistent: bool | None
) -> None:
    record = choice(teacher={"label": "sea"}, student={"label": label, "rationale": rationale})
    view = view_of(record)
    assert view.student is not None
    assert view.student.support == support
    assert view.is_consistent is is_consistent


def test_stated_steps_are_checked() -> None:
    rationale = "12 + 7 = 18. 1 / 4 = 0.3. 10 / 3 = 4. 6 * 2 = 12."
    view = view_of(equation(teacher={"label": "19", "rationale": rationale}))
    assert view.teacher is not None
    assert view.teacher.steps == (
        StepView("12 + 7 = 18", False, "19"),
        StepView("1 / 4 = 0.3", True, "0.25"),
        StepView("10 / 3 = 4", False, "≈ 3.333"),
        StepView("6 * 2 = 12", True, "12"),
    )


def test_bars_follow_the_records_choices_and_say_whose_they_are() -> None:
    chances = {"car": 0.1, "sea": 0.3, "tree": 0.6}
    record = choice(
        choices=["tree", "sea", "sea", "car"],
        teacher={"label": "sea"},
        student={"label": "tree", "choices": chances},
    )
    view = view_of(record)
    assert view.student is not None
    assert view.student.bars == (
        ChoiceBar("tree", 0.6, ("student",)),
        ChoiceBar("sea", 0.3, ("gold", "teacher")),
        ChoiceBar("car", 0.1),
    )


def test_flags_tell_what_is_odd() -> None:
    student = {"label": "boat", "rationale": "In the sea 1 + 1 = 3.", "confidence": 0.4}
    record = choice(teacher={"label": "tree"}, student=student)
    assert names(record) == [
        "wrong",
        "invalid",
        "inconsistent",
        "wrong_step",
        "low_confidence",
        "disagrees",
        "teacher_wrong",
    ]
    assert names(choice(student={"label": "sea", "rationale": " "})) == ["no_rationale"]
    assert names(choice(student={"label": "sea", "confidence": 0.99})) == []


@pytest.mark.parametrize("name", ["label_truncated", "rationale_truncated"])
def test_what_ran_into_the_length_limit_is_flagged(name: str) -> None:
    fine = {"label": "sea", "rationale": "Fish swim in the sea."}
    assert names(choice(student={**fine, name: True})) == ["cut_off"]
    assert names(choice(student={**fine, name: False})) == []


def test_a_record_that_chose_the_threshold_is_flagged() -> None:
    fine = {"label": "sea", "rationale": "Fish swim in the sea."}
    assert names(choice(student=fine, scores={"role": "calibration"})) == ["set_apart"]


def test_an_input_that_was_not_read_to_its_end_is_flagged() -> None:
    fine = {"label": "sea", "rationale": "Fish swim in the sea."}
    assert names(choice(student={**fine, "input_truncated": True})) == ["input_cut"]
    assert names(choice(student={**fine, "input_truncated": False})) == []


def test_decoding_another_answer_is_flagged_and_shown() -> None:
    student = {"label": "sea", "decoded": "car", "in_set_mass": 0.25}
    record = choice(student=student, scores={"decode_agrees": False})
    view = view_of(record)
    assert names(record) == ["decodes_otherwise"]
    assert view.student is not None
    assert (view.student.decoded, view.student.in_set_mass) == ("car", 0.25)
    agreeing = choice(student={**student, "decoded": "Sea"}, scores={"decode_agrees": True})
    assert names(agreeing) == []
    unscored = view_of(choice(student=student)).student
    assert unscored is not None
    assert unscored.decoded == "car"


def test_a_student_that_was_not_asked_to_explain_lacks_nothing() -> None:
    view = view_of(choice(student={"label": "sea", "trained": ["label"]}))
    assert view.student is not None
    assert (view.student.supports, view.student.support, view.flags) == (None, None, ())
    empty = view_of(choice(student={"label": "sea", "rationale": ""})).student
    assert empty is not None
    assert empty.supports == "none"


def test_a_record_without_a_fault_has_no_flag() -> None:
    fine = {"label": "sea", "rationale": "Fish swim in the sea."}
    assert names(choice(teacher=fine, student={**fine, "confidence": 0.6})) == []


def test_thresholds_decide_what_is_low_and_what_is_high() -> None:
    record = choice(student={"label": "car", "rationale": "By car.", "confidence": 0.7})
    assert names(record) == ["wrong"]
    assert names(record, thresholds=Thresholds(low=0.8)) == ["wrong", "low_confidence"]
    assert names(record, thresholds=Thresholds(high=0.7)) == ["confidently_wrong"]


def test_a_teacher_that_gave_no_answer_is_not_wrong() -> None:
    teacher = {"label": None, "error": {"kind": "timeout", "message": "60 s"}}
    view = view_of(choice(teacher=teacher))
    assert view.teacher is not None
    assert (view.teacher.is_right, view.teacher.error) == (None, "timeout: 60 s")
    assert [flag.name for flag in view.flags] == ["no_teacher_answer"]


def test_a_student_that_answered_in_the_teachers_place_is_named() -> None:
    view = view_of(choice(teacher={"label": "sea", "agrees": None, "by": "student"}))
    assert "student_answered" in [flag.name for flag in view.flags]
    view = view_of(choice(teacher={"label": "sea", "agrees": None, "by": "teacher"}))
    assert "student_answered" not in [flag.name for flag in view.flags]


def test_the_records_own_verdict_on_the_teacher_wins() -> None:
    view = view_of(choice(teacher={"label": "sea", "agrees": False}))
    assert view.teacher is not None
    assert view.teacher.is_right is False


def test_the_words_that_decide_have_their_place_unless_a_verdict_differs() -> None:
    student = {"label": "7", "rationale": "She buys 3 + 4 eggs."}
    record = {"id": "a", "input": "?", "label": "7", "task": "equation", "student": student}
    support = view_of(record).student.support  # type: ignore[union-attr]
    assert support is not None
    assert support.place == (9, 14)
    scores = {"correct": True, "valid": True, "supported": "8", "consistent": False}
    other = view_of({**record, "scores": scores}).student.support  # type: ignore[union-attr]
    assert other is not None
    assert (other.label, other.place) == ("8", None)


def test_each_way_is_compared_with_the_rationale() -> None:
    answers = {"predict": {"label": "7"}, "conclude": {"label": "8"}}
    student = {"label": "7", "rationale": "She buys 3 + 4 eggs.", "answers": answers}
    record = {"id": "a", "input": "?", "label": "7", "task": "equation", "student": student}
    found = view_of(record).student
    assert found is not None
    assert [way.is_consistent for way in found.ways] == [True, False]
    silent = view_of({**record, "student": {**student, "rationale": "Hm."}}).student
    assert silent is not None
    assert [way.is_consistent for way in silent.ways] == [None, None]


def test_a_teachers_answer_of_a_log_says_where_it_was_read() -> None:
    def origin(**teacher: str) -> str:
        view = view_of(choice(teacher={"label": "sea", **teacher}))
        assert view.teacher is not None
        return view.teacher.origin

    assert origin(model="m", source="log.jsonl:3") == "m, log.jsonl:3"
    assert origin(source="log.jsonl:3") == "log.jsonl:3"
    assert origin(model="m") == ""


def test_the_probabilities_of_the_teacher_are_shown_as_those_of_the_student() -> None:
    chances = {"tree": 0.25, "sea": 0.75, "car": 0.0}
    view = view_of(choice(teacher={"label": "sea", "confidence": 0.75, "choices": chances}))
    assert view.teacher is not None
    assert view.teacher.confidence == 0.75
    assert {bar.choice: bar.probability for bar in view.teacher.bars} == chances
    with pytest.raises(InvalidFieldError, match=r'"teacher\.confidence" must be between 0 and 1'):
        view_of(choice(teacher={"label": "sea", "confidence": 1.5}))
