"""The facts at the top of a page: its title, and what the records are."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from mitools.explain.second_student import LabelChanges
from mitools.explain.view import View, Who

__all__ = ["PageFacts", "RecordFacts", "compared"]

_TRAINED = {("label",): "label only", ("rationale",): "rationale only"}
_ORDERS = {
    "rationale-label": "rationale, then label",
    "label-rationale": "label, then rationale",
}
_KIND = ("student trained on", "student decodes")


@dataclass(frozen=True, slots=True)
class PageFacts:
    """Facts about a page, shown at its top.

    Attributes:
        source: where the records are from.
        version: of mitools.
        read: number of records read; the page may have fewer.
        selection: the filters, as they are typed; empty without filters.
        sources: where the answers of other students are from.
        comparisons: their changes, over all records that were compared, by student.
        notes: warnings for the reader, one sentence each.
        names: a short name for each student; by default its key.
        command: the words of the command that gives these records; empty if there is none.
        is_drawn: whether a sample or a limit chose among the records.
        low: confidence below which a record has the flag ``low confidence``.
        high: confidence from which on a wrong record has the flag ``confidently wrong``.
    """

    source: str
    version: str
    read: int = 0
    selection: str = ""
    sources: tuple[str, ...] = ()
    comparisons: Mapping[Who, LabelChanges] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    names: Mapping[Who, str] = field(default_factory=dict)
    command: tuple[str, ...] = ()
    is_drawn: bool = False
    low: float = 0.6
    high: float = 0.9


@dataclass
class RecordFacts:
    """Counts of what the records are."""

    _counts: dict[str, Counter[str]] = field(
        default_factory=lambda: {name: Counter() for name in ("task", "split", *_KIND)}
    )

    def add(self, view: View, answer: Mapping[str, Any]) -> None:
        """Add a record: its view, and the field ``student``."""
        found = {"task": view.task, "split": view.split, **_kind(answer)}
        for name, value in found.items():
            self._counts[name][value] += 1

    def lines(self) -> Iterator[tuple[str, str]]:
        """Yield names and values."""
        for name, counts in self._counts.items():
            values = [value for value, _ in counts.most_common() if value]
            if values:
                is_plural = len(values) > 1 and name not in _KIND
                yield f"{name}s" if is_plural else name, ", ".join(values[:6])


def _kind(answer: Mapping[str, Any]) -> dict[str, str]:
    """Return what a student was trained on and what it decodes first, where unusual."""
    trained, order = tuple(answer.get("trained") or ()), str(answer.get("order"))
    return dict(zip(_KIND, (_TRAINED.get(trained, ""), _ORDERS.get(order, "")), strict=True))


def compared(changes: LabelChanges, seed: int) -> Iterator[str]:
    """Yield the comparison of two students, one sentence each.

    Args:
        changes: of the second student, against the first.
        seed: of the resampled interval.
    """
    difference = changes.difference(seed)
    if difference is None:
        return
    yield changes.as_text()
    interval = ""
    if difference.ci95:
        low, high = difference.ci95
        interval = f" ({100 * low:+.1f} to {100 * high:+.1f})"
    n = changes.counts.total()
    sentence = f"accuracy {100 * difference.value:+.1f} points{interval} on {n:,} records"
    if (least := difference.details.get("smallest_detectable")) is not None:
        found = f"smallest difference detectable with 80% power: {100 * float(least):.1f} points"
        sentence = f"{sentence}; {found}"
    yield sentence
    if note := difference.details.get("note"):
        yield str(note)
