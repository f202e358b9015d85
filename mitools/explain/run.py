"""One pass over records: look at each, ask a student where none has answered, keep what matches.

Streams. A student is opened when the first record that needs it has arrived, and is asked as
little as the filters allow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from mitools.explain.build_view import view_of
from mitools.explain.filters import Criteria, FilterCounts, Selection, ViewedRecord
from mitools.explain.versus import LabelChanges, Versus
from mitools.explain.view import Thresholds, View
from mitools.records import Record, Reject, raise_fault
from mitools.tasks import task_of

if TYPE_CHECKING:
    from mitools.evaluate.run import Opened

__all__ = ["ExplainOptions", "Explanation", "read_ahead"]


@dataclass(frozen=True, slots=True)
class ExplainOptions:
    """What to show, and how to ask.

    Attributes:
        criteria: what a record must be.
        selection: which of the matching records, and in which order.
        thresholds: what is flagged as low or high confidence.
        task: use this task instead of each record's own.
        chunk: how many records the student is asked about at once.
    """

    criteria: Criteria = field(default_factory=Criteria)
    selection: Selection = field(default_factory=Selection)
    thresholds: Thresholds = field(default_factory=Thresholds)
    task: str | None = None
    chunk: int = 32


def read_ahead(items: Iterator[ViewedRecord], count: int) -> Iterator[ViewedRecord]:
    """Await ``count`` items, or the end, before the first one is passed on.

    An interrupt ends the wait: what has arrived is passed on, and then the interrupt is.
    """
    held: list[ViewedRecord] = []
    try:
        held.extend(islice(items, count))
    except KeyboardInterrupt:
        yield from held
        raise
    yield from held
    yield from items


class Explanation:
    """Turns records into items to show.

    Attributes:
        tally: counts them.
        comparison: counts what a second student changed, over the records that meet the criteria
            which do not look at answers: counts of records chosen by their outcome say nothing.
        is_complete: whether the last item was taken; whoever looks may leave earlier.
        has_read_all: whether the input was read to its end.
    """

    def __init__(
        self,
        settings: ExplainOptions,
        open_student: Callable[[], Opened] | None = None,
        warn: Callable[[str], None] = lambda _text: None,
        versus: Versus | None = None,
    ) -> None:
        """Prepare a pass.

        Args:
            settings: what to show, and how to ask.
            open_student: opens the student that answers where a record holds none; None: nobody is
                asked.
            warn: receives what a person should know, one sentence each.
            versus: a second student's answers; only records that it answered are looked at.
        """
        self.settings = settings
        self.tally = FilterCounts()
        self.comparison = LabelChanges()
        self.versus = versus
        self.is_complete = self.has_read_all = False
        self._open_student = open_student
        self._opened: Opened | None = None
        self._warn = warn
        self._reject: Reject = raise_fault

    def run(
        self, records: Iterable[Record], reject: Reject = raise_fault
    ) -> Iterator[ViewedRecord]:
        """Yield the items to show.

        Args:
            records: what to look at.
            reject: called with each record that cannot be looked at, and why.
        """
        self._reject = reject
        criteria, selection = self.settings.criteria, self.settings.selection
        items = self._meeting(criteria.matches_without_student, self._looked_at(records))
        if self.versus is not None:
            items = self._compared(self._answered(items))
        if criteria.needs_student or selection.needs_student:
            items = self._meeting(criteria.matches_student, self._answered(items))
            chosen = selection.apply(self._counted(items))
        else:
            chosen = self._answered(selection.apply(self._counted(items)))
        for item in chosen:
            self.tally.show(item.view)
            yield item
        self.is_complete = True

    def _looked_at(self, records: Iterable[Record]) -> Iterator[ViewedRecord]:
        for position, record in enumerate(records, start=1):
            self.tally.read = position
            self.tally.with_student += bool(record.get("student"))
            second = self.versus.answer_to(record) if self.versus else None
            if self.versus and second is None:
                self.tally.unanswered += 1
                continue
            try:
                item = self._item(record, position, second)
            except Exception as exc:
                self._reject(record, exc)
            else:
                yield item
        self.has_read_all = True

    def _item(self, record: Record, position: int, second: Record | None) -> ViewedRecord:
        settings = self.settings
        view = view_of(
            record,
            position,
            task=settings.task,
            thresholds=settings.thresholds,
            second=second,
        )
        return ViewedRecord(record, view, second)

    def _compared(self, items: Iterable[ViewedRecord]) -> Iterator[ViewedRecord]:
        for item in items:
            self.comparison.add(item.view)
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
            self.tally.matching += 1
            yield item

    def _answered(self, items: Iterator[ViewedRecord]) -> Iterator[ViewedRecord]:
        """Let the student answer where nobody has, a chunk at a time."""
        if self._open_student is None:
            yield from items
            return
        while chunk := list(islice(items, self.settings.chunk)):
            silent = [item for item in chunk if not item.record.get("student")]
            answers = iter(self._ask(silent) if silent else ())
            for item in chunk:
                if item.record.get("student"):
                    yield item
                else:
                    yield self._item(next(answers), item.view.position, item.second)

    def _ask(self, items: list[ViewedRecord]) -> list[Record]:
        from mitools.evaluate.predict import origin, predict
        from mitools.evaluate.score import scored

        assert self._open_student is not None
        if self._opened is None:
            self._opened = self._open_student()
            self._check_task(items[0].view)
        records = [item.record for item in items]
        rationales = self._opened.has_rationales
        answers = predict(self._opened.student, records, rationales=rationales)
        said = origin(self._opened)
        filled = [
            {**record, "student": {**answer, **said}}
            for record, answer in zip(records, answers, strict=True)
        ]
        # Verdicts on an answer that is no longer there must not stand beside the new one.
        return [
            scored(record, task_of(record, self.settings.task)) if record.get("scores") else record
            for record in filled
        ]

    def _check_task(self, view: View) -> None:
        assert self._opened is not None
        taught = self._opened.student.metadata.get("task")
        if isinstance(taught, str) and taught != view.task:
            self._warn(f'the student learned the task "{taught}", the records are "{view.task}"')
