"""The values that each numeric option of a run may have.

Written once, for the command line and for those who call the library.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mitools.errors import UsageError

__all__ = ["RANGES", "Range", "check_ranges"]

_COUNT = 1_000_000_000
_TOKENS = 1_000_000


@dataclass(frozen=True)
class Range:
    """From ``low`` to ``high``, both included unless ``is_open``: then ``low`` is not.

    Attributes:
        high: None means any finite number.
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


RANGES: dict[str, Range] = {
    "alpha": Range(0, 1),
    "beta": Range(0),
    "beta_warmup": Range(0, _COUNT),
    "agreement_weight": Range(0, 1),
    "lora": Range(1, 65_536),
    "epochs": Range(0, 1_000_000, is_open=True),
    "max_steps": Range(1, _COUNT),
    "learning_rate": Range(0, is_open=True),
    "warmup_steps": Range(0, _COUNT),
    "weight_decay": Range(0),
    "batch_size": Range(1, _COUNT),
    "micro_batch_size": Range(1, _COUNT),
    "max_input_tokens": Range(8, _TOKENS),
    "max_label_tokens": Range(2, _TOKENS),
    "max_rationale_tokens": Range(2, _TOKENS),
    "eval_every": Range(1, _COUNT),
    "patience": Range(1, _COUNT),
    "valid_limit": Range(1, _COUNT),
    "seed": Range(0, 2**32 - 1),
}
"""By the name of the field of :class:`mitools.train.options.TrainOptions`."""

_FLAGS = {"learning_rate": "lr"}


def check_ranges(values: Mapping[str, Any]) -> None:
    """Refuse the first option whose value lies outside its range; None is no value.

    Raises:
        UsageError: one does.
    """
    for name, allowed in RANGES.items():
        value = values.get(name)
        if value is not None and not allowed.holds(value):
            flag = _FLAGS.get(name, name).replace("_", "-")
            shown = f"{value:g}" if isinstance(value, float) else value
            raise UsageError(f"--{flag} must be {allowed}, not {shown}")
