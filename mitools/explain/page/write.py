"""Writing the page: records are added one by one, then the whole file is written.

Rows go to a temporary file first, so that memory holds a few numbers per record. The same records
always give the same page.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import IO, Any

from markupsafe import Markup

from mitools.evaluate.measures.consistency import Supports
from mitools.evaluate.operating.roles import role_in
from mitools.explain.filters import FilterCounts, ViewedRecord
from mitools.explain.options import ExplainOptions
from mitools.explain.page.command import command_words
from mitools.explain.page.facts import PageFacts, RecordFacts
from mitools.explain.page.figures import FigureSource, provenance_of
from mitools.explain.page.packed_rows import PackedRows
from mitools.explain.page.plots import Axes
from mitools.explain.page.render import render_page
from mitools.explain.page.rows import letters, row_of, safe_json
from mitools.explain.page.summarize import ViewSummarizer, doubts, label_pair
from mitools.explain.page.teacher_replies import TeacherReplies
from mitools.explain.run import ExplanationRun
from mitools.explain.run_names import run_names
from mitools.explain.summary_file import Summary
from mitools.explain.view import View, Who, other_key
from mitools.files import atomic_output
from mitools.records import Record, dump_line

__all__ = ["Page", "PageFacts", "write_page"]


def write_page(
    path: str | os.PathLike[str],
    records: Iterable[Record],
    options: ExplainOptions | None = None,
    *,
    summaries: Mapping[str, Summary] | None = None,
    source: str = "records",
    warn: Callable[[str], None] = lambda _text: None,
) -> FilterCounts:
    """Write one HTML file with records, figures and plots, as ``mitools explain --html`` does.

        >>> record = {"id": "a", "input": "2 + 2?", "label": "4", "student": {"label": "5"}}
        >>> counts = write_page("page.html", [record])
        >>> print(counts)
        1 shown; label right 0/1 (0%)

    Args:
        path: the file; it appears when it is complete. It holds the whole records, compressed.
        records: the records.
        options: which records to show, and which student to ask; the defaults of
            :class:`ExplainOptions` if None.
        summaries: summaries of ``mitools eval``, by student: ``student``, ``second`` and so on.
            Their figures replace those computed here. See
            :func:`~mitools.explain.summary_file.read_summary`.
        source: where the records are from; shown on the page.
        warn: receives warnings, one sentence each.

    Returns:
        Counts of the records.

    Raises:
        UsageError: two options contradict each other, or one needs another.
        OutputError: the file cannot be written.
        StudentError: the folder ``options.student`` does not hold a usable student.
        SourceError, DataError: a file of ``options.vs`` cannot be read, or a record is invalid.
    """
    run = ExplanationRun(options or ExplainOptions(), warn=warn)
    with atomic_output(path) as stream, Page(run.options.seed, summaries or {}) as page:
        for item in run.run(records):
            page.add(item)
        page.finish(stream, run, source, warn)
    return run.counts


@dataclass
class Page:
    """A page to which records are added; a context manager.

    Attributes:
        seed: of the resampled intervals.
        summaries: summaries of ``mitools eval``, by student. Their figures replace those computed
            here.
        replies: a teacher's stored replies, if the page shows them.
    """

    seed: int = 0
    summaries: Mapping[Who, Summary] = field(default_factory=dict)
    replies: TeacherReplies | None = None
    _whole: _Folds = field(default_factory=lambda: _Folds())
    _evaluated: _Folds = field(default_factory=lambda: _Folds())
    _has_roles: bool = False
    _flags: dict[str, dict[str, Any]] = field(default_factory=dict)
    _facts: RecordFacts = field(default_factory=RecordFacts)
    _rows: PackedRows = field(default_factory=PackedRows)

    def __enter__(self) -> Page:
        return self

    def __exit__(self, *details: object) -> None:
        self._rows.__exit__(*details)
        if self.replies is not None:
            self.replies.close()

    @property
    def count(self) -> int:
        """Number of records added."""
        return self._rows.count

    def add(self, item: ViewedRecord) -> None:
        """Add a record."""
        view = item.view
        for flag in view.flags:
            self._flags[flag.name] = {"text": flag.text, "serious": flag.is_serious}
        self._facts.add(view, item.record.get("student") or {})
        self._whole.add(item)
        role = role_in(item.record)
        self._has_roles |= role is not None
        if view.split != "valid" and role is None:
            self._evaluated.add(item)
        row = {**row_of(view), **_label_pair(view)}
        if self.replies is not None and (found := self.replies.of(view.id)):
            row["replies"] = found
        self._rows.add(safe_json(row), dump_line(item.as_record()))

    def doubts(self) -> list[str]:
        """Return warnings about summaries of other records than those added, one sentence each."""
        found = []
        for who, summary in self.summaries.items():
            folds = self._folds_of(summary)
            found += [
                f"{doubt}{'' if who == 'student' else f' ({who} student)'}"
                for doubt in doubts(summary, folds.of[who], folds.count)
            ]
        return found

    def _folds_of(self, summary: Summary | None) -> _Folds:
        """Return the views that a summary counts.

        Records that chose a threshold or fitted a parameter leave ``eval`` too; no figure is about
        them. ``eval`` marks them; in older files, they are those of the split ``valid``.
        """
        count = None if summary is None else summary.get("records")
        is_partial = count != self._whole.count and count == self._evaluated.count
        return self._evaluated if is_partial or self._has_roles else self._whole

    def write(self, stream: IO[str], about: PageFacts) -> None:
        """Write the whole page."""
        for piece in render_page("page.html", self._context(about)):
            stream.write(piece)

    def finish(
        self, stream: IO[str], run: ExplanationRun, source: str, warn: Callable[[str], None]
    ) -> None:
        """Write the whole page of a run.

        Args:
            stream: receives the page.
            run: that has yielded the records.
            source: where the records are from; several files are separated by ", ".
            warn: receives the warnings about summaries of other records; the page shows them too.
        """
        found = tuple(self.doubts())
        for doubt in found:
            warn(doubt)
        sources = tuple(other.name for other in run.others)
        options = run.options
        facts = PageFacts(
            source=source,
            version=version("mitools"),
            read=run.counts.read,
            selection=options.filters_as_typed(),
            sources=sources,
            comparisons=run.comparisons,
            notes=found,
            names=_names(source, sources),
            command=command_words(options, source.split(", ")),
            is_drawn=options.sample is not None or options.limit is not None,
            low=options.thresholds.low,
            high=options.thresholds.high,
        )
        self.write(stream, facts)

    def _context(self, about: PageFacts) -> dict[str, Any]:
        folds = self._folds_of(self.summaries.get("student"))
        names = {who: about.names.get(who, who) for who in folds.of}
        source = FigureSource(
            folds.of, self.summaries, folds.quadrants, about.comparisons, names, self.seed
        )
        return {
            "about": about,
            "title": self._title(about),
            "facts": list(self._list_facts(about, folds)),
            **source.context(),
            "provenance": provenance_of(self.summaries),
            "axes": Axes(),
            "config": Markup(safe_json(self._config(about, folds, names))),
            "rows": map(Markup, self._rows.rows()),
            "lines": map(Markup, self._rows.lines()),
        }

    def _config(self, about: PageFacts, folds: _Folds, names: Mapping[Who, str]) -> dict[str, Any]:
        """Return what the script needs beside the records."""
        return {
            "flags": self._flags,
            "runs": [
                {"who": who, "name": names[who]}
                for who, fold in self._whole.of.items()
                if fold.has_answers
            ],
            "letters": letters(),
            "command": list(about.command),
            "selection": about.selection,
            "isDrawn": about.is_drawn,
            "low": about.low,
            "high": about.high,
        }

    def _title(self, about: PageFacts) -> str:
        shown = [who for who, fold in self._whole.of.items() if fold.has_answers]
        if len(shown) > 1:
            return " · ".join(about.names.get(who, self._whole.of[who].name) for who in shown)
        names = [self._whole.of[who].name for who in shown]
        return names[0] if names and names[0] != "student" else about.source

    def _list_facts(self, about: PageFacts, folds: _Folds) -> Iterator[tuple[str, str]]:
        whole = f" of {about.read:,} read" if about.read > self.count else ""
        yield "records", f"{self.count:,}{whole}"
        yield from self._facts.lines()
        if folds is not self._whole:
            left = self._whole.count - folds.count
            why = "chose a threshold or fitted a parameter"
            yield "figures", f"of {folds.count:,} records; {left:,} that {why} are left out"
        for who, place in zip(self._whole.of, (about.source, *about.sources), strict=False):
            fold, name = self._whole.of[who], about.names.get(who, who)
            if not about.sources:
                yield "from", place
            else:
                model = fold.name if fold.name != who else ""
                yield name, f"{model} from {place}".strip()
        if about.selection:
            yield "filters", about.selection


@dataclass
class _Folds:
    """The counted views of each student, over the same records.

    Attributes:
        of: by student, the first student first.
        quadrants: records by whether the label is right, and what the rationale supports.
        count: number of records.
    """

    of: dict[Who, ViewSummarizer] = field(
        default_factory=lambda: {"student": ViewSummarizer("student")}
    )
    quadrants: Counter[tuple[bool, Supports]] = field(default_factory=Counter)
    count: int = 0

    def add(self, item: ViewedRecord) -> None:
        view = item.view
        self.count += 1
        self.of["student"].add(view, view.student, item.record.get("student") or {})
        for index, record in enumerate(item.others):
            who = other_key(index)
            fold = self.of.setdefault(who, ViewSummarizer(who))
            fold.add(view, view.side(who), (record or {}).get("student") or {})
        supports = view.student.supports if view.student else None
        if supports is not None and view.is_right is not None:
            self.quadrants[view.is_right, supports] += 1


def _names(source: str, sources: tuple[str, ...]) -> dict[Who, str]:
    """Return a short name for each student; one alone is the student."""
    if not sources:
        return {"student": "student"}
    keys = ["student", *(other_key(index) for index in range(len(sources)))]
    return dict(zip(keys, run_names([source.split(", ")[0], *sources]), strict=True))


def _label_pair(view: View) -> dict[str, str]:
    """Return gold and answer as in the confusion matrix; {} without one."""
    pair = label_pair(view, view.student) if view.student else None
    if pair is None:
        return {}
    return {"gold_label": pair[0], **({} if pair[1] is None else {"given_label": pair[1]})}
