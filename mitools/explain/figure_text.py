"""One figure of a summary as text: value with unit, interval, and place on a scale.

Nothing is computed here. :mod:`~mitools.explain.cards` and :mod:`~mitools.explain.panels` choose
the figures to show.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

__all__ = [
    "Figure",
    "FigureStrip",
    "Kind",
    "direction",
    "figure_of",
    "has_value",
    "p_written",
    "written",
]

Kind = Literal["", "points", "signed"]
"""How a fraction is written: as percent; a difference in points, ``signed`` with its sign."""


@dataclass(frozen=True, slots=True)
class FigureStrip:
    """Marks on a scale from 0 to 100: the value, its interval, and the null band."""

    value: float
    interval: tuple[float, float] | None = None
    null: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure as text.

    Attributes:
        who: whose figure it is: ``student``, ``second``, or ``teacher``.
        value: with its unit; empty without a value.
        between: its interval, or the null band, in words.
        n: number of items that it is computed on.
        reason: why there is no value; empty with a value.
        strip: its place on a scale; None without one.
    """

    who: str
    value: str
    between: str = ""
    n: str = ""
    reason: str = ""
    strip: FigureStrip | None = None


def has_value(metric: Mapping[str, Any]) -> bool:
    """Return whether a metric of a summary has a value."""
    return metric["status"] == "ok" and metric["value"] is not None


def direction(higher_is_better: object) -> str:
    """Return which direction is better, in words; "" if none is."""
    if not isinstance(higher_is_better, bool):
        return ""
    return "higher is better" if higher_is_better else "lower is better"


def figure_of(who: str, metric: Mapping[str, Any], kind: Kind = "") -> Figure:
    """Return a metric as text; without a value, its reason."""
    if not has_value(metric):
        return Figure(who, "", reason=str(metric.get("reason") or metric["status"]))
    return Figure(
        who,
        written(metric["value"], metric.get("unit"), kind, with_unit=True),
        between=_between(metric, kind),
        n=f"n {int(metric.get('n') or 0):,}",
        strip=None if kind else _strip(metric),
    )


_PLAIN = {"USD": ",.4g", "ms": ",.1f", "tokens": ",.1f", "MiB": ",.0f", "records": ",.0f"}
"""How numbers of these units are written."""

_SIGNS = {
    "USD": " USD",
    "ms": " ms",
    "MiB": " MiB",
    "fraction": "%",
    "bits": " bits",
    "nats": " nats",
    "points from 1 to 5": " of 5",
}


def written(value: float, unit: object, kind: Kind = "", *, with_unit: bool = False) -> str:
    """Return a number in its unit."""
    sign = _SIGNS.get(str(unit), "") if with_unit else ""
    if unit == "fraction":
        text = f"{100 * value:.1f}"
        sign = " points" if kind and with_unit else sign
    elif unit in _PLAIN:
        text = f"{value:{_PLAIN[str(unit)]}}"
    elif unit in ("points", "points from 1 to 5"):
        text = f"{value:.1f}" if unit == "points" else f"{value:.2f}"
    else:
        text = f"{value:.3f}"
    if unit not in _PLAIN and float(text) == 0:
        text = text.removeprefix("-")
    plus = "+" if kind == "signed" and value > 0 and text.strip("0.") else ""
    return f"{plus}{text}{sign}"


def _between(metric: Mapping[str, Any], kind: Kind) -> str:
    unit = metric.get("unit")

    def reach(pair: Sequence[float]) -> str:
        return " to ".join(written(bound, unit, kind) for bound in pair)

    parts = []
    if metric.get("ci95"):
        parts.append(reach(metric["ci95"]))
    if metric.get("null95"):
        parts.append(f"{reach(metric['null95'])} by chance")
    if metric.get("p_value") is not None:
        parts.append(f"p {p_written(metric['p_value'])}")
    return ", ".join(parts) or ("no interval" if metric.get("no_interval") else "")


def p_written(p: float) -> str:
    """Return a p-value with its relation sign."""
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


_ZERO_TO_ONE = ("fraction", "probability", "F1")


def _strip(metric: Mapping[str, Any]) -> FigureStrip | None:
    """Place a figure on a scale: 0 to 1, or for an error up to its null band."""
    if metric.get("unit") not in _ZERO_TO_ONE or not 0 <= metric["value"] <= 1:
        return None
    interval, null = metric.get("ci95"), metric.get("null95")
    top = 1.0
    # Calibration errors are small: a scale to 1 would show nothing.
    if null:
        top = min(1.0, 1.25 * max(metric["value"], null[1], 0.02))
    return FigureStrip(
        round(100 * metric["value"] / top, 2),
        _scaled(interval, top),
        _scaled(null, top),
    )


def _scaled(pair: Sequence[float] | None, top: float) -> tuple[float, float] | None:
    if not pair:
        return None
    low, high = (round(100 * min(1.0, max(0.0, bound / top)), 2) for bound in pair)
    return low, high
