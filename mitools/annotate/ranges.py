"""The ranges of the numeric options of annotate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["RANGES", "Range"]


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included unless ``is_open``: then ``low`` is not."""

    low: float
    high: float | None = None
    is_open: bool = False

    def holds(self, value: float) -> bool:
        """Tell whether a number lies inside; NaN and infinity never do."""
        is_above = value > self.low if self.is_open else value >= self.low
        return math.isfinite(value) and is_above and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        if self.high is not None:
            return f"between {self.low:g} and {self.high:g}"
        return f"above {self.low:g}" if self.is_open else f"at least {self.low:g}"


RANGES: Mapping[str, Range] = {
    "limit": Range(1),
    "samples": Range(1),
    "stop_after": Range(1),
    "temperature": Range(0),
    "max_tokens": Range(1),
    "top_logprobs": Range(1, 100),
    "concurrency": Range(1, 4096),
    "requests_per_minute": Range(1),
    "tokens_per_minute": Range(1),
    "timeout_seconds": Range(0, is_open=True),
    "retries": Range(0),
    "max_wait_seconds": Range(0),
    "max_response_bytes": Range(1),
    "max_cost": Range(0, is_open=True),
    "max_error_rate": Range(0, 1),
    "error_rate": Range(0, 1),
}
"""The values of each numeric option, by the name of its attribute."""
