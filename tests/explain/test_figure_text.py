"""One figure as text."""

from __future__ import annotations

from typing import Any

import pytest

from mitools.explain.figure_text import direction, figure_of, has_value, p_written, written
from tests.explain.figures import metric


@pytest.mark.parametrize(
    ("value", "unit", "kind", "text"),
    [
        (0.5, "fraction", "", "50.0%"),
        (0.031, "fraction", "points", "3.1 points"),
        (0.005, "fraction", "signed", "+0.5 points"),
        (-0.0001, "fraction", "signed", "0.0 points"),
        (-0.25, "fraction", "signed", "-25.0 points"),
        (3.5, "points from 1 to 5", "", "3.50 of 5"),
        (41.26, "points", "", "41.3"),
        (-0.0004, "bits", "", "0.000 bits"),
        (0.25, "anything", "signed", "+0.250"),
    ],
)
def test_a_number_is_written_in_its_unit(value: float, unit: str, kind: Any, text: str) -> None:
    assert written(value, unit, kind, with_unit=True) == text


def test_a_metric_is_written_with_interval_band_and_p() -> None:
    found = metric(unit="fraction", value=0.5, ci95=[0.4, 0.6], null95=[0.1, 0.2], p_value=0.02)
    figure = figure_of("student", found)
    assert figure.value == "50.0%"
    assert figure.between == "40.0 to 60.0, 10.0 to 20.0 by chance, p = 0.020"
    assert figure.reason == ""


def test_a_metric_without_a_value_has_its_reason() -> None:
    missing = metric(status="undefined", value=None, reason="no gold")
    assert not has_value(missing)
    figure = figure_of("student", missing)
    assert (figure.value, figure.reason, figure.strip) == ("", "no gold", None)


def test_a_resampled_metric_that_was_too_large_says_that_it_has_no_interval() -> None:
    figure = figure_of("student", metric(ci95=None, no_interval="too many records"))
    assert figure.between == "no interval"


@pytest.mark.parametrize(
    ("value", "null", "place", "band"),
    [
        (0.5, None, 50.0, None),
        (0.08, (0.02, 0.04), 80.0, (20.0, 40.0)),
        (0.0, (0.0, 0.01), 0.0, (0.0, 40.0)),
    ],
)
def test_a_scale_ends_at_one_or_just_beyond_the_null_band(
    value: float, null: tuple[float, float] | None, place: float, band: Any
) -> None:
    strip = figure_of("s", metric(unit="fraction", value=value, ci95=None, null95=null)).strip
    assert strip is not None
    assert (strip.value, strip.null) == (place, band)


@pytest.mark.parametrize(("unit", "value"), [("bits", 0.5), ("fraction", -0.1)])
def test_a_figure_without_a_range_has_no_scale(unit: str, value: float) -> None:
    assert figure_of("s", metric(unit=unit, value=value)).strip is None


def test_directions_and_p_values_are_words() -> None:
    assert [direction(better) for better in (True, False, None)] == [
        "higher is better",
        "lower is better",
        "",
    ]
    assert (p_written(0.0004), p_written(0.05)) == ("< 0.001", "= 0.050")
