"""The bill of a run with a student before the teacher: what each cost, and what was saved.

The teacher's dollars are those of its token counts at the given price, also where its answers came
from the journal. The student costs the time that it took, where the price of its machine is given.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mitools.annotate.options import Price
from mitools.evaluate.costs.bill import Bill
from mitools.records import Record
from mitools.schema import get_path

if TYPE_CHECKING:
    from mitools.cascade.selection import Selection
    from mitools.cascade.sure_answers import SureAnswers

__all__ = ["CascadeBill", "Savings", "front_lines"]


@dataclass(frozen=True)
class Savings:
    """Dollars of a run; None where something is not known.

    Attributes:
        teacher_usd: price of one answer of the teacher.
        student_usd: price of the student's time in this run.
        saved_usd: price of the teacher's answers that were not needed, less the student's time.
        annotation_usd: price of the teacher's answers to the student's training records, as many
            as its metadata names, each at ``teacher_usd``.
        training_usd: price of the time of the student's training.
        break_even: records like these after which annotation and training are paid back; None also
            where nothing is saved.
    """

    teacher_usd: float
    student_usd: float | None
    saved_usd: float
    annotation_usd: float | None
    training_usd: float | None
    break_even: int | None


@dataclass
class CascadeBill:
    """Adds up the finished records of a run.

    Attributes:
        price: of the teacher's tokens; None where unknown.
        student_price: USD per hour of the student's machine; None where unknown.
        by_student: records that the student answered.
        with_gold: those with a gold label.
        agreeing: those whose answer equals it.
        by_teacher: records that the teacher was asked about.
        teacher: the tokens of the teacher's answers.
    """

    price: Price | None = None
    student_price: float | None = None
    by_student: int = 0
    with_gold: int = 0
    agreeing: int = 0
    by_teacher: int = 0
    teacher: Bill = field(default_factory=Bill)

    def add(self, records: Sequence[Record]) -> None:
        """Add finished records; those that were passed on do not count."""
        for record in records:
            by = get_path(record, "teacher.by")
            if by == "student":
                self.by_student += 1
                agrees = record["teacher"]["agrees"]
                self.with_gold += agrees is not None
                self.agreeing += agrees is True
            elif by == "teacher":
                self.by_teacher += 1
                self.teacher.add(record)

    def savings(self, seconds: float, metadata: Mapping[str, Any]) -> Savings | None:
        """Compute the dollars of the run; None where the teacher's price is not known.

        Args:
            seconds: that the student took.
            metadata: of the student.
        """
        if self.price is None or not self.teacher.counted:
            return None
        each = self.teacher.per_record(self.price)
        hour = self.student_price
        student = None if hour is None else seconds / 3600 * hour
        saved = self.by_student * each - (student or 0.0)
        trained = _number(get_path(metadata, "data.records.train"))
        time = _number(get_path(metadata, "results.train_seconds"))
        annotation = None if trained is None else trained * each
        training = None if time is None or hour is None else time / 3600 * hour
        paid = None if annotation is None else annotation + (training or 0.0)
        break_even = None
        if paid is not None and saved > 0:
            each_saves = saved / (self.by_student + self.by_teacher)
            break_even = math.ceil(round(paid / each_saves, 6))  # 200.0000000001 are 200
        return Savings(each, student, saved, annotation, training, break_even)

    def lines(self, front: SureAnswers) -> list[str]:
        """Format the counts, the saving and the break-even; empty where nothing was answered."""
        total = self.by_student + self.by_teacher
        if not total:
            return []
        student = front.student
        counts = (
            f"{self.by_student:,} by the student {student.opened.name}, "
            f"sure at {student.asking.threshold:g}"
        )
        if self.with_gold:
            share = self.agreeing / self.with_gold
            counts += f" ({self.agreeing:,} of {self.with_gold:,} agree with gold, {share:.1%})"
        counts += f"; {self.by_teacher:,} ({self.by_teacher / total:.1%}) by the teacher"
        savings = self.savings(student.seconds, student.opened.student.metadata)
        if savings is None:
            return [counts, f"saving: unknown, as {self._what_is_missing()}"]
        return [counts, *_dollars(savings, self, student.seconds)]

    def _what_is_missing(self) -> str:
        if self.price is None:
            return 'the price of a token is not known ("--price IN,OUT")'
        if not self.by_teacher:
            return "the teacher was asked about no record"
        return "no answer of the teacher holds token counts"


def _number(value: Any) -> float | None:
    is_number = type(value) in (int, float) and math.isfinite(value) and value >= 0
    return float(value) if is_number else None


def _dollars(savings: Savings, bill: CascadeBill, seconds: float) -> list[str]:
    saved = (
        f"teacher: ${savings.teacher_usd:.3g} a record ({bill.teacher.counted:,} answers); "
        f"{bill.by_student:,} answers less save ${bill.by_student * savings.teacher_usd:,.4g}"
    )
    if savings.student_usd is None:
        saved += f'; the student took {seconds:,.1f} s of unknown price ("--student-price USD")'
    else:
        saved += f"; the student took {seconds:,.1f} s, ${savings.student_usd:,.4g}"
    if savings.annotation_usd is None:
        return [saved, "break-even: unknown, as the student does not say what it was trained on"]
    paid = f"annotation of the training records ${savings.annotation_usd:,.4g} at this price"
    if savings.training_usd is None:
        paid += ", training at an unknown price"
    else:
        paid += f", training ${savings.training_usd:,.4g}"
    if savings.break_even is None:
        return [saved, f"break-even: never, as nothing is saved ({paid})"]
    return [saved, f"break-even: after {savings.break_even:,} records like these ({paid})"]


def front_lines(front: SureAnswers | Selection, bill: CascadeBill) -> list[str]:
    """Summarize what stood before the teacher."""
    from mitools.cascade.selection import Selection

    if not isinstance(front, Selection):
        return bill.lines(front)
    how = "at random"
    if front.student is not None:
        how = "in proportion to 1 - confidence" if front.spreads else "the least sure"
    if front.range is not None:
        how += f" (confidence {front.range[0]:.3g} to {front.range[1]:.3g})"
    return [
        f"{front.chosen:,} of {front.open:,} records without an answer chosen, {how}; "
        f"{front.held:,} had one"
    ]
