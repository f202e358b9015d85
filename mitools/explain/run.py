"""The entry point of the stage: one pass over records, which yields what there is to see in them.

Records are processed as they come. A student is opened when the first record that needs it has
arrived, and is asked only about records that the filters need.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from mitools.explain.build_view import view_of
from mitools.explain.counted import PARTS, Part, parts_of, usual_part
from mitools.explain.filters import FilterCounts, ViewedRecord
from mitools.explain.live import text_record
from mitools.explain.options import ExplainOptions
from mitools.explain.second_student import LabelChanges, SecondStudent
from mitools.explain.view import View, Who, other_key
from mitools.gold import with_known_labels
from mitools.records import Record, Reject, raise_fault, read_records
from mitools.tasks import task_of

if TYPE_CHECKING:
    from mitools.evaluate.run import OpenedStudent
    from mitools.explain.overview import Overview
    from mitools.operating.point import OperatingPoint

__all__ = ["ExplanationRun", "explain_records"]


def explain_records(
    records: Iterable[Record] = (),
    options: ExplainOptions | None = None,
    *,
    warn: Callable[[str], None] = lambda _text: None,
) -> Iterator[View]:
    """Return a view of each selected record, as ``mitools explain`` shows it.

    A view puts the answers of gold, teacher and student side by side, with what is right and what
    is not. :class:`~mitools.explain.terminal.Terminal` renders it as text.

        >>> records = [
        ...     {"id": "a", "input": "2 + 2?", "label": "4", "student": {"label": "5"}},
        ...     {"id": "b", "input": "2 + 3?", "label": "5", "student": {"label": "5"}},
        ... ]
        >>> for view in explain_records(records, ExplainOptions(wrong=True)):
        ...     print(view.id, view.gold.label, view.student.label, view.is_right)
        a 4 5 False

    Args:
        records: the records; not read if ``options.text`` is given.
        options: which records to show, and which student to ask; the defaults of
            :class:`ExplainOptions` if None.
        warn: receives warnings, one sentence each.

    Yields:
        The views of the selected records.

    Raises:
        UsageError: two options contradict each other, or one needs another.
        StudentError: the folder ``options.student`` does not hold a usable student.
        SourceError, DataError: a file of ``options.vs`` cannot be read, or a record is invalid;
            MissingFieldError, one of its kinds: a record has no id to match it by.
    """
    run = ExplanationRun(options or ExplainOptions(), warn=warn)
    return (item.view for item in run.run(records))


class ExplanationRun:
    """One pass over records.

    Attributes:
        options: which records to show, and which student to ask.
        counts: counts of the records.
        others: the answers of other students.
        overview: the main figures and the next commands, if an overview is shown.
        is_complete: whether the last record was taken; a reader may stop earlier.
        has_read_all: whether the input was read to its end.
    """

    def __init__(
        self,
        options: ExplainOptions,
        *,
        open_student: Callable[[], OpenedStudent] | None = None,
        others: Sequence[SecondStudent] | None = None,
        warn: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """Check the options and read the answers of other students.

        Args:
            options: which records to show, and which student to ask.
            open_student: opens the student that answers; by default that of ``options.student``.
            others: answers of other students; by default those of the files ``options.vs``. Only
                records that one of them answered are shown.
            warn: receives warnings, one sentence each.

        Raises:
            UsageError: two options contradict each other, one needs another, or there is no such
                device.
            SourceError, DataError: a file of ``options.vs`` cannot be read.
        """
        options.check()
        if options.device is not None and options.student is not None:
            from mitools.student.devices import choose_device

            choose_device(options.device)  # a wrong one fails before anything is read
        if others is None:
            others = [SecondStudent(read_records(path), path) for path in options.other_files]
        if open_student is None and options.student is not None:
            open_student = self._open_saved_student
        self.options = options
        self.counts = FilterCounts()
        self.others = tuple(others)
        self._changes: dict[Part, dict[Who, LabelChanges]] = {
            part: {other_key(index): LabelChanges() for index in range(len(self.others))}
            for part in PARTS[:-1]  # what chose a threshold is in no figure
        }
        self.overview = self._make_overview()
        self.is_complete = self.has_read_all = False
        self._open_student = open_student
        self._opened: OpenedStudent | None = None
        self._point: OperatingPoint | None = None
        self._answering = options.answering
        self._has_checked_task = False
        self._thresholds = options.thresholds
        self._warn = warn
        self._reject: Reject = raise_fault

    @property
    def comparisons(self) -> Mapping[Who, LabelChanges]:
        """By student, counts of what it changed, over the records that figures are usually of.

        They are of the records that meet the criteria which do not look at answers: counts of
        records chosen by their outcome would be biased.
        """
        counted = [
            part for part, found in self._changes.items() if any(map(_total, found.values()))
        ]
        return self.comparisons_in(usual_part(counted))

    def comparisons_in(self, part: Part) -> Mapping[Who, LabelChanges]:
        """Return the counts over one part of the records; none has a role."""
        return self._changes["evaluated" if part == "evaluated" else "unmarked"]

    def left_out(self, who: Who) -> int:
        """Return how many records of train or valid :attr:`comparisons` leave out."""
        return _total(self._changes["unmarked"][who]) - _total(self.comparisons[who])

    def run(
        self, records: Iterable[Record] = (), reject: Reject = raise_fault
    ) -> Iterator[ViewedRecord]:
        """Yield the selected records with their views.

        Args:
            records: the records; not read if the options hold a text.
            reject: called with each record that cannot be shown, and the error.
        """
        self._reject = reject
        criteria, selection = self.options.criteria, self.options.selection
        # Filters that need no answer go first: the student is asked only about what they leave.
        items = self._meeting(criteria.matches_without_student, self._viewed(self._input(records)))
        if self.others:
            items = self._compared(self._answered(items))
        if self.overview is not None:
            chosen = self._examples(self._counted(self._answered(items)))
        elif criteria.needs_student or selection.needs_student:
            items = self._meeting(criteria.matches_student, self._answered(items))
            chosen = selection.apply(self._counted(items))
        else:
            chosen = self._answered(selection.apply(self._counted(items)))
        for item in chosen:
            self.counts.show(item.view)
            yield item
        self.is_complete = True

    def _input(self, records: Iterable[Record]) -> Iterable[Record]:
        options = self.options
        if options.text is not None:
            metadata = self._student().student.metadata
            return [text_record(options.text, options.choices, options.task, metadata)]
        if self._open_student is None:
            return with_known_labels(records, None, options.task)
        return with_known_labels(records, lambda: self._student().student.metadata, options.task)

    def _student(self) -> OpenedStudent:
        """Open the student once."""
        assert self._open_student is not None
        if self._opened is None:
            from mitools.asking.readings import check_ways

            opened = self._open_student()
            metadata = opened.student.metadata
            self._answering = self.options.answering_of(metadata)
            if self.options.criteria.needs_point:
                from mitools.explain.saved_point import answering_of_point, saved_point

                self._point = saved_point(opened)
                if self._point is not None:
                    self._answering = answering_of_point(self._point, self.options)
            check_ways(metadata, self._answering.way)
            self._opened = opened
        return self._opened

    def _open_saved_student(self) -> OpenedStudent:
        from mitools.asking.opening import open_student
        from mitools.operating.point import OperatingPoint, has_point

        assert self.options.student is not None
        folder, precision = Path(self.options.student), "fp32"
        if self.options.criteria.needs_point and has_point(folder):
            precision = OperatingPoint.load(folder).precision
        return open_student(folder, self.options.device, precision=precision)  # type: ignore[arg-type]

    def _viewed(self, records: Iterable[Record]) -> Iterator[ViewedRecord]:
        for position, record in enumerate(records, start=1):
            self.counts.read = position
            self.counts.with_student += bool(record.get("student"))
            others = [other.answer_to(record) for other in self.others]
            if self.others and not any(others):
                self.counts.unanswered += 1
                continue
            try:
                item = self._item(record, position, others)
            except Exception as exc:
                self._reject(record, exc)
            else:
                self.counts.with_point += item.view.is_sure is not None
                yield item
        self.has_read_all = True

    def _item(self, record: Record, position: int, others: Sequence[Record | None]) -> ViewedRecord:
        view = view_of(
            record,
            position,
            task=self.options.task,
            thresholds=self._thresholds,
            others=others,
        )
        return ViewedRecord(record, view, others)

    def _compared(self, items: Iterable[ViewedRecord]) -> Iterator[ViewedRecord]:
        for item in items:
            records = (item.record, *(other for other in item.others if other))
            parts = set(PARTS).intersection(*map(parts_of, records))
            for part, found in self._changes.items():
                if part in parts:
                    for who, changes in found.items():
                        changes.add(item.view.side(who))
            yield item

    def _meeting(
        self, matches: Callable[[View], bool], items: Iterable[ViewedRecord]
    ) -> Iterator[ViewedRecord]:
        for item in items:
            try:
                is_met = matches(item.view)
            except Exception as exc:
                self._reject(item.record, exc)
            else:
                if is_met:
                    yield item

    def _counted(self, items: Iterable[ViewedRecord]) -> Iterator[ViewedRecord]:
        for item in items:
            self.counts.matching += 1
            if self.overview is not None:
                self.overview.add(item)
            yield item

    def _make_overview(self) -> Overview | None:
        if not self.options.is_overview:
            return None
        from mitools.explain.overview import Overview

        return Overview()

    def _examples(self, items: Iterable[ViewedRecord]) -> Iterator[ViewedRecord]:
        from mitools.explain.examples import choose_examples

        yield from choose_examples(items, self.options.seed)

    def _answered(self, items: Iterator[ViewedRecord]) -> Iterator[ViewedRecord]:
        """Ask the student about records without an answer, a batch at a time."""
        if self._open_student is None:
            yield from items
            return
        while batch := list(islice(items, self.options.batch_size)):
            unanswered = [item for item in batch if not item.record.get("student")]
            answers = iter(self._ask(unanswered) if unanswered else ())
            for item in batch:
                if item.record.get("student"):
                    yield item
                else:
                    answered = self._item(next(answers), item.view.position, item.others)
                    self.counts.with_point += answered.view.is_sure is not None
                    yield answered

    def _ask(self, items: list[ViewedRecord]) -> list[Record]:
        from mitools.asking.predict import origin
        from mitools.asking.reader import ask
        from mitools.evaluate.score import scored

        opened = self._student()
        self._check_task(opened, items[0].view)
        records = [item.record for item in items]
        task, has_rationales = self.options.task, opened.has_rationales
        answers = ask(
            opened.student, records, self._answering, rationales=has_rationales, task=task
        )
        facts = origin(opened)
        filled = [
            {**record, "student": {**answer, **facts}}
            for record, answer in zip(records, answers, strict=True)
        ]
        # Scores of an earlier answer must not stand beside the new one.
        filled = [
            scored(record, task_of(record, task)) if record.get("scores") else record
            for record in filled
        ]
        if self._point is None:
            return filled
        from mitools.explain.saved_point import mark

        return [mark(record, self._point, task) for record in filled]

    def _check_task(self, opened: OpenedStudent, view: View) -> None:
        """Warn once if the student was trained on another task than that of the records."""
        if self._has_checked_task:
            return
        self._has_checked_task = True
        trained = opened.student.metadata.get("task")
        if isinstance(trained, str) and trained != view.task:
            self._warn(f'the student was trained on the task "{trained}", not "{view.task}"')


def _total(changes: LabelChanges) -> int:
    return changes.counts.total()
