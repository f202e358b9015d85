"""Rounding of figures."""

from __future__ import annotations

from mitools.rounding import rounded


def test_rounding_keeps_tiny_numbers_whole_numbers_and_strings() -> None:
    value = {"a": (1e-30 / 3, 7), "b": [True, None, "1.23456789"]}
    assert rounded(value) == {"a": [3.33333e-31, 7], "b": [True, None, "1.23456789"]}
