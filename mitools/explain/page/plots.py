"""Where the marks of a page's plots go: numbers in, coordinates of SVG out.

How a mark looks is the style sheet's affair, so that one plot serves light, dark and paper. A plot
is a small value that a template draws; None means that its data is not there.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from mitools.evaluate.measures.consistency import Supports
from mitools.explain.page.curves import Risk, least_risk
from mitools.explain.view import Change

__all__ = [
    "COVERAGE_MARKS",
    "Axes",
    "Bin",
    "Cell",
    "Curve",
    "Grid",
    "Permutations",
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
    """A plane for data in SVG units, y upwards.

    Attributes:
        x_range: of the data that the plane shows, likewise ``y_range``.
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
        low, high = self.x_range
        span = self.width - self.left - self.right
        return round(self.left + span * (value - low) / (high - low), 1)

    def y(self, value: float) -> float:
        low, high = self.y_range
        span = self.height - self.top - self.bottom
        return round(self.height - self.bottom - span * (value - low) / (high - low), 1)

    def path(self, points: Iterable[tuple[float, float]]) -> str:
        """Write the ``d`` of a line through points."""
        return "M" + "L".join(f"{self.x(x):g} {self.y(y):g}" for x, y in points)

    def ticks(self, of_y: bool = False) -> list[float]:
        """Choose about five round values."""
        low, high = self.y_range if of_y else self.x_range
        step = _round_step((high - low) / 4)
        first = math.ceil(low / step - 1e-9)
        last = math.floor(high / step + 1e-9)
        return [round(index * step, 10) for index in range(first, last + 1)]


def _round_step(rough: float) -> float:
    power = 10.0 ** math.floor(math.log10(rough))
    return next(factor * power for factor in (1, 2, 2.5, 5, 10) if factor * power >= rough * 0.999)


@dataclass(frozen=True, slots=True)
class Bin:
    """One bin of a reliability diagram, as fractions; ``share`` of the answers lie in it."""

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
        """Whether the accuracy lies where it would not by chance."""
        return not self.null[0] <= self.accuracy <= self.null[1]


def reliability_plot(rows: Sequence[Mapping[str, Any]]) -> list[Bin] | None:
    """Make bins of :func:`mitools.explain.page.curves.reliability_with_null`."""
    largest = max((row["n"] for row in rows), default=0)
    return [
        Bin(
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
class Curve:
    """One student's risk-coverage curve: paths, and its points at round coverages."""

    who: str
    line: str
    band: str
    marks: tuple[Risk, ...]
    overall: float


@dataclass(frozen=True, slots=True)
class RiskPlot:
    """Risk-coverage curves on common axes; ``least`` is the first student's best ranking."""

    axes: Axes
    curves: tuple[Curve, ...]
    least: str


def risk_plot(curves: Mapping[str, Sequence[Risk]]) -> RiskPlot | None:
    """Lay out the curves that have points."""
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


def _curve(who: str, curve: Sequence[Risk], axes: Axes) -> Curve:
    top = axes.y_range[1]
    there = [(point.coverage, min(top, point.high)) for point in curve]
    back = [(point.coverage, point.low) for point in reversed(curve)]
    line = axes.path((point.coverage, min(top, point.risk)) for point in curve)
    marks = tuple(_nearest(curve, coverage) for coverage in COVERAGE_MARKS)
    return Curve(who, line, axes.path([*there, *back]) + "Z", marks, curve[-1].risk)


def _nearest(curve: Sequence[Risk], coverage: float) -> Risk:
    return min(curve, key=lambda point: abs(point.coverage - coverage))


@dataclass(frozen=True, slots=True)
class Permutations:
    """A measure beside what it was with permuted rationales.

    Attributes:
        bars: of a histogram, each its left and right edge and how many permutations fell between.
        observed: the measure with every rationale in its place.
        mean: of the permutations.
    """

    axes: Axes
    bars: tuple[tuple[float, float, int], ...]
    observed: float
    mean: float
    n: int


def permutation_plot(summary: Mapping[str, Any]) -> Permutations | None:
    """Lay out conditional V-information against its permutations, where a summary has them."""
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
    return Permutations(axes, bars, observed, math.fsum(values) / len(values), len(values))


@dataclass(frozen=True, slots=True)
class Cell:
    """A count that filters the table when clicked.

    Attributes:
        heat: 0 for none, up to 8 for most.
        filter: what the table is filtered by, as the address writes it.
        is_good: whether many are good news; None where it is neither good nor bad.
    """

    n: int
    share: float
    heat: int
    filter: str
    is_good: bool | None = None


@dataclass(frozen=True, slots=True)
class Grid:
    """A table of counts.

    Attributes:
        rows: the name of each row and its cells.
        left_out: records that the table does not show.
    """

    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    total: int
    left_out: int = 0


_SUPPORTS: Mapping[Supports, str] = {
    "student": "its own answer",
    "gold": "gold",
    "other": "another",
    "none": "none",
}


def quadrant_grid(counts: Mapping[tuple[bool, Supports], int]) -> Grid | None:
    """Make the table of labels, right and wrong, by the answer that the rationale supports.

    None where nothing was counted, or where no rationale supports anything: then there is no map.
    """
    if not any(n for (_, supports), n in counts.items() if supports != "none"):
        return None
    total, top = sum(counts.values()), max(counts.values())

    def cell(name: str, supports: Supports) -> Cell:
        is_right = name == "right"
        n = counts.get((is_right, supports), 0)
        is_good = is_right and supports == "student"
        return Cell(n, n / total, _heat(n, top), f"right={name}&supports={supports}", is_good)

    rows = tuple(
        (name, tuple(cell(name, supports) for supports in _SUPPORTS)) for name in ("right", "wrong")
    )
    return Grid(tuple(_SUPPORTS.values()), rows, total)


def _heat(n: int, top: int) -> int:
    return math.ceil(HEAT_LEVELS * math.sqrt(n / top)) if n else 0


NOT_IN_SET = "∅"
"""How the page's filters call an answer that is none of the labels."""


def confusion_grid(confusion: Mapping[tuple[str, str | None], int]) -> Grid | None:
    """Make a confusion matrix, gold by rows; the most frequent labels where there are very many.

    Args:
        confusion: records by gold label and answer; the answer is None where it is none of the set.
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

    def cell(gold: str, given: str | None) -> Cell:
        n = confusion.get((gold, given), 0)
        asked = {"gold": gold, "given": NOT_IN_SET if given is None else given}
        where = urlencode(asked, errors="replace")
        return Cell(n, n / total, _heat(n, top), where, gold == given)

    rows = tuple((gold, tuple(cell(gold, given) for given in answers)) for gold in labels)
    shown = sum(one.n for _, cells in rows for one in cells)
    names = tuple("no valid label" if given is None else given for given in answers)
    return Grid(names, rows, total, total - shown)


def change_grid(counts: Mapping[Change, int]) -> Grid | None:
    """Make the table of two students' labels, the first by rows; None where nothing was counted."""
    total = sum(counts.values())
    if not total:
        return None
    top = max(counts.values())

    def cell(change: Change) -> Cell:
        n = counts.get(change, 0)
        is_good = None if change == "both_wrong" else change != "broken"
        return Cell(n, n / total, _heat(n, top), f"change={change}", is_good)

    return Grid(
        ("right", "wrong"),
        (
            ("right", (cell("both_right"), cell("broken"))),
            ("wrong", (cell("fixed"), cell("both_wrong"))),
        ),
        total,
    )
