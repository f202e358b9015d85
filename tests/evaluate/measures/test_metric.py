from __future__ import annotations

import math

import pytest

from mitools.evaluate.measures.metric import Measure

SHARE = Measure("share", "fraction", higher_is_better=True, about="A share.")


def test_a_metric_states_value_interval_n_status_reason_unit_and_direction() -> None:
    assert SHARE.ok(0.5, 4, (0.15, 0.85)).as_json() == {
        "value": 0.5,
        "ci95": [0.15, 0.85],
        "n": 4,
        "status": "ok",
        "reason": None,
        "unit": "fraction",
        "higher_is_better": True,
    }


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="cannot be"):
        SHARE.ok(value, 3)


def test_a_missing_value_is_null_and_has_a_reason() -> None:
    for metric, status in (
        (SHARE.undefined("no gold"), "undefined"),
        (SHARE.not_applicable("no set"), "not_applicable"),
        (SHARE.skipped("not asked"), "skipped"),
    ):
        found = metric.as_json()
        assert (found["value"], found["ci95"], found["status"]) == (None, None, status)
        assert found["reason"]


def test_details_stand_beside_the_value_rounded() -> None:
    found = SHARE.ok(1 / 3, 3, null_mean=2 / 3, signature="x").as_json()
    assert (found["value"], found["null_mean"], found["signature"]) == (0.333333, 0.666667, "x")
