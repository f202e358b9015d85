"""Ranges of the numeric options of training, for the command line and for the library alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mitools.errors import UsageError

__all__ = [
    "COUNT",
    "EPOCHS",
    "INPUT_TOKENS",
    "RANK",
    "RATE",
    "SEED",
    "SHARE",
    "STEPS",
    "TARGET_TOKENS",
    "WEIGHT",
    "NumberRange",
    "check_range",
]


@dataclass(frozen=True)
class NumberRange:
    """An interval of numbers.

    Attributes:
        low: the smallest value; with ``is_open``, values must be larger.
        high: the largest value; None allows any finite number.
        is_open: whether ``low`` itself is excluded.
    """

    low: float
    high: float | None = None
    is_open: bool = False

    def holds(self, value: float) -> bool:
        """Tell whether a value lies inside; NaN and infinity never do."""
        if not math.isfinite(value):
            return False
        is_above = value > self.low if self.is_open else value >= self.low
        return is_above and (self.high is None or value <= self.high)

    def __str__(self) -> str:
        if self.high is not None:
            start = (
                f"above {self.low:g} and at most" if self.is_open else f"between {self.low:g} and"
            )
            return f"{start} {self.high:,.0f}"
        return f"a finite number above {self.low:g}" if self.is_open else "0 or a positive number"


SHARE = NumberRange(0, 1)
WEIGHT = NumberRange(0)
RATE = NumberRange(0, is_open=True)
RANK = NumberRange(1, 65_536)
COUNT = NumberRange(1, 1_000_000_000)
STEPS = NumberRange(0, 1_000_000_000)
EPOCHS = NumberRange(0, 1_000_000, is_open=True)
INPUT_TOKENS = NumberRange(8, 1_000_000)
TARGET_TOKENS = NumberRange(2, 1_000_000)
SEED = NumberRange(0, 2**32 - 1)


def check_range(flag: str, value: float, allowed: NumberRange) -> None:
    """Refuse a value outside its range.

    Args:
        flag: the name of the option, without the dashes.

    Raises:
        UsageError: it is outside.
    """
    if not allowed.holds(value):
        shown = f"{value:g}" if isinstance(value, float) else value
        raise UsageError(f"--{flag} must be {allowed}, not {shown}")
