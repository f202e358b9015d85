"""Filters, sampling, sorting and counting of views.

Pure functions of views; nothing here reads, prints or asks a student.
"""

from __future__ import annotations

import heapq
import random
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple

from mitools.explain.view import Change, View, other_key
from mitools.records import Record
from mitools.tasks import task_named

if TYPE_CHECKING:
    from mitools.evaluate.measures.consistency import Supports

__all__ = ["Criteria", "FilterCounts", "Selection", "SortKey", "ViewedRecord"]

SortKey = Literal["confidence", "id", "length"]


class ViewedRecord(NamedTuple):
    """A record with its view, and the record as other students answered it; None for no answer."""

    record: Record
    view: View
    others: Sequence[Record | None] = ()

    def as_record(self) -> Record:
        """Return the record, with the answers of other students in ``second``, ``third`` etc."""
        names = ("student", "scores")
        answers = {
            other_key(index): {name: other[name] for name in names if other.get(name)}
            for index, other in enumerate(self.others)
            if other is not None
        }
        return {**self.record, **answers} if answers else self.record


@dataclass(frozen=True)
class Criteria:
    """Conditions on a view; all that are given must hold.

    A record without the data of a condition does not meet it: without a gold label, a record is
    neither right nor wrong.

    Attributes:
        is_right: the student's label is gold, or is not.
        is_consistent: the student's rationale supports the student's label, or another answer; a
            rationale that supports no answer is neither consistent nor inconsistent.
        low_confidence: the student's confidence is below this.
        confidently_wrong: the student's label is wrong with at least this confidence.
        supports: the student's rationale supports one of these: the ``student``'s label, else
            ``gold``, else an ``other`` answer, or ``none``.
        teacher_wrong: the teacher's label is not gold; a teacher without a label is not wrong.
        disagrees: teacher and student have different labels.
        is_sure: the student's confidence is at or above its operating point, or below it.
        is_suspect: the student is sure, and its label, the teacher's and gold are not all equal.
        pattern: has a match in the input, a label or a rationale.
        labels: the gold label is one of these, as the task compares labels.
        ids: the id is one of these.
        splits: the split is one of these.
        changes: which of two students has the label right, the first or any of the others.
        is_changed: two students have different labels.
    """

    is_right: bool | None = None
    is_consistent: bool | None = None
    low_confidence: float | None = None
    confidently_wrong: float | None = None
    supports: frozenset[Supports] = frozenset()
    teacher_wrong: bool = False
    disagrees: bool = False
    is_sure: bool | None = None
    is_suspect: bool = False
    pattern: re.Pattern[str] | None = None
    labels: tuple[str, ...] = ()
    ids: frozenset[str] = frozenset()
    splits: frozenset[str] = frozenset()
    changes: frozenset[Change] = frozenset()
    is_changed: bool | None = None

    @property
    def needs_student(self) -> bool:
        """Whether any condition depends on the student's answer."""
        by_verdict = self.is_right is not None or self.is_consistent is not None
        by_confidence = self.low_confidence is not None or self.confidently_wrong is not None
        by_words = bool(self.supports or self.disagrees or self.pattern)
        return by_verdict or by_confidence or by_words or self.needs_point or self.needs_second

    @property
    def needs_point(self) -> bool:
        """Whether any condition depends on the student's operating point."""
        return self.is_sure is not None or self.is_suspect

    @property
    def needs_second(self) -> bool:
        """Whether any condition compares the student with a second one."""
        return bool(self.changes) or self.is_changed is not None

    def matches(self, view: View) -> bool:
        """Return whether all conditions hold."""
        return self.matches_without_student(view) and self.matches_student(view)

    def matches_without_student(self, view: View) -> bool:
        """Return whether the conditions hold that do not depend on the student's answer."""
        return (
            (not self.ids or view.id in self.ids)
            and (not self.splits or view.split in self.splits)
            and (not self.labels or _has_label(view, self.labels))
            and (not self.teacher_wrong or view.has("teacher_wrong"))
        )

    def matches_student(self, view: View) -> bool:
        """Return whether the conditions hold that depend on the student's answer."""
        return (
            (self.is_right is None or view.is_right is self.is_right)
            and (self.is_consistent is None or view.is_consistent is self.is_consistent)
            and (self.low_confidence is None or _confidence(view, 2.0) < self.low_confidence)
            and (self.confidently_wrong is None or _is_sure(view, self.confidently_wrong))
            and (not self.supports or _supports(view) in self.supports)
            and (not self.changes or bool(_changes(view) & self.changes))
            and (self.is_changed is None or view.is_changed is self.is_changed)
            and (not self.disagrees or view.has("disagrees"))
            and (self.is_sure is None or view.is_sure is self.is_sure)
            and (not self.is_suspect or view.is_suspect)
            and (self.pattern is None or _contains(view, self.pattern))
        )


def _has_label(view: View, labels: tuple[str, ...]) -> bool:
    task = task_named(view.task, view.choices)
    return view.gold is not None and any(task.is_equal(view.gold.label, label) for label in labels)


def _confidence(view: View, missing: float) -> float:
    if view.student is None or view.student.confidence is None:
        return missing
    return view.student.confidence


def _is_sure(view: View, confidence: float) -> bool:
    return view.is_right is False and _confidence(view, -1.0) >= confidence


def _supports(view: View) -> Supports | None:
    return view.student.supports if view.student else None


def _changes(view: View) -> frozenset[Change]:
    return frozenset(side.change for side in view.others if side.change is not None)


def _contains(view: View, pattern: re.Pattern[str]) -> bool:
    sides = (text for side in view.sides for text in (side.label or "", side.rationale))
    return any(pattern.search(text) for text in (view.input, *sides))


@dataclass(frozen=True)
class Selection:
    """How many of the matching records to show, and in which order.

    Attributes:
        sample: number of records to draw at random; they keep the input order.
        seed: of the sample.
        sort: by the student's confidence, by id, or by the length of the input, ascending; records
            without a confidence come last.
        reverse: descending order.
        limit: the most records to show.
    """

    sample: int | None = None
    seed: int = 0
    sort: SortKey | None = None
    reverse: bool = False
    limit: int | None = None

    @property
    def needs_student(self) -> bool:
        """Whether the order depends on the student's answer."""
        return self.sort == "confidence"

    @property
    def reads_all(self) -> bool:
        """Whether all records are read before the first one is shown."""
        return self.sort is not None or self.sample is not None

    def apply(self, items: Iterable[ViewedRecord]) -> Iterator[ViewedRecord]:
        """Yield the selected records.

        Memory holds the sample, the limit when sorting, or one record. Sorting without a limit
        holds all records.
        """
        if self.sample is not None:
            items = _sample(items, self.sample, self.seed)
        if self.sort is not None:
            items = self._sort(items, _KEYS[self.sort])
        yield from items if self.limit is None else _first(items, self.limit)

    def _sort(
        self, items: Iterable[ViewedRecord], value_of: Callable[[View], object]
    ) -> list[ViewedRecord]:
        def key(item: ViewedRecord) -> tuple[bool, object]:
            value = value_of(item.view)
            return (value is None) is not self.reverse, value if value is not None else 0

        if self.limit is None:
            return sorted(items, key=key, reverse=self.reverse)
        pick = heapq.nlargest if self.reverse else heapq.nsmallest
        return pick(self.limit, items, key=key)


_KEYS: dict[SortKey, Callable[[View], object]] = {
    "confidence": lambda view: view.student.confidence if view.student else None,
    "id": lambda view: view.id,
    "length": lambda view: len(view.input),
}


def _first(items: Iterable[ViewedRecord], limit: int) -> Iterator[ViewedRecord]:
    """Yield at most ``limit`` items and do not request one more, which may take long."""
    remaining = limit
    for item in items if limit > 0 else ():
        yield item
        remaining -= 1
        if not remaining:
            return


def _sample(items: Iterable[ViewedRecord], size: int, seed: int) -> list[ViewedRecord]:
    """Draw ``size`` items uniformly and keep their order (reservoir sampling, algorithm R)."""
    rng = random.Random(seed)
    kept: list[tuple[int, ViewedRecord]] = []
    for index, item in enumerate(items):
        if len(kept) < size:
            kept.append((index, item))
        elif (slot := rng.randrange(index + 1)) < size:
            kept[slot] = (index, item)
    return [item for _, item in sorted(kept, key=lambda pair: pair[0])]


@dataclass
class FilterCounts:
    """Counts of the records of one run.

    Attributes:
        read: records read.
        unanswered: records left out, since no other student answered them.
        with_student: records read that have a student's answer.
        with_point: records read that say whether that answer is sure.
        matching: records that meet all conditions.
        shown: matching records that were shown. The counts below are of these.
        labelled: records with a gold label and a student's label; ``right`` of them agree.
        judged: records whose student rationale supports an answer; ``consistent`` of them support
            the student's label.
        taught: records with a known verdict on the teacher; ``teacher_right`` of them are right.
    """

    read: int = 0
    unanswered: int = 0
    with_student: int = 0
    with_point: int = 0
    matching: int = 0
    shown: int = 0
    labelled: int = 0
    right: int = 0
    judged: int = 0
    consistent: int = 0
    taught: int = 0
    teacher_right: int = 0

    def show(self, view: View) -> None:
        """Count a record that was shown."""
        self.shown += 1
        if view.is_right is not None:
            self.labelled += 1
            self.right += view.is_right
        if view.is_consistent is not None:
            self.judged += 1
            self.consistent += view.is_consistent
        if view.teacher is not None and view.teacher.is_right is not None:
            self.taught += 1
            self.teacher_right += view.teacher.is_right

    def __str__(self) -> str:
        """Return the counts in words."""
        counts = [f"{self.shown:,} shown"]
        if self.matching != self.shown:
            counts.append(f"{self.matching:,} matching")
        if self.read != self.matching:
            counts.append(f"{self.read:,} read")
        parts = [" of ".join(counts)]
        for what, count, total in (
            ("label right", self.right, self.labelled),
            ("consistent", self.consistent, self.judged),
            ("teacher right", self.teacher_right, self.taught),
        ):
            if total:
                parts.append(f"{what} {count:,}/{total:,} ({count / total:.0%})")
        return "; ".join(parts)
