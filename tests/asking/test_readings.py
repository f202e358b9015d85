"""What a student's readings give: the ways that it has, and the answer in one of them."""

from __future__ import annotations

from typing import Any

import pytest

from mitools.asking.answering import Answering, Way
from mitools.asking.combine import Candidates, WeightFit
from mitools.asking.readings import Reading, answer, check_ways, known_fit
from mitools.errors import StudentError
from mitools.student.protocol import Generation

READING = Reading(
    Candidates(("sea", "tree"), (-0.5, -1.5), (-2.0, -0.2)),
    {
        "predict": {"label": "sea", "confidence": 0.7, "tokens": 0},
        "conclude": {"label": "tree", "confidence": 0.8, "tokens": 9, "draws": 1},
        "named": {"label": "tree", "confidence": 0.6, "tokens": 9, "draws": 1, "votes": 1},
    },
    Generation("Apes climb.", -1.0, True, 9),
    is_closed=True,
    is_cut=False,
)


@pytest.mark.parametrize(
    ("way", "label"), [("predict", "sea"), ("conclude", "tree"), ("named", "tree")]
)
def test_the_way_decides_the_label_and_all_answers_are_kept(way: Way, label: str) -> None:
    found = answer(READING, way, WeightFit(0.9, 30))
    assert (found["label"], found["answered_by"]) == (label, way)
    assert list(found["answers"]) == ["predict", "conclude", "both", "named"]
    assert not {"tokens", "draws", "votes", "weight"} & found.keys()
    assert (found["rationale"], found["rationale_truncated"]) == ("Apes climb.", True)
    assert found["input_truncated"] is False


def test_both_readings_together_cost_those_two() -> None:
    both = answer(READING, "both", WeightFit(0.9, 30))["answers"]["both"]
    assert (both["label"], both["weight"], both["fitted_on"], both["tokens"]) == ("sea", 0.9, 30, 9)


def test_the_weight_of_the_student_brings_what_it_was_fitted_on() -> None:
    saved = {"answer_weight": {"value": 0.25, "fitted_on": 40}}
    assert known_fit(Answering("both", weight=0.25), saved) == WeightFit(0.25, 40)
    assert known_fit(Answering("both", weight=0.5), saved) == WeightFit(0.5, 0)
    assert known_fit(Answering("both"), saved) == WeightFit(0.5, 0)


@pytest.mark.parametrize(
    ("metadata", "way", "message", "hint"),
    [
        (
            {"order": "separate"},
            "conclude",
            'this student gives no label after its rationale, as "--answer conclude" needs',
            'train one with "mitools train --mi conclude", or use "--answer predict"',
        ),
        (
            {"order": "label-rationale", "concludes": False},
            "both",
            'this student gives its rationale after its label, so "--answer both" adds nothing',
            'use "--answer predict"',
        ),
        (
            {"order": "separate", "trained": ["label"]},
            "both",
            'this student gives no rationale, as "--answer both" needs',
            "train one with --alpha below 1",
        ),
        (
            {"order": "rationale-label"},
            "both",
            "this student gives every label after its rationale, so it has one reading only",
            'use "--answer conclude", or train one with "mitools train --mi conclude"',
        ),
    ],
)
def test_a_way_that_a_student_lacks_names_what_to_train(
    metadata: dict[str, Any], way: Way, message: str, hint: str
) -> None:
    with pytest.raises(StudentError) as caught:
        check_ways(metadata, way)
    assert (str(caught.value).split(";")[0], caught.value.hint) == (message, hint)


def test_ways_that_a_student_has_pass() -> None:
    for way in ("predict", "conclude", "both"):
        check_ways({"concludes": True}, way)  # type: ignore[arg-type]
    check_ways({}, "predict")
    check_ways({"order": "rationale-label"}, "conclude")
    check_ways({"order": "rationale-label"}, "predict")
