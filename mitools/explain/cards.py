"""Cards: the main figures of a summary, and the list of all of them.

Names and descriptions come from the measures. :mod:`mitools.explain.page` and
:mod:`mitools.explain.terminal_figures` render the cards. Nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mitools.evaluate.catalog import FIGURES
from mitools.evaluate.headline import headline
from mitools.evaluate.measures.metric import Measure
from mitools.explain.figure_text import Figure, direction, figure_of, has_value
from mitools.explain.summary_file import Summary, metric_at, metrics_in

__all__ = [
    "TEACHER",
    "Card",
    "MissingFigure",
    "all_figures",
    "by_reason",
    "cards",
    "headline_cards",
    "missing_of",
    "named",
]

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
class Card:
    """A measure and its figures, one for each student.

    Attributes:
        path: of the figure in a summary.
        about: what the measure is.
        direction: which direction is better, in words.
    """

    path: str
    title: str
    about: str
    figures: tuple[Figure, ...]
    direction: str = ""


@dataclass(frozen=True, slots=True)
class MissingFigure:
    """A measure that is not shown, and the reason.

    Attributes:
        is_unasked: whether it was not requested; otherwise it does not apply, or is undefined.
    """

    name: str
    reason: str
    is_unasked: bool = False


def cards(summaries: Mapping[str, Summary]) -> tuple[list[Card], list[MissingFigure]]:
    """Return a card for each main measure with a value, and the reasons of those without.

    A measure that no summary has is left out.

    Args:
        summaries: by student, ``student`` first. The teacher's figure is that of the first.
    """
    shown: list[Card] = []
    missing: list[MissingFigure] = []
    first = next(iter(summaries))
    for path in _CARDS:
        is_teachers = path == _TEACHER_PATH
        measure = TEACHER if is_teachers else FIGURES[path]
        title = _capitalized(measure.title)
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


def headline_cards(summary: Summary) -> list[Card]:
    """Return a card for each figure of the headline, also for one that is undefined."""

    def status_of(path: str) -> str | None:
        metric = metric_at(summary, path)
        return None if metric is None else str(metric["status"])

    shown = []
    for path in headline(status_of):
        measure, metric = FIGURES[path], metric_at(summary, path)
        assert metric is not None
        figures = (figure_of("student", metric),)
        shown.append(Card(path, _capitalized(measure.title), measure.about, figures))
    return shown


def _capitalized(title: str) -> str:
    return title[0].upper() + title[1:]


def missing_of(
    name: str, metrics: Mapping[str, Mapping[str, Any]], students: int
) -> list[MissingFigure]:
    """Return why a measure has no value: once if the reason is the same for all students.

    Args:
        name: of the measure.
        metrics: the metrics without a value, by student.
        students: number of students.
    """
    found = {who: _missing_of(name, metric) for who, metric in metrics.items()}
    if len(found) == students and len(set(found.values())) == 1:
        return [next(iter(found.values()))]
    return [replace(one, name=f"{name}, {who}") for who, one in found.items()]


def _missing_of(name: str, metric: Mapping[str, Any]) -> MissingFigure:
    status = str(metric["status"]).replace("_", " ")
    return MissingFigure(name, str(metric.get("reason") or status), metric["status"] == "skipped")


def by_reason(missing: Iterable[MissingFigure]) -> list[tuple[str, str]]:
    """Group missing figures by reason; return their names and the reason, in order."""
    found: dict[str, dict[str, None]] = {}
    for one in missing:
        found.setdefault(one.reason, {})[one.name] = None
    return [(" · ".join(names), reason) for reason, names in found.items()]


def named(path: str) -> str:
    """Return a dotted path of a summary in words."""
    return " › ".join(part.replace("_", " ") for part in path.split("."))


def all_figures(summaries: Mapping[str, Summary]) -> list[tuple[str, list[Figure]]]:
    """Return all metrics of the summaries by name, with one figure for each summary.

    The figure of a metric without a value has its status and reason.
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
