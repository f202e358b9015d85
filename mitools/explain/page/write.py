"""Writing the page: records are added one by one, then the whole file is written.

Rows go to a temporary file first, so that memory holds a few numbers per record. The same records
always give the same page.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import IO, Any

from markupsafe import Markup

from mitools.evaluate.measures.consistency import Supports
from mitools.evaluate.operating.roles import role_in
from mitools.explain.counted import (
    NOT_EVALUATED,
    PARTS,
    Part,
    part_of_summary,
    parts_of,
    usual_part,
)
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
from mitools.explain.summary_file import Summary, is_number
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
    source: str | Sequence[str] = "records",
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
        source: the file of the records, or several files; shown on the page.
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
        page.finish(stream, run, (source,) if isinstance(source, str) else source, warn)
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
    _parts: dict[Part, _Folds] = field(default_factory=lambda: {part: _Folds() for part in PARTS})
    _apart: Counter[str | None] = field(default_factory=Counter)
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
        for part in parts_of(item.record):
            self._parts[part].add(item)
        self._apart[None if role_in(item.record) is not None else view.split] += 1
        row = {**row_of(view), **_label_pair(view)}
        if self.replies is not None and (found := self.replies.of(view.id)):
            row["replies"] = found
        self._rows.add(safe_json(row), dump_line(item.as_record()))

    def doubts(self) -> list[str]:
        """Return warnings about summaries of other records than those added, one sentence each."""
        found = []
        for who, summary in self.summaries.items():
            folds = self._parts[self._part_of(summary)]
            if who in folds.of:
                found += [
                    f"{doubt}{'' if who == 'student' else f' ({who} student)'}"
                    for doubt in doubts(summary, folds.of[who], folds.count)
                ]
        return found

    @property
    def _whole(self) -> _Folds:
        return self._parts["whole"]

    @property
    def _counted(self) -> Part:
        """The records that the figures are of."""
        return self._part_of(self.summaries.get("student"))

    def _part_of(self, summary: Summary | None) -> Part:
        """Return the records that a summary counts, or the usual ones without one.

        A summary of another number of records fits none; :meth:`doubts` says so.
        """
        sizes = {part: folds.count for part, folds in self._parts.items()}
        if summary is not None:
            if (part := part_of_summary(summary, sizes)) is not None:
                return part
            if is_number(summary.get("records")):
                return "unmarked" if sizes["unmarked"] else "whole"
        answered = [one for one, found in self._parts.items() if found.of["student"].has_answers]
        return usual_part(answered)

    def write(self, stream: IO[str], about: PageFacts) -> None:
        """Write the whole page."""
        for piece in render_page("page.html", self._context(about)):
            stream.write(piece)

    def finish(
        self,
        stream: IO[str],
        run: ExplanationRun,
        files: Sequence[str],
        warn: Callable[[str], None],
    ) -> None:
        """Write the whole page of a run.

        Args:
            stream: receives the page.
            run: that has yielded the records.
            files: of the records.
            warn: receives the warnings about summaries of other records; the page shows them too.
        """
        found = tuple(self.doubts())
        for doubt in found:
            warn(doubt)
        sources = tuple(other.name for other in run.others)
        options = run.options
        facts = PageFacts(
            source=", ".join(files),
            version=version("mitools"),
            read=run.counts.read,
            selection=options.filters_as_typed(),
            sources=sources,
            comparisons=run.comparisons_in(self._counted),
            notes=found,
            names=_names(files, sources),
            command=command_words(options, files),
            is_drawn=options.sample is not None or options.limit is not None,
            low=options.thresholds.low,
            high=options.thresholds.high,
        )
        self.write(stream, facts)

    def _context(self, about: PageFacts) -> dict[str, Any]:
        folds = self._parts[self._counted]
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
            "config": Markup(safe_json(self._config(about, names))),
            "rows": map(Markup, self._rows.rows()),
            "lines": map(Markup, self._rows.lines()),
        }

    def _config(self, about: PageFacts, names: Mapping[Who, str]) -> dict[str, Any]:
        """Return what the script needs beside the records."""
        return {
            "flags": self._flags,
            "runs": [
                {"who": who, "name": names[who]}
                for who, fold in self._whole.of.items()
                if fold.has_answers
            ],
            "letters": letters(),
            "apart": self._splits_apart(),
            "command": list(about.command),
            "selection": about.selection,
            "isDrawn": about.is_drawn,
            "low": about.low,
            "high": about.high,
        }

    def _splits_apart(self) -> list[str] | None:
        """Return the splits that the figures leave out, beside records with a role; None if none.

        None also means that the figures are of all records.
        """
        part = self._counted
        if self._parts[part].count == self._whole.count:
            return None
        return list(NOT_EVALUATED) if part == "evaluated" else []

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
        if (splits := self._splits_apart()) is not None:
            what: dict[str | None, str] = {None: "that chose a threshold or fitted a parameter"}
            what |= {split: f"of the split {split}" for split in splits}
            left = [
                f"{self._apart[one]:,} {said}" for one, said in what.items() if self._apart[one]
            ]
            yield "figures", f"of {folds.count:,} records; {' and '.join(left)} are left out"
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


def _names(files: Sequence[str], sources: tuple[str, ...]) -> dict[Who, str]:
    """Return a short name for each student; one alone is the student."""
    if not sources:
        return {"student": "student"}
    keys = ["student", *(other_key(index) for index in range(len(sources)))]
    return dict(zip(keys, run_names([files[0], *sources]), strict=True))


def _label_pair(view: View) -> dict[str, str]:
    """Return gold and answer as in the confusion matrix; {} without one."""
    pair = label_pair(view, view.student) if view.student else None
    if pair is None:
        return {}
    return {"gold_label": pair[0], **({} if pair[1] is None else {"given_label": pair[1]})}
