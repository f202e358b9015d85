"""What people are told about an operating point."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mitools.evaluate.operating.notes import point_notes, selected_on_valid
from mitools.operating.point import OperatingPoint

POINT = OperatingPoint(target=0.95, risk=0.05, threshold=0.75, records=1_200)
SELECTED = {"options": {"select_by": "accuracy"}, "results": {}}
LAST = {"options": {"select_by": "last"}, "results": {}}


def test_the_promise_is_stated_with_what_it_rests_on() -> None:
    (note,) = point_notes(POINT, LAST, "runs/a/operating_point.json")
    assert note == (
        "answers with a confidence of 0.75 or more reach 0.95 accuracy with probability 0.95, if "
        "new records come from where the 1,200 that chose it came from; "
        "saved in runs/a/operating_point.json"
    )


def test_agreement_is_not_called_accuracy() -> None:
    (note,) = point_notes(replace(POINT, reference="teacher"), {}, None)
    assert "0.95 agreement with the teacher with" in note
    assert 'not saved: no "--student DIR" was given' in note


def test_a_checkpoint_that_was_selected_on_valid_weakens_the_promise() -> None:
    _, note = point_notes(POINT, SELECTED, None)
    assert "--calibrate-on test" in note
    assert len(point_notes(replace(POINT, calibrated_on="test"), SELECTED, None)) == 1


def test_a_weight_that_was_fitted_on_valid_weakens_the_promise_of_both_readings() -> None:
    both = replace(POINT, answer="both", answer_weight=0.7)
    weighted = {**LAST, "answer_weight": {"value": 0.7, "fitted_on": 30}}
    assert len(point_notes(POINT, weighted, None)) == 1
    _, note = point_notes(both, weighted, None)
    assert note.startswith("training fitted the weight of both readings on the valid split, so")
    _, note = point_notes(both, {**weighted, **SELECTED}, None)
    assert "selected the checkpoint and fitted the weight of both readings on the valid" in note


def test_without_a_threshold_nothing_is_promised() -> None:
    (note,) = point_notes(replace(POINT, threshold=None), SELECTED, "f")
    assert note == "the operating point, at which no answer is sure, is saved in f"


@pytest.mark.parametrize("metadata", [{}, {"options": 1, "results": 2}, LAST])
def test_metadata_that_names_no_selection(metadata: dict[str, object]) -> None:
    assert not selected_on_valid(metadata)
