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

from mitools.evaluate.consistency import Supports
from mitools.explain.filters import Item
from mitools.explain.page.cards import Card, Figure, all_figures, cards, undefined
from mitools.explain.page.curves import reliability_with_null, risk_curve
from mitools.explain.page.figures import Fold, doubts, label_pair, metric_at
from mitools.explain.page.plots import (
    Axes,
    change_grid,
    confusion_grid,
    permutation_plot,
    quadrant_grid,
    reliability_plot,
    risk_plot,
)
from mitools.explain.page.rows import row_of, safe_json
from mitools.explain.versus import Comparison
from mitools.explain.view import View
from mitools.explain.visible import visible

__all__ = ["About", "Page"]

_SCRIPTS = ("rows.js", "filters.js", "table.js", "detail.js", "main.js")

_NO_STUDENT = "no record holds a student's answer"
_NO_GOLD = "no record has both a gold label and a student's answer"
_NO_CONFIDENCE = "no record has both a gold label and a student's confidence"


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
    comparison: Comparison | None = None
    notes: tuple[str, ...] = ()


@dataclass
class Page:
    """A page in the making; close it, or use it as a context.

    Attributes:
        seed: of everything that is drawn by chance.
        summary: what ``mitools eval --summary`` wrote about the student, where it is at hand; its
            figures stand in for those that are computed here.
        count: records added.
    """

    seed: int = 0
    summary: Mapping[str, Any] | None = None
    count: int = 0
    _folds: dict[str, Fold] = field(
        default_factory=lambda: {who: Fold(who) for who in ("student", "second")}
    )
    _quadrants: Counter[tuple[bool, Supports]] = field(default_factory=Counter)
    _flags: dict[str, dict[str, Any]] = field(default_factory=dict)
    _facts: dict[str, Counter[str]] = field(
        default_factory=lambda: {"task": Counter(), "split": Counter()}
    )
    _spool: IO[str] = field(
        default_factory=lambda: tempfile.TemporaryFile("w+", encoding="utf-8", newline="\n")  # noqa: SIM115
    )

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *_: object) -> None:
        self._spool.close()

    def add(self, item: Item) -> None:
        """Add a record."""
        view = item.view
        for flag in view.flags:
            self._flags[flag.name] = {"text": flag.text, "serious": flag.is_serious}
        for name, value in (("task", view.task), ("split", view.split)):
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
        """Say where the summary was not made of the records added, a sentence each."""
        return list(doubts(self.summary or {}, self._folds["student"], self.count))

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
        summaries = self._summaries()
        plots = self._plots(about, summaries)
        return {
            "about": about,
            "title": self._title(about),
            "facts": list(self._list_facts(about)),
            "students": {who: self._folds[who].name for who in summaries},
            "cards": cards(summaries),
            "figures": all_figures(summaries),
            "summaries": summaries,
            "provenance": _as_text((self.summary or {}).get("provenance")),
            "axes": Axes(),
            "plots": plots,
            "compared": list(_compared(about.comparison, self.seed)),
            "has_plots": any(plots.values()),
            "cvi": _figure_of(cards(summaries), "CVI net"),
            "missing": list(self._missing(plots, summaries)),
            "policy": _policy(style, script),
            "style": Markup(style),
            "script": Markup(script),
            "config": Markup(safe_json({"flags": self._flags})),
            "rows": self._rows(),
        }

    def _summaries(self) -> dict[str, Mapping[str, Any]]:
        """Give the figures of each student that answered; of the teacher alone where none did."""
        first, second = self._folds["student"], self._folds["second"]
        found: dict[str, Mapping[str, Any]] = {"student": first.summary(self.seed, self.summary)}
        if second.has_answers:
            found["second"] = second.summary(self.seed)
        return found

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

    def _missing(
        self, plots: Mapping[str, Any], summaries: Mapping[str, Any]
    ) -> Iterator[tuple[str, str]]:
        """Name the plots whose data is not there, and say why."""
        if not self._folds["student"].has_answers:
            yield "Everything about a student", f'{_NO_STUDENT}; "--student DIR" lets one answer'
            return
        yield from undefined(summaries)
        if not plots["reliability"]:
            yield "Reliability, risk and coverage", _NO_CONFIDENCE
        if not plots["quadrants"]:
            reason = "no rationale supports an answer" if self._quadrants else _NO_GOLD
            yield "Label and rationale", reason
        if not plots["confusion"]:
            reason = _NO_GOLD if "labels" in self._facts["task"] else "labels are no fixed set"
            yield "Confusion", reason
        if not plots["permutations"]:
            yield "CVI against chance", self._why_no_cvi(summaries["student"])

    def _why_no_cvi(self, summary: Mapping[str, Any]) -> str:
        net = metric_at(summary, "association.cvi_net")
        if net is not None and net.get("reason"):
            return str(net["reason"])
        if self.summary is None:
            return 'it needs the figures of "mitools eval --summary FILE": add "--summary FILE"'
        return "the summary does not have it"

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
                yield name if len(values) == 1 else f"{name}s", ", ".join(values[:6])
        if self._folds["second"].has_answers:
            yield "student", self._folds["student"].name
            yield "second", self._folds["second"].name
        yield "from", about.source
        if about.second_source:
            yield "second from", about.second_source
        if about.selection:
            yield "only", about.selection


def _compared(comparison: Comparison | None, seed: int) -> Iterator[str]:
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


def _figure_of(found: list[Card], title: str) -> Figure | None:
    return next((card.figures[0] for card in found if card.title == title), None)


def _label_pair(view: View) -> dict[str, str]:
    """Name gold and answer as the confusion matrix does, where there is one."""
    pair = label_pair(view, view.student) if view.student else None
    if pair is None:
        return {}
    return {"gold_label": pair[0], **({} if pair[1] is None else {"given_label": pair[1]})}


def _as_text(value: Any) -> str:
    return json.dumps(value, indent=1, ensure_ascii=True) if value else ""


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
