"""Cards: the figures that a page shows first, as text and as marks on a strip.

Knows the form of a summary; what the measures mean is said in a sentence each.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mitools.explain.page.figures import metric_at, metrics_in

__all__ = ["Card", "Figure", "Strip", "all_figures", "cards", "named", "undefined"]

Summary = Mapping[str, Any]

_CARDS = (
    ("label.accuracy", "Accuracy", "labels that are gold"),
    ("label.macro_f1", "Macro-F1", "mean over the labels, each counting the same"),
    ("consistency.consistency", "Consistency", "rationales that support the label given"),
    (
        "association.cvi_net",
        "CVI net",
        "what rationales tell of the student's own answers, beyond gold's class",
    ),
    ("calibration.ece_width", "Calibration error", "gap between confidence and accuracy"),
    ("calibration.auroc", "AUROC", "chance that a right answer is surer than a wrong one"),
    ("calibration.accuracy_at_80", "Accuracy, surest 80%", "labels that are gold among them"),
    ("calibration.aurc", "AURC", "mean error rate over all coverages"),
    ("rationale.steps_right", "Steps right", "arithmetic that rationales state, checked"),
    ("overlap.teacher.rouge_l", "ROUGE-L", "overlap with the teacher's rationales"),
    ("teacher.agrees", "Teacher right", "the teacher's labels that are gold"),
)


@dataclass(frozen=True, slots=True)
class Strip:
    """Marks on a scale from 0 to 100: the value, its interval, and where chance would put it."""

    value: float
    interval: tuple[float, float] | None = None
    null: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One value as people read it.

    Attributes:
        who: whose it is: ``student``, ``second``, or ``teacher``.
        value: with its unit; empty where there is none, and ``reason`` says why.
        between: its interval, or the band of chance, in words.
        n: how many items it rests on.
    """

    who: str
    value: str
    between: str = ""
    n: str = ""
    reason: str = ""
    strip: Strip | None = None


@dataclass(frozen=True, slots=True)
class Card:
    """A measure and its figures: one for each student."""

    title: str
    about: str
    figures: tuple[Figure, ...]
    direction: str = ""


def cards(summaries: Mapping[str, Summary]) -> list[Card]:
    """Make a card of every measure that applies to a student.

    Args:
        summaries: by whose it is, ``student`` first. What is said of the teacher is taken from the
            first.
    """
    return list(_cards(summaries))


def _cards(summaries: Mapping[str, Summary]) -> Iterator[Card]:
    first = next(iter(summaries))
    for path, title, about in _CARDS:
        is_teachers = path.startswith("teacher.")
        owners = [first] if is_teachers else list(summaries)
        found = {who: metric_at(summaries[who], path) for who in owners}
        shown = {
            who: metric
            for who, metric in found.items()
            if metric is not None and metric["status"] == "ok"
        }
        if shown:
            figures = [
                _figure("teacher" if is_teachers else who, metric) for who, metric in shown.items()
            ]
            better = next(iter(shown.values())).get("higher_is_better")
            yield Card(title, about, tuple(figures), _direction(better))


def undefined(summaries: Mapping[str, Summary]) -> Iterator[tuple[str, str]]:
    """Name the cards that are missing because the records do not determine the measure."""
    for path, title, _ in _CARDS:
        for who, summary in summaries.items():
            metric = metric_at(summary, path)
            if metric is not None and metric["status"] == "undefined":
                name = title if len(summaries) == 1 else f"{title}, {who}"
                yield name, str(metric.get("reason") or "undefined")


def _direction(higher_is_better: object) -> str:
    if not isinstance(higher_is_better, bool):
        return ""
    return "higher is better" if higher_is_better else "lower is better"


def _figure(who: str, metric: Mapping[str, Any]) -> Figure:
    value = metric["value"]
    if metric["status"] != "ok" or value is None:
        return Figure(who, "", reason=str(metric.get("reason") or metric["status"]))
    return Figure(
        who,
        _value(metric),
        between=_between(metric),
        n=f"n {int(metric.get('n') or 0):,}",
        strip=_strip(metric),
    )


def _value(metric: Mapping[str, Any]) -> str:
    unit = metric.get("unit")
    text = _number(metric["value"], unit)
    if unit == "fraction":
        return f"{text}%"
    return f"{text} {unit}" if unit in ("bits", "nats") else text


def _between(metric: Mapping[str, Any]) -> str:
    unit = metric.get("unit")
    parts = []
    if metric.get("ci95"):
        low, high = metric["ci95"]
        parts.append(f"{_number(low, unit)} to {_number(high, unit)}")
    if metric.get("null95"):
        low, high = metric["null95"]
        parts.append(f"{_number(low, unit)} to {_number(high, unit)} by chance")
    if metric.get("p_value") is not None:
        parts.append(f"p {_p_value(metric['p_value'])}")
    return ", ".join(parts) or ("no interval" if metric.get("no_interval") else "")


def _p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


def _number(value: float, unit: object) -> str:
    if unit == "fraction":
        return f"{100 * value:.1f}"
    if unit == "points":
        return f"{value:.1f}"
    text = f"{value:.3f}"
    return "0.000" if text == "-0.000" else text


_ZERO_TO_ONE = ("fraction", "probability", "F1")


def _strip(metric: Mapping[str, Any]) -> Strip | None:
    """Put a figure on a scale: 0 to 1, or for an error as far as it and chance reach."""
    if metric.get("unit") not in _ZERO_TO_ONE or not 0 <= metric["value"] <= 1:
        return None
    interval, null = metric.get("ci95"), metric.get("null95")
    top = 1.0
    if null:
        top = min(1.0, 1.25 * max(metric["value"], null[1], 0.02))
    return Strip(
        round(100 * metric["value"] / top, 2),
        _scaled(interval, top),
        _scaled(null, top),
    )


def _scaled(pair: Sequence[float] | None, top: float) -> tuple[float, float] | None:
    if not pair:
        return None
    low, high = (round(100 * min(1.0, max(0.0, bound / top)), 2) for bound in pair)
    return low, high


def named(path: str) -> str:
    """Turn a dotted path of a summary into words."""
    return " › ".join(part.replace("_", " ") for part in path.split("."))


def all_figures(summaries: Mapping[str, Summary]) -> list[tuple[str, list[Figure]]]:
    """List every metric that any summary holds, by its name, with one figure for each summary.

    A metric without a value has its status and the reason instead.
    """
    paths = dict.fromkeys(path for one in summaries.values() for path, _ in metrics_in(one))
    rows = []
    for path in paths:
        figures = []
        for who, summary in summaries.items():
            metric = metric_at(summary, path)
            figures.append(Figure(who, "") if metric is None else _plain_figure(who, metric))
        rows.append((named(path), figures))
    return rows


def _plain_figure(who: str, metric: Mapping[str, Any]) -> Figure:
    figure = _figure(who, metric)
    if figure.value:
        return figure
    status = str(metric["status"]).replace("_", " ")
    return Figure(who, "", reason=f"{status}: {metric.get('reason') or 'no reason given'}")
