"""Writing the page: records are added one by one, then the whole file is written.

Rows go to a temporary file first, so that memory holds a few numbers per record. The same records
always give the same page.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import IO, Any

from markupsafe import Markup

from mitools.evaluate.measures.consistency import Supports
from mitools.explain.cards import Card, MissingFigure, all_figures, by_reason, cards
from mitools.explain.figure_text import Figure
from mitools.explain.filters import FilterCounts, ViewedRecord
from mitools.explain.options import ExplainOptions
from mitools.explain.page.curves import reliability_with_null, risk_curve
from mitools.explain.page.missing_plots import missing_plots
from mitools.explain.page.plots import (
    Axes,
    change_grid,
    confusion_grid,
    permutation_plot,
    quadrant_grid,
    reliability_plot,
    risk_plot,
)
from mitools.explain.page.probe_plots import ScorePlot, TracePlot, probe_plot
from mitools.explain.page.render import render_page
from mitools.explain.page.rows import row_of, safe_json
from mitools.explain.page.summarize import ViewSummarizer, doubts, label_pair
from mitools.explain.panels import Panel, panels
from mitools.explain.run import ExplanationRun
from mitools.explain.second_student import LabelChanges
from mitools.explain.summary_file import Summary, value_at
from mitools.explain.view import View
from mitools.files import atomic_output
from mitools.records import Record

__all__ = ["Page", "PageFacts", "write_page"]

_TRAINED = {("label",): "label only", ("rationale",): "rationale only"}
_ORDERS = {
    "rationale-label": "rationale, then label",
    "label-rationale": "label, then rationale",
}
_KIND = ("student trained on", "student decodes")

_NO_STUDENT = "no record has a student's answer"


def write_page(
    path: str | os.PathLike[str],
    records: Iterable[Record],
    options: ExplainOptions | None = None,
    *,
    summaries: Mapping[str, Summary] | None = None,
    source: str = "records",
    warn: Callable[[str], None] = lambda _text: None,
) -> FilterCounts:
    """Write one HTML file with figures, plots and records, as ``mitools explain --html`` does.

        >>> record = {"id": "a", "input": "2 + 2?", "label": "4", "student": {"label": "5"}}
        >>> counts = write_page("page.html", [record])
        >>> print(counts)
        1 shown; label right 0/1 (0%)

    Args:
        path: the file; it appears when it is complete.
        records: the records.
        options: which records to show, and which student to ask; the defaults of
            :class:`ExplainOptions` if None.
        summaries: summaries of ``mitools eval``, by student: ``student``, ``second``. Their figures
            replace those computed here. See
            :func:`~mitools.explain.summary_file.read_summary`.
        source: where the records are from; shown on the page.
        warn: receives warnings, one sentence each.

    Returns:
        Counts of the records.

    Raises:
        UsageError: two options contradict each other, or one needs another.
        OutputError: the file cannot be written.
        StudentError: the folder ``options.student`` does not hold a usable student.
        SourceError, DataError: the file ``options.vs`` cannot be read, or a record is invalid.
    """
    run = ExplanationRun(options or ExplainOptions(), warn=warn)
    with atomic_output(path) as stream, Page(run.options.seed, summaries or {}) as page:
        for item in run.run(records):
            page.add(item)
        page.finish(stream, run, source, warn)
    return run.counts


@dataclass(frozen=True, slots=True)
class PageFacts:
    """Facts about a page, shown at its top.

    Attributes:
        source: where the records are from.
        version: of mitools.
        read: number of records read; the page may have fewer.
        selection: the filters, as they are typed; empty without filters.
        second_source: where the second student's answers are from.
        comparison: the second student's changes, over all records that were compared.
        notes: warnings for the reader, one sentence each.
    """

    source: str
    version: str
    read: int = 0
    selection: str = ""
    second_source: str = ""
    comparison: LabelChanges | None = None
    notes: tuple[str, ...] = ()


@dataclass
class Page:
    """A page to which records are added; a context manager.

    Attributes:
        seed: of the resampled intervals.
        summaries: summaries of ``mitools eval``, by student: ``student``, ``second``. Their figures
            replace those computed here.
        count: number of records added.
    """

    seed: int = 0
    summaries: Mapping[str, Summary] = field(default_factory=dict)
    count: int = 0
    _folds: dict[str, ViewSummarizer] = field(
        default_factory=lambda: {who: ViewSummarizer(who) for who in ("student", "second")}
    )
    _quadrants: Counter[tuple[bool, Supports]] = field(default_factory=Counter)
    _flags: dict[str, dict[str, Any]] = field(default_factory=dict)
    _facts: dict[str, Counter[str]] = field(
        default_factory=lambda: {name: Counter() for name in ("task", "split", *_KIND)}
    )
    _spool: IO[str] = field(
        default_factory=lambda: tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n")  # noqa: SIM115
    )

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()

    def add(self, item: ViewedRecord) -> None:
        """Add a record."""
        view = item.view
        for flag in view.flags:
            self._flags[flag.name] = {"text": flag.text, "serious": flag.is_serious}
        facts = {"task": view.task, "split": view.split, **_kind(item.record.get("student") or {})}
        for name, value in facts.items():
            self._facts[name][value] += 1
        for fold, side, record in (
            (self._folds["student"], view.student, item.record),
            (self._folds["second"], view.second, (item.others[0] if item.others else None) or {}),
        ):
            fold.add(view, side, record.get("student") or {})
        supports = view.student.supports if view.student else None
        if supports is not None and view.is_right is not None:
            self._quadrants[view.is_right, supports] += 1
        row = {**row_of(view), **_label_pair(view)}
        self._spool.write(("[" if not self.count else ",") + safe_json(row) + "\n")
        self.count += 1

    def doubts(self) -> list[str]:
        """Return warnings about summaries of other records than those added, one sentence each."""
        return [
            f"{doubt}{' (second student)' if who == 'second' else ''}"
            for who, summary in self.summaries.items()
            for doubt in doubts(summary, self._folds[who], self.count)
        ]

    def write(self, stream: IO[str], about: PageFacts) -> None:
        """Write the whole page."""
        for piece in render_page(self._context(about)):
            stream.write(piece)

    def finish(
        self, stream: IO[str], run: ExplanationRun, source: str, warn: Callable[[str], None]
    ) -> None:
        """Write the whole page of a run.

        Args:
            stream: receives the page.
            run: that has yielded the records.
            source: where the records are from.
            warn: receives the warnings about summaries of other records; the page shows them too.
        """
        found = tuple(self.doubts())
        for doubt in found:
            warn(doubt)
        facts = PageFacts(
            source=source,
            version=version("mitools"),
            read=run.counts.read,
            selection=run.options.filters_as_typed(),
            second_source=run.others[0].name if run.others else "",
            comparison=run.comparisons["second"] if run.others else None,
            notes=found,
        )
        self.write(stream, facts)

    def _rows(self) -> Iterator[Markup]:
        self._spool.seek(0)
        if not self.count:
            yield Markup("[")
        while chunk := self._spool.read(2**20):
            yield Markup(chunk)  # safe_json has escaped everything that HTML could read as markup
        yield Markup("]")

    def _context(self, about: PageFacts) -> dict[str, Any]:
        return {
            "about": about,
            "title": self._title(about),
            "facts": list(self._list_facts(about)),
            **self._figures(about),
            "provenance": self._provenance(),
            "axes": Axes(),
            "compared": list(_compared(about.comparison, self.seed)),
            "config": Markup(safe_json({"flags": self._flags})),
            "rows": self._rows(),
        }

    def _figures(self, about: PageFacts) -> dict[str, Any]:
        """Return the figures, plots and reasons that the templates show."""
        summaries = self._figures_of_each()
        plots = self._plots(about, summaries)
        shown, unknown = cards(summaries)
        blocks, unknown_blocks = panels(summaries)
        found = {
            "students": {who: self._folds[who].name for who in summaries},
            "summaries": summaries,
            "cards": shown,
            "panels": [(panel, _panel_plots(panel, summaries)) for panel in blocks],
            "figures": all_figures(summaries),
            "plots": plots,
            "has_plots": any(plots.values()),
            "cvi": _figure_of(shown, "association.cvi_net"),
            "simulator": value_at(summaries["student"], "simulator.family"),
            "unknown": [*unknown, *unknown_blocks],
        }
        missing = self._missing(found)
        return {
            **found,
            "missing": by_reason(one for one in missing if not one.is_unasked),
            "unasked": by_reason(one for one in missing if one.is_unasked),
        }

    def _figures_of_each(self) -> dict[str, Summary]:
        """Return the figures of each student with answers; without one, those of the teacher."""
        first, second = self._folds["student"], self._folds["second"]
        found: dict[str, Summary] = {
            "student": first.summary(self.seed, self.summaries.get("student"))
        }
        if second.has_answers:
            found["second"] = second.summary(self.seed, self.summaries.get("second"))
        return found

    def _provenance(self) -> dict[str, str]:
        found = {who: one.get("provenance") for who, one in self.summaries.items()}
        return {
            who: json.dumps(value, indent=1, ensure_ascii=True)
            for who, value in found.items()
            if value
        }

    def _plots(self, about: PageFacts, summaries: Mapping[str, Any]) -> dict[str, Any]:
        arrays = {who: self._folds[who].arrays() for who in summaries}
        bins = {
            who: reliability_plot(reliability_with_null(*found, self.seed))
            for who, found in arrays.items()
        }
        return {
            "change": change_grid(about.comparison.counts) if about.comparison else None,
            "quadrants": quadrant_grid(self._quadrants),
            "reliability": {who: found for who, found in bins.items() if found},
            "risk": risk_plot({who: risk_curve(*found) for who, found in arrays.items()}),
            "permutations": permutation_plot(summaries["student"]),
            "confusion": confusion_grid(self._folds["student"].confusion),
        }

    def _missing(self, shown: Mapping[str, Any]) -> list[MissingFigure]:
        """Return what is not on the page, with the reasons."""
        if not self._folds["student"].has_answers:
            reason = f'{_NO_STUDENT}; add "--student DIR"'
            return [MissingFigure("All figures of a student", reason)]
        plots = missing_plots(
            shown["plots"], shown["summaries"]["student"], has_summary="student" in self.summaries
        )
        return [*shown["unknown"], *plots]

    def _title(self, about: PageFacts) -> str:
        names = [fold.name for fold in self._folds.values() if fold.has_answers]
        if len(names) == 2:
            return f"{names[0]} against {names[1]}" if names[0] != names[1] else names[0]
        return names[0] if names and names[0] != "student" else about.source

    def _list_facts(self, about: PageFacts) -> Iterator[tuple[str, str]]:
        whole = f" of {about.read:,} read" if about.read > self.count else ""
        yield "records", f"{self.count:,}{whole}"
        for name, counts in self._facts.items():
            values = [value for value, _ in counts.most_common() if value]
            if values:
                is_plural = len(values) > 1 and name not in _KIND
                yield f"{name}s" if is_plural else name, ", ".join(values[:6])
        if self._folds["second"].has_answers:
            yield "student", self._folds["student"].name
            yield "second", self._folds["second"].name
        yield "from", about.source
        if about.second_source:
            yield "second from", about.second_source
        if about.selection:
            yield "filters", about.selection


def _kind(answer: Mapping[str, Any]) -> dict[str, str]:
    """Return what a student was trained on and what it decodes first, where unusual."""
    trained, order = tuple(answer.get("trained") or ()), str(answer.get("order"))
    return dict(zip(_KIND, (_TRAINED.get(trained, ""), _ORDERS.get(order, "")), strict=True))


def _compared(comparison: LabelChanges | None, seed: int) -> Iterator[str]:
    """Yield the comparison of two students, one sentence each."""
    difference = comparison.difference(seed) if comparison else None
    if comparison is None or difference is None:
        return
    yield comparison.as_text()
    interval = ""
    if difference.ci95:
        low, high = difference.ci95
        interval = f" ({100 * low:+.1f} to {100 * high:+.1f})"
    n = comparison.counts.total()
    least = 100 * float(difference.details["smallest_detectable"])
    yield (
        f"accuracy {100 * difference.value:+.1f} points{interval} on {n:,} records; smallest "
        f"difference detectable with 80% power: {least:.1f} points"
    )
    if note := difference.details.get("note"):
        yield str(note)


def _panel_plots(
    panel: Panel, summaries: Mapping[str, Summary]
) -> dict[str, TracePlot | ScorePlot]:
    """Return the plots of a panel, by student."""
    found = {who: probe_plot(one, panel.path) for who, one in summaries.items()}
    return {who: plot for who, plot in found.items() if plot is not None}


def _figure_of(found: list[Card], path: str) -> Figure | None:
    return next((card.figures[0] for card in found if card.path == path), None)


def _label_pair(view: View) -> dict[str, str]:
    """Return gold and answer as in the confusion matrix; {} without one."""
    pair = label_pair(view, view.student) if view.student else None
    if pair is None:
        return {}
    return {"gold_label": pair[0], **({} if pair[1] is None else {"given_label": pair[1]})}
