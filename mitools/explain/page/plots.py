"""The layout of the page's plots: from data to SVG coordinates.

The style sheet sets colours, so that one plot serves light and dark themes and print. A plot is a
small value that a template draws; None means that there is no data.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from mitools.evaluate.measures.consistency import Supports
from mitools.explain.page.curves import RiskPoint, least_risk
from mitools.explain.view import Change, Who

__all__ = [
    "COVERAGE_MARKS",
    "Axes",
    "CountGrid",
    "GridCell",
    "PermutationPlot",
    "ReliabilityBin",
    "RiskCurve",
    "RiskPlot",
    "change_grid",
    "confusion_grid",
    "permutation_plot",
    "quadrant_grid",
    "reliability_plot",
    "risk_plot",
]

COVERAGE_MARKS = (0.5, 0.8, 0.9, 0.95)
MAX_LABELS = 20
HEAT_LEVELS = 8


@dataclass(frozen=True, slots=True)
class Axes:
    """Axes of a plot, from data to SVG units; y points up.

    Attributes:
        x_range: range of the data; ``y_range`` likewise.
        width: in SVG units, as all that follow; ``left``, ``right``, ``top`` and ``bottom`` are
            margins.
    """

    x_range: tuple[float, float] = (0.0, 1.0)
    y_range: tuple[float, float] = (0.0, 1.0)
    width: int = 400
    height: int = 300
    left: int = 58
    right: int = 22
    top: int = 12
    bottom: int = 44

    def x(self, value: float) -> float:
        """Return the horizontal coordinate of a value."""
        low, high = self.x_range
        span = self.width - self.left - self.right
        return round(self.left + span * (value - low) / (high - low), 1)

    def y(self, value: float) -> float:
        """Return the vertical coordinate of a value."""
        low, high = self.y_range
        span = self.height - self.top - self.bottom
        return round(self.height - self.bottom - span * (value - low) / (high - low), 1)

    def path(self, points: Iterable[tuple[float, float]]) -> str:
        """Return the attribute ``d`` of a line through points."""
        return "M" + "L".join(f"{self.x(x):g} {self.y(y):g}" for x, y in points)

    def ticks(self, of_y: bool = False) -> list[float]:
        """Return about five round values."""
        low, high = self.y_range if of_y else self.x_range
        step = _round_step((high - low) / 4)
        first = math.ceil(low / step - 1e-9)
        last = math.floor(high / step + 1e-9)
        return [round(index * step, 10) for index in range(first, last + 1)]


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """One bin of a reliability diagram, as fractions.

    Attributes:
        share: its number of answers, relative to the largest bin.
    """

    low: float
    high: float
    n: int
    share: float
    confidence: float
    accuracy: float
    interval: tuple[float, float]
    null: tuple[float, float]

    @property
    def is_outside(self) -> bool:
        """Whether the accuracy is outside the null band."""
        return not self.null[0] <= self.accuracy <= self.null[1]


def reliability_plot(rows: Sequence[Mapping[str, Any]]) -> list[ReliabilityBin] | None:
    """Return the bins of :func:`mitools.explain.page.curves.reliability_with_null`."""
    largest = max((row["n"] for row in rows), default=0)
    return [
        ReliabilityBin(
            low=round(row["low"], 4),
            high=round(row["high"], 4),
            n=row["n"],
            share=row["n"] / largest,
            confidence=row["confidence"],
            accuracy=row["accuracy"],
            interval=row["ci95"],
            null=row["null95"],
        )
        for row in rows
    ] or None


@dataclass(frozen=True, slots=True)
class RiskCurve:
    """One student's risk-coverage curve: SVG paths, and its points at round coverages."""

    who: str
    line: str
    band: str
    marks: tuple[RiskPoint, ...]
    overall: float


@dataclass(frozen=True, slots=True)
class RiskPlot:
    """Risk-coverage curves on common axes.

    Attributes:
        least: the curve of a perfect ranking of the first student's answers.
    """

    axes: Axes
    curves: tuple[RiskCurve, ...]
    least: str


def risk_plot(curves: Mapping[str, Sequence[RiskPoint]]) -> RiskPlot | None:
    """Return the plot of the curves that have points."""
    found = {who: curve for who, curve in curves.items() if curve}
    if not found:
        return None
    top = max(point.risk for curve in found.values() for point in curve if point.coverage >= 0.02)
    overall = max(curve[-1].high for curve in found.values())
    axes = Axes(y_range=(0.0, min(1.0, max(1.15 * top, overall, 0.05))))
    first = next(iter(found.values()))
    accuracy = 1 - first[-1].risk
    best = [(point.coverage, least_risk(point.coverage, accuracy)) for point in first]
    drawn = tuple(_curve(who, curve, axes) for who, curve in found.items())
    return RiskPlot(axes, drawn, axes.path(best))


def _curve(who: str, curve: Sequence[RiskPoint], axes: Axes) -> RiskCurve:
    top = axes.y_range[1]
    there = [(point.coverage, min(top, point.high)) for point in curve]
    back = [(point.coverage, point.low) for point in reversed(curve)]
    line = axes.path((point.coverage, min(top, point.risk)) for point in curve)
    marks = tuple(_nearest(curve, coverage) for coverage in COVERAGE_MARKS)
    return RiskCurve(who, line, axes.path([*there, *back]) + "Z", marks, curve[-1].risk)


def _nearest(curve: Sequence[RiskPoint], coverage: float) -> RiskPoint:
    return min(curve, key=lambda point: abs(point.coverage - coverage))


@dataclass(frozen=True, slots=True)
class PermutationPlot:
    """A measure, and its histogram over permutations of the rationales.

    Attributes:
        bars: of the histogram: left edge, right edge, number of permutations.
        observed: the measure without permutation.
        mean: over the permutations.
        n: number of permutations.
    """

    axes: Axes
    bars: tuple[tuple[float, float, int], ...]
    observed: float
    mean: float
    n: int


def permutation_plot(summary: Mapping[str, Any]) -> PermutationPlot | None:
    """Return the plot of conditional V-information and its permutations; None without them."""
    block = summary.get("association")
    block = block if isinstance(block, Mapping) else {}
    net = block.get("cvi_net") or {}
    values, observed = net.get("permuted_cvi"), net.get("observed_cvi")
    if not values or observed is None:
        return None
    low, high = min(*values, observed), max(*values, observed)
    margin = 0.08 * (high - low) or 0.05
    low, high = low - margin, high + margin
    count = max(6, min(24, round(math.sqrt(len(values)) * 2)))
    width = (high - low) / count
    found = Counter(min(count - 1, int((value - low) / width)) for value in values)
    bars = tuple(
        (low + index * width, low + (index + 1) * width, found[index]) for index in sorted(found)
    )
    axes = Axes((low, high), (0.0, 1.15 * max(found.values())), height=220)
    return PermutationPlot(axes, bars, observed, math.fsum(values) / len(values), len(values))


@dataclass(frozen=True, slots=True)
class GridCell:
    """A count; a click on it filters the table.

    Attributes:
        share: of all records in the grid.
        heat: 0 for none, up to 8 for the largest count.
        filter: the filter, as in the address of the page.
        is_good: whether a large count is good; None if neither good nor bad.
    """

    n: int
    share: float
    heat: int
    filter: str
    is_good: bool | None = None


@dataclass(frozen=True, slots=True)
class CountGrid:
    """A table of counts.

    Attributes:
        rows: the name of each row and its cells.
        total: number of records.
        left_out: records that the grid does not show.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[GridCell, ...]], ...]
    total: int
    left_out: int = 0


_SUPPORTS: Mapping[Supports, str] = {
    "student": "its own answer",
    "gold": "gold",
    "other": "another",
    "none": "none",
}


def quadrant_grid(counts: Mapping[tuple[bool, Supports], int]) -> CountGrid | None:
    """Return right and wrong labels by the answer that the rationale supports.

    None without records, or if no rationale supports an answer.
    """
    if not any(n for (_, supports), n in counts.items() if supports != "none"):
        return None
    total, top = sum(counts.values()), max(counts.values())

    def cell(name: str, supports: Supports) -> GridCell:
        is_right = name == "right"
        n = counts.get((is_right, supports), 0)
        is_good = is_right and supports == "student"
        return GridCell(n, n / total, _heat(n, top), f"right={name}&supports={supports}", is_good)

    rows = tuple(
        (name, tuple(cell(name, supports) for supports in _SUPPORTS)) for name in ("right", "wrong")
    )
    return CountGrid(tuple(_SUPPORTS.values()), rows, total)


def _heat(n: int, top: int) -> int:
    return math.ceil(HEAT_LEVELS * math.sqrt(n / top)) if n else 0


NOT_IN_SET = "∅"
"""The name of an invalid label in the page's filters."""


def confusion_grid(confusion: Mapping[tuple[str, str | None], int]) -> CountGrid | None:
    """Return a confusion matrix with gold in rows, of the 20 most frequent labels.

    Args:
        confusion: records by gold label and answer; the answer is None if it is invalid.
    """
    if not confusion:
        return None
    sizes: Counter[str] = Counter()
    for (gold, given), n in confusion.items():
        sizes[gold] += n
        sizes[given or gold] += 0
    labels = sorted(sorted(sizes, key=lambda name: (-sizes[name], name))[:MAX_LABELS])
    has_invalid = any(given is None for _, given in confusion)
    answers: list[str | None] = [*labels, *([None] if has_invalid else [])]
    total, top = sum(confusion.values()), max(confusion.values())

    def cell(gold: str, given: str | None) -> GridCell:
        n = confusion.get((gold, given), 0)
        asked = {"gold": gold, "given": NOT_IN_SET if given is None else given}
        where = urlencode(asked, errors="replace")
        return GridCell(n, n / total, _heat(n, top), where, gold == given)

    rows = tuple((gold, tuple(cell(gold, given) for given in answers)) for gold in labels)
    shown = sum(one.n for _, cells in rows for one in cells)
    names = tuple("no valid label" if given is None else given for given in answers)
    return CountGrid(names, rows, total, total - shown)


def change_grid(counts: Mapping[Change, int], who: Who = "second") -> CountGrid | None:
    """Return right and wrong labels of two students, the first in rows; None without records.

    Args:
        counts: the changes of another student against the first.
        who: the key of that student.
    """
    total = sum(counts.values())
    if not total:
        return None
    top = max(counts.values())

    def cell(change: Change) -> GridCell:
        n = counts.get(change, 0)
        is_good = None if change == "both_wrong" else change != "broken"
        return GridCell(n, n / total, _heat(n, top), f"change-{who}={change}", is_good)

    return CountGrid(
        ("right", "wrong"),
        (
            ("right", (cell("both_right"), cell("broken"))),
            ("wrong", (cell("fixed"), cell("both_wrong"))),
        ),
        total,
    )
