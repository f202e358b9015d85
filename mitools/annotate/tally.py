"""Counts of a run; every record that was read is accounted for."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from mitools.annotate.protocol import Answered
from mitools.schema import READINGS

__all__ = ["OF_THE_REPLY", "Tally"]

OF_THE_REPLY = ("unreadable", "truncated", "empty", "refusal", "content_filter")
"""Kinds of failure of a request that was answered, and mostly paid for."""


@dataclass
class Tally:
    """Counts of one run.

    Attributes:
        read: records taken from the input.
        answered: records with a label from the teacher.
        failed: records without one, by kind of problem.
        unasked: records that were read but dropped because the run was stopped.
        with_gold: answered records whose gold label is known.
        agreeing: those whose labels are equal.
        read_by: answered records by the place of the label in the completion.
        with_confidence: answered records with a probability of the label.
        unscored: answered records whose choices were to be scored, and could not be, by reason.
        hinted: answered records whose prompt showed the gold label.
        leaking: hinted records whose rationale refers to it.
        by_student: answered records whose answer is a student's; they count in none of the figures
            about the teacher's answers.
        passed: records that were passed on as they came.
        replies: completions used.
        recalled: completions from the journal, or from an equal question of the same run.
        spent: prompt and completion tokens as counted by the server, without recalled ones.
    """

    read: int = 0
    answered: int = 0
    failed: Counter[str] = field(default_factory=Counter)
    unasked: int = 0
    with_gold: int = 0
    agreeing: int = 0
    read_by: Counter[str] = field(default_factory=Counter)
    with_confidence: int = 0
    unscored: Counter[str] = field(default_factory=Counter)
    hinted: int = 0
    leaking: int = 0
    by_student: int = 0
    passed: int = 0
    replies: int = 0
    recalled: int = 0
    spent: Counter[str] = field(default_factory=Counter)

    def add(self, answered: Answered) -> None:
        """Count the outcome of one record."""
        teacher = answered.record["teacher"]
        if teacher.get("by") == "student":
            self.answered += 1
            self.by_student += 1
            return
        if answered.problem is None:
            self.answered += 1
        else:
            self.failed[answered.problem.kind] += 1
        if teacher["agrees"] is not None:
            self.with_gold += 1
            self.agreeing += teacher["agrees"]
        if "read_by" in teacher:
            self.read_by[teacher["read_by"]] += 1
        self.with_confidence += "confidence" in teacher
        if answered.unscored is not None:
            self.unscored[answered.unscored.message] += 1
        self.hinted += teacher.get("hinted", False)
        self.leaking += teacher.get("leak", False)
        self.replies += answered.replies
        self.recalled += answered.recalled
        if answered.spent:
            self.spent.update(answered.spent)

    @property
    def finished(self) -> int:
        """Records that have an outcome."""
        return self.answered + self.failed.total() + self.passed

    @property
    def judged(self) -> int:
        """Records that the teacher answered or failed to answer."""
        return self.answered + self.failed.total() - self.by_student

    @property
    def is_faulty(self) -> bool:
        """Whether a record has no answer for a reason other than its reply."""
        return any(kind not in OF_THE_REPLY for kind in self.failed)

    def check(self) -> None:
        """Assert that every record read is accounted for."""
        assert self.read == self.finished + self.unasked, self

    def lines(self, rejected: int = 0) -> list[str]:
        """Format the counts in one or two lines.

        Args:
            rejected: invalid lines of the input.
        """
        rows = self.read + rejected
        counts = f"{rows:,} row{'' if rows == 1 else 's'} = {self.answered:,} answered"
        counts += f" + {rejected:,} rejected + {self.failed.total():,} failed"
        if self.passed:
            counts += f" + {self.passed:,} passed on"
        if left := self.read - self.finished:
            counts += f" + {left:,} left"
        if self.failed:
            kinds = ", ".join(f"{count:,} {kind}" for kind, count in self.failed.most_common())
            counts += f" ({kinds})"
        details = []
        if self.with_gold:
            share = self.agreeing / self.with_gold
            details.append(f"{self.agreeing:,} of {self.with_gold:,} agree with gold ({share:.1%})")
        if self.read_by:
            ranks = [f"{self.read_by[name]:,} by {name}" for name in READINGS if self.read_by[name]]
            details.append(f"read: {', '.join(ranks)}")
        if self.with_confidence:
            details.append(f"{self.with_confidence:,} with the probability of the label")
        if self.unscored:
            [(why, _)] = self.unscored.most_common(1)
            count = self.unscored.total()
            details.append(f"the choices of {count:,} could not be scored ({why})")
        if self.hinted:
            details.append(
                f"{self.hinted:,} with the answer shown, {self.leaking:,} of them say so"
            )
        if self.recalled:
            details.append(f"{self.recalled:,} of {self.replies:,} completions from the journal")
        if self.spent:
            asked, written = self.spent["prompt_tokens"], self.spent["completion_tokens"]
            details.append(f"{asked:,} prompt and {written:,} completion tokens")
        return [counts, "; ".join(details)] if details else [counts]
