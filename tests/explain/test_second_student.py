"""A second student's answers: how they are found, and what is counted."""

from __future__ import annotations

import math
from collections import Counter
from typing import Any

import pytest

from mitools.errors import DataError, MissingFieldError
from mitools.explain.build_view import view_of
from mitools.explain.options import ExplainOptions
from mitools.explain.run import ExplanationRun
from mitools.explain.second_student import LabelChanges, SecondStudent
from mitools.explain.view import other_key

CHOICES = ["sea", "tree", "car"]


def record(name: str, label: str | None, gold: str | None = "sea", **more: Any) -> dict[str, Any]:
    student = {"label": label, "rationale": f"In the {label}.", "confidence": 0.5}
    return {
        "id": name,
        "input": f"Where does {name} live?",
        "label": gold,
        "choices": CHOICES,
        "student": student,
        **more,
    }


FIRST = [
    record("fixed", "tree"),
    record("broken", "sea"),
    record("right", "sea"),
    record("wrong", "tree"),
    record("same", "tree"),
    record("alone", "sea"),
    record("open", "sea", None),
]
SECOND = [
    record("open", "tree", None),
    record("same", " Tree "),
    record("wrong", "car"),
    record("right", "sea"),
    record("broken", "car"),
    record("fixed", "sea"),
    record("other", "sea"),
]


def views(first: list[dict[str, Any]], second: list[dict[str, Any]]) -> dict[str, Any]:
    explanation = ExplanationRun(ExplainOptions(), others=[SecondStudent(second, "b.jsonl")])
    return {item.view.id: item.view for item in explanation.run(first)}


def test_the_order_of_the_second_file_does_not_matter() -> None:
    found = views(FIRST, SECOND)
    assert list(found) == ["fixed", "broken", "right", "wrong", "same", "open"]
    assert {name: view.second.label for name, view in found.items()} == {
        "fixed": "sea",
        "broken": "car",
        "right": "sea",
        "wrong": "car",
        "same": " Tree ",
        "open": "tree",
    }


def test_what_changed_is_told_by_the_verdicts_on_both() -> None:
    found = views(FIRST, SECOND)
    assert {name: (view.change, view.is_changed) for name, view in found.items()} == {
        "fixed": ("fixed", True),
        "broken": ("broken", True),
        "right": ("both_right", False),
        "wrong": ("both_wrong", True),
        "same": ("both_wrong", False),
        "open": (None, True),
    }


def test_changed_compares_labels_as_the_task_does_and_takes_silence_for_an_answer() -> None:
    first = record("x", "12 + 7", "19", task="equation")
    assert view_of(first, others=[record("x", "19", "19", task="equation")]).is_changed is False
    assert view_of(first, others=[record("x", None, "19", task="equation")]).is_changed is True
    silent = record("x", None, "19", task="equation")
    assert view_of(silent, others=[silent]).is_changed is False


def test_what_is_missing_on_either_side_is_counted() -> None:
    versus = SecondStudent(SECOND, "b.jsonl")
    explanation = ExplanationRun(ExplainOptions(), others=[versus])
    assert versus.unmet == 7
    list(explanation.run(FIRST))
    assert (explanation.counts.read, explanation.counts.unanswered) == (7, 1)
    assert (versus.read, versus.unmet, versus.silent, versus.repeated) == (7, 1, 0, 0)


def test_of_several_answers_under_one_id_the_first_counts() -> None:
    twice = [record("a", "sea"), record("a", "tree"), {"id": "b", "input": "?"}]
    versus = SecondStudent(twice, "b.jsonl")
    assert (versus.read, versus.repeated, versus.silent) == (3, 1, 1)
    answer = versus.answer_to(record("a", "car"))
    assert answer is not None
    assert answer["student"]["label"] == "sea"
    assert versus.answer_to({"id": "b", "input": "?"}) is None


def test_a_file_without_any_answer_is_an_error() -> None:
    with pytest.raises(DataError, match="no record has a student's answer"):
        SecondStudent([{"id": "a", "input": "?"}], "b.jsonl")


def test_written_verdicts_hold_where_both_sides_ask_the_same() -> None:
    judged = {"correct": True, "valid": True, "supported": "car", "consistent": False}
    versus = SecondStudent([record("a", "tree", scores=judged)], "b.jsonl")
    same = versus.answer_to(record("a", "sea"))
    assert same is not None
    assert same["scores"] == judged
    assert versus.differing == 0


@pytest.mark.parametrize(
    "change", [{"input": "?"}, {"label": "tree"}, {"choices": ["sea"]}, {"task": "text"}]
)
def test_another_question_is_counted_and_judged_afresh(change: dict[str, Any]) -> None:
    judged = {"correct": True, "valid": True, "supported": "car", "consistent": False}
    versus = SecondStudent([{**record("a", "car", scores=judged), **change}], "b.jsonl")
    first = record("a", "sea")
    answer = versus.answer_to(first)
    assert answer is not None
    assert (answer["scores"], versus.differing) == ({}, 1)
    assert (answer["label"], answer["choices"]) == ("sea", CHOICES)
    assert view_of(first, others=[answer]).change == "broken"
    versus.answer_to(first)
    assert versus.differing == 1


def test_another_task_judges_both_students() -> None:
    first, second = record("a", "19.0", "19"), record("a", "19", "19")
    assert view_of(first, others=[second], task="text").change == "fixed"
    assert view_of(first, others=[second], task="equation").change == "both_right"


def test_who_says_a_choice_names_the_second_as_well() -> None:
    chances = {"sea": 0.5, "tree": 0.3, "car": 0.2}
    first = record("a", "tree", student={"label": "tree", "choices": chances})
    view = view_of(first, others=[record("a", "car")])
    assert view.student is not None
    assert {bar.choice: bar.of for bar in view.student.bars} == {
        "sea": ("gold",),
        "tree": ("student",),
        "car": ("second",),
    }
    assert view.second is not None
    assert view.second.supports == "student"
    assert view.second.support is not None
    assert view.second.support.of == ("second",)


def test_the_comparison_counts_each_of_the_four_and_nothing_unknown() -> None:
    explanation = ExplanationRun(ExplainOptions(), others=[SecondStudent(SECOND, "b.jsonl")])
    list(explanation.run(FIRST))
    assert explanation.comparisons["second"].as_text() == (
        "fixed 1, broken 1, both right 1, both wrong 2; exact McNemar p = 1.000 "
        "(too few discordant pairs for p < 0.05)"
    )


def compared(**counts: int) -> LabelChanges:
    return LabelChanges(Counter(counts))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fixed", "broken", "p"),
    [(0, 0, 1.0), (5, 0, 0.0625), (6, 0, 0.03125), (3, 9, 0.14599609375), (40, 12, 0.000127)],
)
def test_fixed_against_broken_is_tested_exactly(fixed: int, broken: int, p: float) -> None:
    n = fixed + broken
    tail = sum(math.comb(n, k) for k in range(min(fixed, broken) + 1)) / 2**n
    assert min(1.0, 2 * tail) == pytest.approx(p, rel=0.01)
    found = compared(fixed=fixed, broken=broken, both_right=50)
    assert found.p_value == pytest.approx(min(1.0, 2 * tail))


def test_what_both_have_right_or_wrong_changes_no_p_value() -> None:
    assert compared(fixed=9, broken=2).p_value == pytest.approx(
        compared(fixed=9, broken=2, both_right=900, both_wrong=7).p_value
    )


def test_too_few_changes_are_said_to_be_too_few() -> None:
    assert (
        compared(fixed=5)
        .as_text()
        .endswith("exact McNemar p = 0.062 (too few discordant pairs for p < 0.05)")
    )
    assert compared(fixed=60).as_text().endswith("both wrong 0; exact McNemar p < 0.001")
    untested = compared(fixed=60).as_text(is_tested=False)
    assert untested == "fixed 60, broken 0, both right 0, both wrong 0"
    assert compared(both_right=3).as_text() == "fixed 0, broken 0, both right 3, both wrong 0"


def test_the_difference_in_accuracy_has_an_interval() -> None:
    found = compared(fixed=30, broken=10, both_right=100, both_wrong=60).difference(seed=0)
    assert found is not None
    assert found.value == pytest.approx(0.1)
    assert found.ci95 is not None
    assert found.ci95[0] < 0.1 < found.ci95[1]
    back = compared(fixed=10, broken=30, both_right=100, both_wrong=60).difference(seed=0)
    assert back is not None
    assert back.value == pytest.approx(-0.1)
    assert compared().difference(seed=0) is None


def test_swapping_the_students_swaps_fixed_and_broken() -> None:
    there, back = LabelChanges(), LabelChanges()
    for view in views(FIRST, SECOND).values():
        there.add(view)
    for view in views(SECOND, FIRST).values():
        back.add(view)
    assert there.counts["fixed"] == back.counts["broken"] == 1
    assert there.counts["both_wrong"] == back.counts["both_wrong"]


def test_filters_on_the_outcome_do_not_bias_the_comparison() -> None:
    options = ExplainOptions(fixed=True, vs="b.jsonl")
    explanation = ExplanationRun(options, others=[SecondStudent(SECOND, "b.jsonl")])
    assert [item.view.id for item in explanation.run(FIRST)] == ["fixed"]
    assert sum(explanation.comparisons["second"].counts.values()) == 5


def test_filters_on_the_record_say_what_is_compared() -> None:
    options = ExplainOptions(id=("fixed", "right"))
    explanation = ExplanationRun(options, others=[SecondStudent(SECOND, "b.jsonl")])
    list(explanation.run(FIRST))
    assert dict(explanation.comparisons["second"].counts) == {"fixed": 1, "both_right": 1}


def test_a_comparison_is_of_the_records_that_eval_takes_by_default() -> None:
    splits = {"fixed": "train", "broken": "valid"}
    first = [{**one, "split": splits.get(one["id"], "test")} for one in FIRST]
    explanation = ExplanationRun(ExplainOptions(), others=[SecondStudent(SECOND, "b.jsonl")])
    list(explanation.run(first))
    assert dict(explanation.comparisons["second"].counts) == {"both_right": 1, "both_wrong": 2}
    assert explanation.left_out("second") == 2
    alone = ExplanationRun(ExplainOptions(), others=[SecondStudent(SECOND, "b.jsonl")])
    list(alone.run([{**one, "split": "valid"} for one in FIRST]))
    assert (alone.comparisons["second"].counts.total(), alone.left_out("second")) == (5, 0)


def test_records_without_an_id_cannot_be_matched() -> None:
    nameless = {name: value for name, value in FIRST[0].items() if name != "id"}
    run = ExplanationRun(ExplainOptions(), others=[SecondStudent(SECOND, "b.jsonl")])
    with pytest.raises(MissingFieldError, match='field "id" is missing') as caught:
        list(run.run([FIRST[0], nameless]))
    assert "read_records" in str(caught.value.hint)
    with pytest.raises(MissingFieldError, match='field "id" is missing'):
        SecondStudent([nameless], "b.jsonl")


def test_any_number_of_students_is_compared_with_the_first() -> None:
    first = [record("a", "car", "sea"), record("b", "sea", "sea"), record("c", "sea", "sea")]
    second = [record("a", "sea", "sea"), record("b", "sea", "sea")]
    third = [record("b", "car", "sea"), record("d", "car", "sea")]
    others = [SecondStudent(second, "b.jsonl"), SecondStudent(third, "c.jsonl")]
    explanation = ExplanationRun(ExplainOptions(), others=others)
    items = list(explanation.run(first))
    found = {
        item.view.id: {side.who: (side.change, side.is_changed) for side in item.view.others}
        for item in items
    }
    assert found == {
        "a": {"second": ("fixed", True)},
        "b": {"second": ("both_right", False), "third": ("broken", True)},
    }
    assert [item.view.is_changed for item in items] == [True, True]
    counts = {who: dict(one.counts) for who, one in explanation.comparisons.items()}
    assert counts == {"second": {"fixed": 1, "both_right": 1}, "third": {"broken": 1}}
    assert explanation.counts.unanswered == 1
    passed = [item.as_record() for item in items]
    assert [sorted({"second", "third"} & one.keys()) for one in passed] == [
        ["second"],
        ["second", "third"],
    ]
    assert passed[1]["third"]["student"]["label"] == "car"
    broken = ExplanationRun(ExplainOptions(vs=("x", "y"), broken=True), others=others)
    assert [item.view.id for item in broken.run(first)] == ["b"]


def test_the_keys_of_the_other_students() -> None:
    assert [other_key(index) for index in (0, 1, 8, 9, 10)] == [
        "second",
        "third",
        "tenth",
        "student_11",
        "student_12",
    ]
