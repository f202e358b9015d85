"""Fold what was looked at, and write the page.

Rows go to a temporary file as they come, and from there into the page: memory holds a few numbers
of each record. The page is the same for the same records, whenever it is written.
"""

from __future__ import annotations

import base64
import hashlib
import json
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from typing import IO, Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from mitools.escape import visible
from mitools.evaluate.measures.consistency import Supports
from mitools.explain.cards import Card, Figure, Missing, all_figures, by_reason, cards
from mitools.explain.filters import ViewedRecord
from mitools.explain.page.curves import reliability_with_null, risk_curve
from mitools.explain.page.figures import Fold, doubts, label_pair
from mitools.explain.page.missing import missing_plots
from mitools.explain.page.plots import (
    Axes,
    change_grid,
    confusion_grid,
    permutation_plot,
    quadrant_grid,
    reliability_plot,
    risk_plot,
)
from mitools.explain.page.probe_plots import Scores, Traces, probe_plot
from mitools.explain.page.rows import row_of, safe_json
from mitools.explain.panels import Panel, panels
from mitools.explain.summaries import Summary, value_at
from mitools.explain.versus import LabelChanges
from mitools.explain.view import View

__all__ = ["About", "Page"]

_SCRIPTS = ("rows.js", "filters.js", "table.js", "detail.js", "main.js")

_TAUGHT = {("label",): "to answer alone", ("rationale",): "to explain alone"}
_ORDERS = {
    "rationale-label": "rationale, then label",
    "label-rationale": "label, then rationale",
}
_KIND = ("student taught", "student decodes")

_NO_STUDENT = "no record holds a student's answer"


@dataclass(frozen=True, slots=True)
class About:
    """What a page says of itself.

    Attributes:
        source: where the records come from, for people.
        version: of mitools.
        read: how many records were read; the page may hold fewer.
        selection: the filters in force, as they were typed; empty where there are none.
        second_source: where the second student's answers come from.
        comparison: what the second student changed, over all records that were compared.
        notes: what a reader should be warned about, a sentence each.
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
    """A page in the making; close it, or use it as a context.

    Attributes:
        seed: of everything that is drawn by chance.
        summaries: what ``mitools eval --summary`` wrote about ``student`` and ``second``, where it
            is at hand; its figures stand in for those that are computed here.
        count: records added.
    """

    seed: int = 0
    summaries: Mapping[str, Summary] = field(default_factory=dict)
    count: int = 0
    _folds: dict[str, Fold] = field(
        default_factory=lambda: {who: Fold(who) for who in ("student", "second")}
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
        told = {"task": view.task, "split": view.split, **_kind(item.record.get("student") or {})}
        for name, value in told.items():
            self._facts[name][value] += 1
        for fold, side, record in (
            (self._folds["student"], view.student, item.record),
            (self._folds["second"], view.second, item.second or {}),
        ):
            fold.add(view, side, record.get("student") or {})
        supports = view.student.supports if view.student else None
        if supports is not None and view.is_right is not None:
            self._quadrants[view.is_right, supports] += 1
        row = {**row_of(view), **_label_pair(view)}
        self._spool.write(("[" if not self.count else ",") + safe_json(row) + "\n")
        self.count += 1

    def doubts(self) -> list[str]:
        """Say where a summary was not made of the records added, a sentence each."""
        return [
            f"{said}{', of the second student' if who == 'second' else ''}"
            for who, summary in self.summaries.items()
            for said in doubts(summary, self._folds[who], self.count)
        ]

    def write(self, stream: IO[str], about: About) -> None:
        """Write the whole page."""
        for piece in _TEMPLATES.get_template("page.html").generate(**self._context(about)):
            stream.write(piece)

    def _rows(self) -> Iterator[Markup]:
        self._spool.seek(0)
        if not self.count:
            yield Markup("[")
        while chunk := self._spool.read(2**20):
            yield Markup(chunk)  # safe_json left nothing in it that HTML could mistake
        yield Markup("]")

    def _context(self, about: About) -> dict[str, Any]:
        style, script = _part("style.css"), "\n".join(map(_part, _SCRIPTS))
        return {
            "about": about,
            "title": self._title(about),
            "facts": list(self._list_facts(about)),
            **self._figures(about),
            "provenance": self._provenance(),
            "axes": Axes(),
            "compared": list(_compared(about.comparison, self.seed)),
            "policy": _policy(style, script),
            "style": Markup(style),
            "script": Markup(script),
            "config": Markup(safe_json({"flags": self._flags})),
            "rows": self._rows(),
        }

    def _figures(self, about: About) -> dict[str, Any]:
        """Give everything that a template shows of figures."""
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
        """Give the figures of each student that answered; of the teacher alone where none did."""
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

    def _plots(self, about: About, summaries: Mapping[str, Any]) -> dict[str, Any]:
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

    def _missing(self, shown: Mapping[str, Any]) -> list[Missing]:
        """Say what is not on the page, and why."""
        if not self._folds["student"].has_answers:
            reason = f'{_NO_STUDENT}; "--student DIR" lets one answer'
            return [Missing("Everything about a student", reason)]
        plots = missing_plots(
            shown["plots"], shown["summaries"]["student"], has_summary="student" in self.summaries
        )
        return [*shown["unknown"], *plots]

    def _title(self, about: About) -> str:
        names = [fold.name for fold in self._folds.values() if fold.has_answers]
        if len(names) == 2:
            return f"{names[0]} against {names[1]}" if names[0] != names[1] else names[0]
        return names[0] if names and names[0] != "student" else about.source

    def _list_facts(self, about: About) -> Iterator[tuple[str, str]]:
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
            yield "only", about.selection


def _kind(said: Mapping[str, Any]) -> dict[str, str]:
    """Say what sets a student apart: what it was taught, and what it decodes first."""
    taught, order = tuple(said.get("trained") or ()), str(said.get("order"))
    return dict(zip(_KIND, (_TAUGHT.get(taught, ""), _ORDERS.get(order, "")), strict=True))


def _compared(comparison: LabelChanges | None, seed: int) -> Iterator[str]:
    """Say how two students compare, a sentence each."""
    difference = comparison.difference(seed) if comparison else None
    if comparison is None or difference is None:
        return
    yield comparison.told()
    interval = ""
    if difference.ci95:
        low, high = difference.ci95
        interval = f" ({100 * low:+.1f} to {100 * high:+.1f})"
    n = comparison.counts.total()
    least = 100 * float(difference.details["smallest_detectable"])
    yield (
        f"accuracy {100 * difference.value:+.1f} points{interval} on {n:,} records, of which a "
        f"difference of {least:.1f} would be found four times in five"
    )
    if note := difference.details.get("note"):
        yield str(note)


def _panel_plots(panel: Panel, summaries: Mapping[str, Summary]) -> dict[str, Traces | Scores]:
    """Lay out what each student's block of a panel holds beside its figures."""
    found = {who: probe_plot(one, panel.path) for who, one in summaries.items()}
    return {who: plot for who, plot in found.items() if plot is not None}


def _figure_of(found: list[Card], path: str) -> Figure | None:
    return next((card.figures[0] for card in found if card.path == path), None)


def _label_pair(view: View) -> dict[str, str]:
    """Name gold and answer as the confusion matrix does, where there is one."""
    pair = label_pair(view, view.student) if view.student else None
    if pair is None:
        return {}
    return {"gold_label": pair[0], **({} if pair[1] is None else {"given_label": pair[1]})}


def _part(name: str) -> str:
    return files("mitools.explain.page").joinpath("templates", name).read_text("utf-8")


def _policy(style: str, script: str) -> str:
    """Allow this style sheet and this script by their hashes, and nothing else."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_hash(style)}'",
            f"script-src '{_hash(script)}'",
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"sha256-{base64.b64encode(digest).decode()}"


def _percent(share: float) -> str:
    text = f"{100 * share:.1f}".removesuffix(".0")
    return f"{text}%"


def _number(value: float) -> str:
    text = f"{value:,.3f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


def _shown(value: Any) -> Any:
    """Spell out what must not be seen as it is, in every text that a template shows."""
    is_text = isinstance(value, str) and not isinstance(value, Markup)
    return visible(value) if is_text else value


_TEMPLATES = Environment(
    loader=PackageLoader("mitools.explain.page"),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=_shown,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.globals |= {"percent": _percent, "number": _number}
