"""The options of a student that stands before the teacher. Imports no model code."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mitools.errors import UsageError

__all__ = ["CascadeOptions"]


@dataclass(frozen=True, kw_only=True)
class CascadeOptions:
    """Which records the teacher is asked about, and which student decides it.

    Attributes:
        student: the folder of a trained student; None for no student.
        threshold: the least confidence at which the student's answer is taken, 0 to 1; None is that
            of its operating point.
        least_sure: ask the teacher about this many of the records without an answer, those that the
            student is least sure of, and pass the others on. All records are held in memory.
        spreads: whether these are drawn in proportion to 1 - confidence; otherwise the lowest
            confidences are taken.
        random: the same with records chosen at random.
        seed: of the random choice, and of ties.
        student_price: USD per hour of the machine that the student runs on; None where unknown.
        batch_size: records given to the student at once; it answers when all of them have arrived.
        tokens_per_batch: the most tokens that the model reads at once; None means by device.
        device: a torch device such as ``cuda:1``; None means the GPU if available.
    """

    student: str | None = None
    threshold: float | None = None
    least_sure: int | None = None
    spreads: bool = True
    random: int | None = None
    seed: int = 0
    student_price: float | None = None
    batch_size: int = 64
    tokens_per_batch: int | None = None
    device: str | None = None

    @property
    def answers(self) -> bool:
        """Whether the student's answers are taken."""
        return self.student is not None and self.least_sure is None

    @property
    def chosen(self) -> int | None:
        """The number of records to choose for the teacher; None for all."""
        return self.random if self.least_sure is None else self.least_sure

    def check(self) -> None:
        """Check that the options are valid and go together.

        Raises:
            UsageError: they do not; the message names the option.
        """
        if self.least_sure is not None and self.random is not None:
            raise UsageError("--least-sure and --random exclude each other", hint="drop one")
        if self.random is not None and self.student is not None:
            message = "--random chooses records without a student"
            raise UsageError(message, hint='leave out "--student", or use "--least-sure"')
        for option, is_given in (
            ("--least-sure", self.least_sure is not None),
            ("--threshold", self.threshold is not None),
            ("--student-price", self.student_price is not None),
        ):
            if is_given and self.student is None:
                raise UsageError(f"{option} needs a student", hint='name it: "--student DIR"')
        if self.least_sure is not None and self.threshold is not None:
            message = "--least-sure takes no answer of the student, so it needs no --threshold"
            raise UsageError(message, hint="drop one")
        if not self.spreads and self.least_sure is None:
            message = "--no-spread is for --least-sure"
            raise UsageError(message, hint='leave it out, or add "--least-sure N"')
        self._check_values()

    def _check_values(self) -> None:
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise UsageError(f"--threshold must be between 0 and 1, not {self.threshold:g}")
        for option, number in (
            ("--least-sure", self.least_sure),
            ("--random", self.random),
            ("--batch-size", self.batch_size),
            ("--tokens-per-batch", self.tokens_per_batch),
        ):
            if number is not None and number < 1:
                raise UsageError(f"{option} must be at least 1, not {number}")
        if self.student_price is not None and not 0 <= self.student_price < math.inf:
            raise UsageError(f"--student-price must be at least 0, not {self.student_price:g}")
