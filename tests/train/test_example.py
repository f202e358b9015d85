"""What a record teaches: whose label, which rationales, and how much each counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mitools.errors import UsageError
from mitools.train.example import example_of
from mitools.train.options import TrainOptions


def options(**changes: Any) -> TrainOptions:
    return TrainOptions(save=Path("nowhere"), student="x", **changes)


def record(**teacher: Any) -> dict[str, Any]:
    samples = [
        {"label": "3", "rationale": "one way", "agrees": True},
        {"label": "4", "rationale": "astray", "agrees": False},
        {"label": "3", "rationale": "another way", "agrees": True},
        {"label": "3", "rationale": "one way", "agrees": True},
        {"label": None, "rationale": "  ", "agrees": None},
    ]
    known = {"label": "3", "rationale": "one way", "agrees": True, "samples": samples}
    return {"id": "1", "input": "x", "label": "3", "teacher": {**known, **teacher}}


def test_one_rationale_is_the_teachers_own_and_nothing_is_drawn() -> None:
    found = example_of(record(), options())
    assert (found.label, found.rationale) == ("3", "one way")
    assert found.soft_label == found.rationales == found.wrong == ()
    assert found.label_weight == found.rationale_weight == 1


@pytest.mark.parametrize("how", ["sample", "min"])
def test_several_rationales_are_those_that_do_not_miss_gold(how: str) -> None:
    assert example_of(record(), options(rationales=how)).rationales == ("one way", "another way")
    missed = record(rationale="astray", agrees=False)
    found = example_of(missed, options(rationales=how, agreement_weight=0))
    assert found.rationales == ("one way", "another way")
    assert (found.rationale, found.rationale_weight) == ("one way", 1)
    alone = record(samples=[])
    assert example_of(alone, options(rationales=how)).rationales == ()


@pytest.mark.parametrize("how", ["sample", "min"])
def test_the_only_rationale_that_does_not_miss_gold_is_learned(how: str) -> None:
    samples = [
        {"label": "4", "rationale": "astray", "agrees": False},
        {"label": "3", "rationale": "one way", "agrees": True},
    ]
    missed = record(label="4", rationale="astray", agrees=False, samples=samples)
    found = example_of(missed, options(rationales=how, agreement_weight=0.25))
    assert (found.rationale, found.rationales, found.rationale_weight) == ("one way", (), 1)
    none_right = record(label="4", rationale="astray", agrees=False, samples=samples[:1])
    found = example_of(none_right, options(rationales=how, agreement_weight=0.25))
    assert (found.rationale, found.rationales, found.rationale_weight) == ("astray", (), 0.25)
    own = example_of(missed, options(agreement_weight=0.25))
    assert (own.rationale, own.rationale_weight) == ("astray", 0.25)


def test_samples_are_votes_with_shares() -> None:
    found = example_of(record(), options(soft_labels=True))
    assert found.soft_label == (("3", 0.75), ("4", 0.25))
    assert example_of(record(samples=[]), options(soft_labels=True)).soft_label == ()


def test_probabilities_are_mixed_with_the_label() -> None:
    told = record(samples=[], label="4", choices={"3": 0.2, "4": 0.8})
    found = example_of(told, options(soft_labels=True, soft_weight=0.5))
    assert found.label == "3"
    assert dict(found.soft_label) == pytest.approx({"3": 0.6, "4": 0.4})


def test_rationales_of_answers_that_missed_gold_are_wrong() -> None:
    chosen = options(mi="infonce", wrong_rationales=True)
    assert example_of(record(), chosen).wrong == ("astray",)


def test_a_teacher_that_missed_gold_counts_less_where_it_teaches() -> None:
    missed = record(agrees=False, label="4")
    gold = example_of(missed, options(agreement_weight=0.25))
    assert (gold.label, gold.label_weight, gold.rationale_weight) == ("3", 1, 0.25)
    own = example_of(missed, options(agreement_weight=0.25, labels_from="teacher"))
    assert (own.label, own.label_weight, own.rationale_weight) == ("4", 0.25, 0.25)
    human = {**missed, "rationale": "by hand"}
    kept = example_of(human, options(agreement_weight=0.25, rationales_from="human"))
    assert (kept.rationale, kept.rationale_weight) == ("by hand", 1)
    unknown = example_of(record(agrees=None), options(agreement_weight=0.25))
    assert unknown.rationale_weight == 1


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"agreement_weight": 1.5}, "--agreement-weight"),
        ({"soft_labels": True, "labels_from": "gold"}, "--soft-labels"),
        ({"wrong_rationales": True}, "--wrong-rationales"),
    ],
)
def test_options_that_make_no_sense_are_refused(changes: dict[str, Any], word: str) -> None:
    with pytest.raises(UsageError, match=word):
        options(**changes).check()


def test_an_answer_of_a_student_is_left_out_unless_it_is_asked_for() -> None:
    own = record(by="student", samples=[])
    found = example_of(own, options())
    assert (found.label, found.rationale) == ("3", None)
    unlabelled = {**own, "label": None}
    assert example_of(unlabelled, options()).label is None
    assert example_of(unlabelled, options(unreadable_rationales="blank")).rationale is None
    used = example_of(unlabelled, options(student_answers="use"))
    assert (used.label, used.rationale) == ("3", "one way")
    assert example_of(record(by="teacher"), options()).rationale == "one way"
