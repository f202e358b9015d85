"""Rounding of the figures in records and summaries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["rounded"]

_DIGITS = 6
"""Significant digits that are kept: too few to show the order of a summation."""


def rounded(value: Any) -> Any:
    """Round every float inside a JSON value to six significant digits; tuples become lists."""
    if isinstance(value, float):
        return float(f"{value:.{_DIGITS}g}")
    if isinstance(value, Mapping):
        return {name: rounded(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    return value
