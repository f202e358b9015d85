"""Which records to show, and in which order: predicates on views, sampling, sorting, counting.

Pure functions of views; nothing here reads, prints or asks a student.
"""

from __future__ import annotations

import heapq
import random
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

from mitools.evaluate.measures.consistency import Supports
from mitools.explain.view import Change, View
from mitools.records import Record
from mitools.tasks import task_named

__all__ = [
    "SORT_KEYS",
    "Criteria",
    "FilterCounts",
    "Selection",
    "SortKey",
    "Supports",
    "ViewedRecord",
]

SortKey = Literal["confidence", "id", "length"]
SORT_KEYS: tuple[SortKey, ...] = ("confidence", "id", "length")


class ViewedRecord(NamedTuple):
    """A record and what there is to see in it; ``second`` is how a second student answered it."""

    record: Record
    view: View
    second: Record | None = None


@dataclass(frozen=True)
class Criteria:
    """What a record must be to be shown; every one that is given must hold.

    A record that lacks what a criterion asks about does not match it: without a gold label a
    record is neither right nor wrong.

    Attributes:
        is_right: whether the student's label equals gold.
        is_consistent: whether the student's rationale supports the student's own label; one that
            supports no answer is neither consistent nor inconsistent.
        low_confidence: the student's confidence is below this.
        confidently_wrong: the student's label is wrong at this confidence or a higher one.
        supports: the student's rationale argues for one of these: the ``student``'s own answer,
            else the ``gold`` one, else some ``other``, or ``none``.
        teacher_wrong: the teacher's label is not gold; a teacher without a label is not wrong.
        disagrees: teacher and student both answer, and differently.
        pattern: occurs in the input, a label or a rationale.
        labels: the gold label is one of these, as the task compares labels.
        changes: what a second student made of the student's label.
        is_changed: whether the second student gives another label.
    """

    is_right: bool | None = None
    is_consistent: bool | None = None
    low_confidence: float | None = None
    confidently_wrong: float | None = None
    supports: frozenset[Supports] = frozenset()
    teacher_wrong: bool = False
    disagrees: bool = False
    pattern: re.Pattern[str] | None = None
    labels: tuple[str, ...] = ()
    ids: frozenset[str] = frozenset()
    splits: frozenset[str] = frozenset()
    changes: frozenset[Change] = frozenset()
    is_changed: bool | None = None

    @property
    def needs_student(self) -> bool:
        """Whether any criterion looks at what the student says."""
        by_verdict = self.is_right is not None or self.is_consistent is not None
        by_confidence = self.low_confidence is not None or self.confidently_wrong is not None
        by_words = bool(self.supports or self.disagrees or self.pattern)
        return by_verdict or by_confidence or by_words or self.needs_second

    @property
    def needs_second(self) -> bool:
        """Whether any criterion compares the student with a second one."""
        return bool(self.changes) or self.is_changed is not None

    def matches(self, view: View) -> bool:
        return self.matches_without_student(view) and self.matches_student(view)

    def matches_without_student(self, view: View) -> bool:
        """Apply the criteria that hold or fail whatever the student says."""
        return (
            (not self.ids or view.id in self.ids)
            and (not self.splits or view.split in self.splits)
            and (not self.labels or _has_label(view, self.labels))
            and (not self.teacher_wrong or view.has("teacher_wrong"))
        )

    def matches_student(self, view: View) -> bool:
        """Apply the criteria that look at what the student says."""
        return (
            (self.is_right is None or view.is_right is self.is_right)
            and (self.is_consistent is None or view.is_consistent is self.is_consistent)
            and (self.low_confidence is None or _confidence(view, 2.0) < self.low_confidence)
            and (self.confidently_wrong is None or _is_sure(view, self.confidently_wrong))
            and (not self.supports or _supports(view) in self.supports)
            and (not self.changes or view.change in self.changes)
            and (self.is_changed is None or view.is_changed is self.is_changed)
            and (not self.disagrees or view.has("disagrees"))
            and (self.pattern is None or _contains(view, self.pattern))
        )


def _has_label(view: View, labels: tuple[str, ...]) -> bool:
    task = task_named(view.task)
    return view.gold is not None and any(task.is_equal(view.gold.label, label) for label in labels)


def _confidence(view: View, missing: float) -> float:
    if view.student is None or view.student.confidence is None:
        return missing
    return view.student.confidence


def _is_sure(view: View, confidence: float) -> bool:
    return view.is_right is False and _confidence(view, -1.0) >= confidence


def _supports(view: View) -> Supports | None:
    return view.student.supports if view.student else None


def _contains(view: View, pattern: re.Pattern[str]) -> bool:
    sides = (text for side in view.sides for text in (side.label or "", side.rationale))
    return any(pattern.search(text) for text in (view.input, *sides))


@dataclass(frozen=True)
class Selection:
    """Which of the matching items to show, and in which order.

    Attributes:
        sample: show so many of them, drawn at random, in the order of the input.
        sort: by the student's confidence, by id, or by the length of the input; small ones first,
            items without a confidence last.
        reverse: large ones first.
        limit: show only the first so many.
    """

    sample: int | None = None
    seed: int = 0
    sort: SortKey | None = None
    reverse: bool = False
    limit: int | None = None

    @property
    def needs_student(self) -> bool:
        return self.sort == "confidence"

    @property
    def reads_all(self) -> bool:
        """Whether the whole input is read before the first item can be shown."""
        return self.sort is not None or self.sample is not None

    def apply(self, items: Iterable[ViewedRecord]) -> Iterator[ViewedRecord]:
        """Select lazily: memory holds the sample, the limit when sorting, or one item.

        Sorting without a limit holds every item.
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
    """Yield at most ``limit`` items without asking for one more: that one may be a long wait."""
    remaining = limit
    for item in items if limit > 0 else ():
        yield item
        remaining -= 1
        if not remaining:
            return


def _sample(items: Iterable[ViewedRecord], size: int, seed: int) -> list[ViewedRecord]:
    """Draw ``size`` items, each as likely as any other, and keep their order (algorithm R)."""
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
    """Counts over one run.

    Attributes:
        read: records that came in; ``unanswered`` of them hold no answer by a second student,
            where there is one, and are left out; ``matching`` of the others meet every criterion.
        shown: matching records that were shown; what follows counts these.
        labelled: where student and gold both have a label; ``right`` of them agree.
        judged: where the student's rationale supports some answer; ``consistent`` of them support
            the student's own.
        taught: where it is known whether the teacher is right; it is in ``teacher_right``.
    """

    read: int = 0
    unanswered: int = 0
    with_student: int = 0
    matching: int = 0
    shown: int = 0
    labelled: int = 0
    right: int = 0
    judged: int = 0
    consistent: int = 0
    taught: int = 0
    teacher_right: int = 0

    def show(self, view: View) -> None:
        """Count one record that was shown."""
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
