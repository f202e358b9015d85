"""The layout of the panels' plots: curves over noise and over truncated rationales, and scores.

The summary is untrusted: invalid points are left out, and without points there is no plot.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from mitools.explain.figure_text import has_value
from mitools.explain.page.plots import Axes
from mitools.explain.panels import score_counts
from mitools.explain.summary_file import Summary, is_metric, is_number, value_at

__all__ = ["ScorePlot", "Trace", "TracePlot", "TracePoint", "probe_plot"]


@dataclass(frozen=True, slots=True)
class TracePoint:
    """A point of a curve: a share and its interval, as fractions."""

    x: float
    y: float
    interval: tuple[float, float] | None = None
    n: int | None = None


@dataclass(frozen=True, slots=True)
class Trace:
    """One curve: its name, its number among the curves, and its points from left to right."""

    name: str
    kind: int
    points: tuple[TracePoint, ...]
    line: str


@dataclass(frozen=True, slots=True)
class TracePlot:
    """Curves of shares on common axes."""

    axes: Axes
    x_name: str
    is_x_share: bool
    traces: tuple[Trace, ...]


@dataclass(frozen=True, slots=True)
class ScorePlot:
    """Bars of a judge's scores: name, position from 1, and count."""

    axes: Axes
    bars: tuple[tuple[str, float, int], ...]


_UNDER_NOISE = (
    ("accuracy", "accuracy"),
    ("consistency", "consistency"),
    ("same_label", "label unchanged"),
)


def probe_plot(summary: Summary, path: str) -> TracePlot | ScorePlot | None:
    """Return the plot of a panel's block; None without data to plot.

    Args:
        summary: that ``eval`` wrote.
        path: of the block in it.
    """
    if path == "probes.robustness":
        return _noise_plot(summary)
    if path == "association.rationale_editing":
        return _cut_plot(summary)
    return _score_plot(summary) if path == "judge" else None


def _noise_plot(summary: Summary) -> TracePlot | None:
    levels = _points_of(value_at(summary, "probes.robustness.by_sigma"), "sigma")
    found = {
        name: [_of_metric(x, level[key]) for x, level in levels if _has_value(level.get(key))]
        for key, name in _UNDER_NOISE
    }
    top = max((x for x, _ in levels), default=0.0)
    if top <= 0:
        return None
    axes = Axes(x_range=(0.0, top), height=240)
    return _traces(axes, "noise, in units of the RMS of the input embeddings", False, found)


def _cut_plot(summary: Summary) -> TracePlot | None:
    path = "association.rationale_editing.early_answering.by_fraction"
    kept = _points_of(value_at(summary, path), "fraction")
    points = [TracePoint(x, y) for x, one in kept if is_number(y := one.get("same_label"))]
    found = {"label equals the final one": points}
    return _traces(Axes(height=240), "share of the rationale kept", True, found)


def _points_of(values: Any, key: str) -> list[tuple[float, Mapping[str, Any]]]:
    if not isinstance(values, list):
        return []
    found = [(one[key], one) for one in values if isinstance(one, Mapping) and key in one]
    return sorted(
        ((x, one) for x, one in found if is_number(x) and x >= 0), key=lambda pair: pair[0]
    )


def _has_value(metric: Any) -> bool:
    return is_metric(metric) and has_value(metric)


def _of_metric(x: float, metric: Mapping[str, Any]) -> TracePoint:
    interval = tuple(metric["ci95"]) if metric.get("ci95") else None
    return TracePoint(x, metric["value"], interval, int(metric.get("n") or 0))


def _traces(
    axes: Axes, x_name: str, is_x_share: bool, found: Mapping[str, list[TracePoint]]
) -> TracePlot | None:
    def drawn() -> Iterator[Trace]:
        for kind, (name, points) in enumerate(found.items()):
            inside = tuple(one for one in points if 0 <= one.y <= 1 and one.x <= axes.x_range[1])
            if inside:
                yield Trace(name, kind, inside, axes.path((one.x, one.y) for one in inside))

    traces = tuple(drawn())
    return TracePlot(axes, x_name, is_x_share, traces) if traces else None


def _score_plot(summary: Summary) -> ScorePlot | None:
    counts = score_counts(summary)
    if not sum(counts):
        return None
    axes = Axes((0.5, 5.5), (0.0, 1.15 * max(counts)), height=170)
    bars = tuple((str(score), float(score), n) for score, n in enumerate(counts, start=1))
    return ScorePlot(axes, bars)
