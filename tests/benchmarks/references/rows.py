"""One row of the table: a figure, computed by mitools and by something else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np

__all__ = ["LOOP", "Row", "by_chance", "disagrees", "end_margin", "exact", "named"]

Figures = float | Sequence[float]

LOOP = "slow loop by the definition"
_ROUNDING = 1e-9


@dataclass(frozen=True)
class Row:
    """Figures of mitools beside those of another implementation.

    Attributes:
        metric: its place in the summary, or the function's name.
        by: the other implementation.
        ours: what is shown of mitools' figures.
        theirs: what is shown of the other's.
        difference: the largest, over everything that was compared.
        allowed: how large it may be.
        why: what makes it larger than rounding; "" where nothing does.
        is_expected: False where the other is known to be wrong, and a difference is wanted.
    """

    metric: str
    by: str
    ours: tuple[float, ...]
    theirs: tuple[float, ...]
    difference: float
    allowed: float
    why: str = ""
    is_expected: bool = True

    @property
    def is_held(self) -> bool:
        return (self.difference <= self.allowed) is self.is_expected

    def cells(self) -> list[str]:
        difference = f"{self.difference:.1g}"
        if self.why:
            difference += f" ({self.why})"
        return [self.metric, self.by, _shown(self.ours), _shown(self.theirs), difference]


def _shown(values: tuple[float, ...]) -> str:
    return " to ".join(f"{value:.5g}" for value in values)


def named(package: str, function: str = "") -> str:
    """Name a package with its version, and what is called of it."""
    return f"{package} {version(package)} {function}".strip()


def _many(values: Figures) -> tuple[float, ...]:
    if isinstance(values, Sequence | np.ndarray):
        return tuple(float(value) for value in values)
    return (float(values),)


def _difference(ours: Figures, theirs: Figures) -> float:
    pairs = list(zip(_many(ours), _many(theirs), strict=True))
    return max((math.inf if math.isnan(a - b) else abs(a - b)) for a, b in pairs)


def exact(
    metric: str, by: str, ours: Figures, theirs: Figures, *, within: float = 0, why: str = ""
) -> Row:
    """Compare figures that rounding alone may tell apart, or a stated tolerance; show the first."""
    shown = _many(ours)[:1], _many(theirs)[:1]
    allowed = within or _ROUNDING * max(1.0, *map(abs, _many(theirs)))
    return Row(metric, by, *shown, _difference(ours, theirs), allowed, why)


def by_chance(metric: str, by: str, ours: Figures, theirs: Figures, margin: float) -> Row:
    """Compare figures of two draws: they may lie apart by four standard errors, ``margin``."""
    why = f"chance: up to {margin:.1g}"
    return Row(metric, by, _many(ours), _many(theirs), _difference(ours, theirs), margin, why)


def disagrees(metric: str, by: str, ours: float, theirs: float, why: str) -> Row:
    """State a figure that the other gets wrong; the row fails as soon as it is mended there."""
    return Row(metric, by, (ours,), (theirs,), abs(ours - theirs), 1e-4, why, is_expected=False)


def end_margin(spread: float, ours: int = 10_000, theirs: int = 10_000) -> float:
    """Give four standard errors of the distance of two 2.5% quantiles of draws.

    Args:
        spread: standard deviation of the draws; they are taken as normal.
        ours: how many draws one side has.
        theirs: how many the other.
    """
    density = 0.0584451 / spread  # of the normal at 1.96
    return 4 * math.sqrt(0.025 * 0.975 * (1 / ours + 1 / theirs)) / density
