"""Figures as people read them: cards of the main ones, panels of those that belong together.

Knows the form of a summary; names and descriptions of its figures stand on their measures. Nothing
is computed here. How cards look is the business of
:mod:`mitools.explain.page` and :mod:`mitools.explain.terminal_figures`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from mitools.evaluate.catalog import FIGURES
from mitools.evaluate.measures.metric import Measure
from mitools.explain.summaries import Summary, metric_at, metrics_in

__all__ = [
    "TEACHER",
    "Card",
    "Figure",
    "Kind",
    "Missing",
    "Strip",
    "all_figures",
    "by_reason",
    "cards",
    "direction",
    "figure_of",
    "has_value",
    "missing_of",
    "named",
    "p_written",
    "written",
]

Kind = Literal["", "points", "signed"]
"""How a fraction is written: as percent, or, where it is a difference, in points."""

TEACHER = Measure(
    "teacher right",
    "fraction",
    higher_is_better=None,
    about="Share of the teacher's labels that equal gold, among records where both are known.",
)

_TEACHER_PATH = "teacher.agrees"

_CARDS = (
    *("label.accuracy", "label.macro_f1", "consistency.consistency", "association.cvi_net"),
    *("calibration.ece_width", "calibration.auroc", "calibration.accuracy_at_80"),
    *("calibration.aurc", "rationale.steps_right", "overlap.teacher.rouge_l"),
    *("overlap.teacher.embedding", _TEACHER_PATH),
)
"""The figures that have a card, by their dotted paths in a summary."""


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
    """A measure and its figures: one for each student.

    Attributes:
        path: of the figure in a summary.
    """

    path: str
    title: str
    about: str
    figures: tuple[Figure, ...]
    direction: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """What is not shown, and why.

    Attributes:
        is_unasked: whether nobody asked for it; else it does not apply, or is not determined.
    """

    name: str
    reason: str
    is_unasked: bool = False


def cards(summaries: Mapping[str, Summary]) -> tuple[list[Card], list[Missing]]:
    """Make a card of every measure that has a value, and say of the others why there is none.

    A measure that a summary does not know is passed over.

    Args:
        summaries: by whose it is, ``student`` first. What is said of the teacher is taken from the
            first.
    """
    shown: list[Card] = []
    missing: list[Missing] = []
    first = next(iter(summaries))
    for path in _CARDS:
        is_teachers = path == _TEACHER_PATH
        measure = TEACHER if is_teachers else FIGURES[path]
        title = measure.title[0].upper() + measure.title[1:]
        owners = [first] if is_teachers else list(summaries)
        known = {who: found for who in owners if (found := metric_at(summaries[who], path))}
        valued = {who: metric for who, metric in known.items() if has_value(metric)}
        unvalued = {who: metric for who, metric in known.items() if who not in valued}
        missing += missing_of(title, unvalued, len(owners))
        if valued:
            better = next(iter(valued.values())).get("higher_is_better")
            named_owners = {"teacher" if is_teachers else who: one for who, one in valued.items()}
            figures = tuple(figure_of(who, metric) for who, metric in named_owners.items())
            shown.append(Card(path, title, measure.about, figures, direction(better)))
    return shown, missing


def has_value(metric: Mapping[str, Any]) -> bool:
    return metric["status"] == "ok" and metric["value"] is not None


def missing_of(name: str, metrics: Mapping[str, Mapping[str, Any]], students: int) -> list[Missing]:
    """Say why a measure has no value: once where it is so for all students, else for each.

    Args:
        name: of the measure.
        metrics: without a value, by whose they are.
        students: how many there are.
    """
    found = {who: _missing_of(name, metric) for who, metric in metrics.items()}
    if len(found) == students and len(set(found.values())) == 1:
        return [next(iter(found.values()))]
    return [replace(one, name=f"{name}, {who}") for who, one in found.items()]


def _missing_of(name: str, metric: Mapping[str, Any]) -> Missing:
    status = str(metric["status"]).replace("_", " ")
    return Missing(name, str(metric.get("reason") or status), metric["status"] == "skipped")


def by_reason(missing: Iterable[Missing]) -> list[tuple[str, str]]:
    """Put what is missing for one reason together: names, and the reason, in their order."""
    found: dict[str, dict[str, None]] = {}
    for one in missing:
        found.setdefault(one.reason, {})[one.name] = None
    return [(" · ".join(names), reason) for reason, names in found.items()]


def direction(higher_is_better: object) -> str:
    """Say which direction is better, where one is."""
    if not isinstance(higher_is_better, bool):
        return ""
    return "higher is better" if higher_is_better else "lower is better"


def figure_of(who: str, metric: Mapping[str, Any], kind: Kind = "") -> Figure:
    """Write a metric as people read it; one without a value gives its reason."""
    if not has_value(metric):
        return Figure(who, "", reason=str(metric.get("reason") or metric["status"]))
    return Figure(
        who,
        written(metric["value"], metric.get("unit"), kind, with_unit=True),
        between=_between(metric, kind),
        n=f"n {int(metric.get('n') or 0):,}",
        strip=None if kind else _strip(metric),
    )


_SIGNS = {"fraction": "%", "bits": " bits", "nats": " nats", "points from 1 to 5": " of 5"}


def written(value: float, unit: object, kind: Kind = "", *, with_unit: bool = False) -> str:
    """Write one number in its unit."""
    sign = _SIGNS.get(str(unit), "") if with_unit else ""
    if unit == "fraction":
        text = f"{100 * value:.1f}"
        sign = " points" if kind and with_unit else sign
    elif unit in ("points", "points from 1 to 5"):
        text = f"{value:.1f}" if unit == "points" else f"{value:.2f}"
    else:
        text = f"{value:.3f}"
    if float(text) == 0:
        text = text.removeprefix("-")
    plus = "+" if kind == "signed" and float(text) > 0 else ""
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
    """Write a p-value behind the letter."""
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"


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
    found = {who: dict(metrics_in(one)) for who, one in summaries.items()}
    paths = dict.fromkeys(path for metrics in found.values() for path in metrics)
    return [
        (named(path), [_plain_figure(who, metrics.get(path)) for who, metrics in found.items()])
        for path in paths
    ]


def _plain_figure(who: str, metric: Mapping[str, Any] | None) -> Figure:
    if metric is None:
        return Figure(who, "")
    if has_value(metric):
        return figure_of(who, metric)
    status = str(metric["status"]).replace("_", " ")
    return Figure(who, "", reason=f"{status}: {metric.get('reason') or 'no reason given'}")
