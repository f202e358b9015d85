"""Ranges of numbers: what lies inside, and how they are stated."""

from __future__ import annotations

import math

import pytest

from mitools.train.ranges import NumberRange


@pytest.mark.parametrize(
    ("allowed", "inside", "outside", "text"),
    [
        (NumberRange(0, 1), [0, 0.5, 1], [-0.1, 1.1], "between 0 and 1"),
        (NumberRange(0), [0, 1e300], [-1e-9], "0 or a positive number"),
        (NumberRange(0, is_open=True), [1e-300], [0, -1], "a finite number above 0"),
        (NumberRange(0, 10, is_open=True), [1, 10], [0, 11], "above 0 and at most 10"),
    ],
)
def test_a_range_holds_its_numbers_and_states_its_ends(
    allowed: NumberRange, inside: list[float], outside: list[float], text: str
) -> None:
    assert all(allowed.holds(value) for value in inside)
    assert not any(allowed.holds(value) for value in [*outside, math.nan, math.inf, -math.inf])
    assert str(allowed) == text
