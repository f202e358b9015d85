"""Summaries: what is one, and how its metrics are found."""

from __future__ import annotations

import json

import pytest

from mitools.errors import DataError
from mitools.explain.summary_file import described, load_summary, metric_at, metrics_in
from tests.explain.figures import metric, probed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", "is not valid JSON"),
        (b"\xff", "is not valid JSON"),
        (b"[" * 99_999, "is not valid JSON"),
        (b"[]", "is not a summary of a student"),
        (b"3", "is not a summary of a student"),
        (b"{}", "is not a summary of a student"),
        (b'{"id": "x", "input": "?"}', "is not a summary of a student"),
        (json.dumps({"a": {"b": metric(value="1")}}).encode(), '"a.b.value" is not a number'),
        (json.dumps({"a": {"b": metric(value=True)}}).encode(), '"a.b.value" is not a number'),
        (json.dumps({"a": metric(ci95=[1])}).encode(), '"a.ci95" is not a number'),
        (
            json.dumps({"a": [{"b": metric(ci95=["0", 1])}]}).encode(),
            '"a.0.b.ci95" is not a number',
        ),
        (json.dumps({"a": metric(by_run=[True])}).encode(), '"a.by_run" is not a number'),
        (json.dumps({"a": metric(null95=[None, 1])}).encode(), '"a.null95" is not a number'),
        (
            json.dumps({"a": metric(permuted_cvi=[1, "x"])}).encode(),
            '"a.permuted_cvi" is not a number',
        ),
        (json.dumps({"a": metric(value=float("nan"))}).encode(), '"a.value" is not a number'),
    ],
)
def test_what_is_no_summary_is_refused(text: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load_summary(text, "figures.json")


def test_metrics_are_found_inside_lists_too() -> None:
    summary = probed()
    path = "probes.robustness.by_sigma.1.accuracy"
    assert dict(metrics_in(summary))[path] == metric_at(summary, path)
    assert metric_at(summary, "probes.robustness.by_sigma.7.accuracy") is None
    assert metric_at(summary, "probes.robustness.by_sigma.x") is None


def test_figures_by_the_values_of_a_field_are_found_whatever_the_values_are() -> None:
    by_value = {name: {"records": 3, "accuracy": metric(value=0.5)} for name in ("status", "value")}
    summary = {"records": 6, "by": {"value": by_value, "status": by_value}}
    loaded = load_summary(json.dumps(summary).encode(), "figures.json")
    assert [path for path, _ in metrics_in(loaded)] == [
        f"by.{field}.{value}.accuracy"
        for field in ("value", "status")
        for value in ("status", "value")
    ]


def test_what_a_summary_was_made_of_is_told() -> None:
    assert described(probed()) == "200 records, task choice, by mine@0123"
    assert described({"records": 1, "tasks": {"a": 1, "b": 2}}) == "1 record, task a and b"
    assert described({"records": "many", "models": [1], "tasks": 3}) == ""
