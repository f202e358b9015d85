"""The figures of the page: cards, panels, plots, and the reasons of those that are missing."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mitools.evaluate.measures.consistency import Supports
from mitools.explain.cards import Card, MissingFigure, all_figures, by_reason, cards
from mitools.explain.figure_text import Figure
from mitools.explain.page.curves import reliability_with_null, risk_curve
from mitools.explain.page.facts import compared
from mitools.explain.page.missing_plots import missing_plots
from mitools.explain.page.plots import (
    change_grid,
    confusion_grid,
    permutation_plot,
    quadrant_grid,
    reliability_plot,
    risk_plot,
)
from mitools.explain.page.probe_plots import ScorePlot, TracePlot, probe_plot
from mitools.explain.page.summarize import ViewSummarizer
from mitools.explain.panels import Panel, panels
from mitools.explain.second_student import LabelChanges
from mitools.explain.summary_file import Summary, value_at
from mitools.explain.view import Who

__all__ = ["FigureSource", "provenance_of"]

_HEADLINE = (
    *("label.accuracy", "consistency.consistency", "association.cvi_net", "calibration.ece_width"),
    *("calibration.auroc", "teacher.agrees"),
)
"""The figures that stay visible above the records."""

_NO_STUDENT = "no record has a student's answer"


@dataclass(frozen=True)
class FigureSource:
    """What the figures of a page are made from.

    Attributes:
        folds: the counted views of each student, the first student first.
        summaries: summaries of ``mitools eval``, by student.
        quadrants: records by whether the label is right, and what the rationale supports.
        comparisons: the changes of other students against the first.
        names: of the students.
        seed: of the resampled intervals.
    """

    folds: Mapping[Who, ViewSummarizer]
    summaries: Mapping[Who, Summary]
    quadrants: Counter[tuple[bool, Supports]]
    comparisons: Mapping[Who, LabelChanges]
    names: Mapping[Who, str]
    seed: int

    def context(self) -> dict[str, Any]:
        """Return the figures, plots and reasons that the templates show."""
        summaries = self._summaries()
        plots = self._plots(summaries)
        shown, unknown = cards(summaries)
        blocks, unknown_blocks = panels(summaries)
        missing = self._missing(summaries, plots, [*unknown, *unknown_blocks])
        return {
            "students": {who: self.names[who] for who in summaries},
            "summaries": summaries,
            "headline": _headline(shown),
            "cards": shown,
            "panels": [(panel, _panel_plots(panel, summaries)) for panel in blocks],
            "figures": all_figures(summaries),
            "plots": plots,
            "has_plots": any(plots.values()),
            "cvi": _figure_of(shown, "association.cvi_net"),
            "simulator": value_at(summaries["student"], "simulator.family"),
            "missing": by_reason(self._named(one for one in missing if not one.is_unasked)),
            "unasked": by_reason(self._named(one for one in missing if one.is_unasked)),
        }

    def _summaries(self) -> dict[Who, Summary]:
        """Return the figures of each student with answers; without one, those of the teacher."""
        return {
            who: fold.summary(self.seed, self.summaries.get(who))
            for who, fold in self.folds.items()
            if who == "student" or fold.has_answers
        }

    def _plots(self, summaries: Mapping[Who, Summary]) -> dict[str, Any]:
        arrays = {who: self.folds[who].arrays() for who in summaries}
        bins = {
            who: reliability_plot(reliability_with_null(*found, self.seed))
            for who, found in arrays.items()
        }
        grids = {who: change_grid(one.counts, who) for who, one in self.comparisons.items()}
        return {
            "changes": [
                (who, grid, list(compared(self.comparisons[who], self.seed)))
                for who, grid in grids.items()
                if grid is not None
            ],
            "quadrants": quadrant_grid(self.quadrants),
            "reliability": {who: found for who, found in bins.items() if found},
            "risk": risk_plot({who: risk_curve(*found) for who, found in arrays.items()}),
            "permutations": permutation_plot(summaries["student"]),
            "confusion": confusion_grid(self.folds["student"].confusion),
        }

    def _missing(
        self,
        summaries: Mapping[Who, Summary],
        plots: Mapping[str, Any],
        unknown: list[MissingFigure],
    ) -> list[MissingFigure]:
        """Return what is not on the page, with the reasons."""
        if not self.folds["student"].has_answers:
            return [
                MissingFigure("All figures of a student", f'{_NO_STUDENT}; add "--student DIR"')
            ]
        has_summary = "student" in self.summaries
        return [*unknown, *missing_plots(plots, summaries["student"], has_summary=has_summary)]

    def _named(self, missing: Iterable[MissingFigure]) -> list[MissingFigure]:
        """Write the names of students where :func:`missing_of` writes their keys."""
        found = []
        for one in missing:
            name, comma, who = one.name.rpartition(", ")
            found.append(
                replace(one, name=f"{name}, {self.names[who]}")
                if comma and who in self.names
                else one
            )
        return found


def provenance_of(summaries: Mapping[Who, Summary]) -> dict[Who, str]:
    """Return the provenance of each summary as text."""
    found = {who: one.get("provenance") for who, one in summaries.items()}
    return {
        who: json.dumps(value, indent=1, ensure_ascii=True) for who, value in found.items() if value
    }


def _headline(shown: list[Card]) -> list[Card]:
    found = {card.path: card for card in shown}
    return [found[path] for path in _HEADLINE if path in found]


def _panel_plots(
    panel: Panel, summaries: Mapping[Who, Summary]
) -> dict[Who, TracePlot | ScorePlot]:
    """Return the plots of a panel, by student."""
    found = {who: probe_plot(one, panel.path) for who, one in summaries.items()}
    return {who: plot for who, plot in found.items() if plot is not None}


def _figure_of(found: list[Card], path: str) -> Figure | None:
    return next((card.figures[0] for card in found if card.path == path), None)
