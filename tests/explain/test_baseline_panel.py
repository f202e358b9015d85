from __future__ import annotations

import json
from typing import Any

import pytest

from mitools.evaluate.baselines.compare import compare_baselines
from mitools.evaluate.measures.metric import as_json
from mitools.explain.baseline_panel import baseline_panel
from mitools.explain.panels import panels
from tests.evaluate.baselines.test_compare import bench, both


@pytest.fixture(scope="module")
def summary() -> dict[str, Any]:
    block = as_json(compare_baselines(bench(), both(), "auto", 0))
    found: dict[str, Any] = {"baselines": json.loads(json.dumps(block))}
    return found


def test_each_system_has_a_row_with_the_difference_beside_it(summary: dict[str, Any]) -> None:
    panel = baseline_panel({"student": summary})
    assert panel is not None
    rows = {row.name: row for row in panel.rows}
    assert [*rows] == ["student", "majority", "tfidf", "teacher"]
    assert rows["tfidf"].figures[0].value == "100.0%"
    assert rows["tfidf"].beside.startswith("student -66.7 points, p < 0.001; ECE ")
    assert rows["tfidf"].direction == "higher is better"
    assert panel.notes[0] == "majority: the most frequent label"


def test_it_is_the_first_panel_and_absent_without_baselines(summary: dict[str, Any]) -> None:
    assert panels({"student": summary})[0][0].path == "baselines"
    assert baseline_panel({"student": {}}) is None
    assert baseline_panel({"student": {"baselines": {"systems": {"x": {"accuracy": 1}}}}}) is None


def test_a_summary_that_someone_else_made_is_not_trusted() -> None:
    for block in ([], "x", {"systems": []}, {"systems": {"a": None}}, {"about": {"families": 3}}):
        assert baseline_panel({"student": {"baselines": block}}) is None


def test_a_baseline_that_could_not_be_used_has_the_reason(summary: dict[str, Any]) -> None:
    missing = as_json(compare_baselines(bench(train=0), both(), "auto", 0))
    panel = baseline_panel({"student": {"baselines": missing}})
    assert panel is not None
    row = next(row for row in panel.rows if row.name == "tfidf")
    assert row.figures[0].value == ""
    assert 'no record of the split "train"' in row.figures[0].reason
    assert row.beside == ""
