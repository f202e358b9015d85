"""What a run with a student before the teacher is expected to cost; no model is opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from mitools.annotate.dry_run import CostEstimate, DryRun
from mitools.annotate.options import AnnotateOptions, Price
from mitools.annotate.protocol import Front, ToTeacher
from mitools.cascade.options import CascadeOptions
from mitools.cascade.selection import has_answer
from mitools.gold import with_label_sets
from mitools.operating.point import OperatingPoint, has_point
from mitools.records import Record

__all__ = ["asked_records", "expected_lines", "may_ask"]


def may_ask(record: Record, cascade: CascadeOptions) -> bool:
    """Return whether the teacher may be asked about a record."""
    return cascade.chosen is None or not has_answer(record)


def asked_records(
    front: Front, records: Iterable[Record], options: AnnotateOptions
) -> Iterator[Record]:
    """Yield the records that the teacher is asked about, as a front decides."""
    labelled = with_label_sets(islice(records, options.limit), options.task)
    for item in front.route(labelled):
        if isinstance(item, ToTeacher):
            yield item.record


def expected_lines(done: DryRun, cascade: CascadeOptions) -> list[str]:
    """Say how much of an estimate over all records the teacher is expected to be asked.

    Args:
        done: the estimate over the records that pass :func:`may_ask`.
        cascade: which student.

    Raises:
        StudentError: the operating point cannot be read.
    """
    rows, estimate = done.estimate.rows, done.estimate
    if cascade.chosen is not None:
        count = min(cascade.chosen, rows)
        if not rows:
            return ["every record has an answer: nothing is chosen"]
        return [f"{count:,} of these rows are chosen: {_cost(estimate, count / rows, done.price)}"]
    if cascade.student is None:
        return []
    if cascade.threshold is not None:
        return ["the share that the student answers at --threshold is not known before it is asked"]
    if not has_point(cascade.student):
        return [f"{cascade.student} has no operating point, so its share is not known"]
    point = OperatingPoint.load(cascade.student)
    if point.coverage is None:
        return ["the operating point states no coverage"]
    share = 1 - point.coverage
    return [
        f"the student answers about {point.coverage:.1%} of the rows by itself (its operating "
        f"point, {point.records:,} records)",
        f"about {share * rows:,.0f} rows go to the teacher: {_cost(estimate, share, done.price)}",
    ]


def _cost(estimate: CostEstimate, share: float, price: Price | None) -> str:
    calls = f"about {share * estimate.expected.calls:,.0f} calls"
    cost = estimate.expected.cost(price)
    return calls if cost is None else f"{calls}, ${share * cost:,.4f} expected"
