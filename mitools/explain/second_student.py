"""A second student's answers to the same records, matched by id, and the changes from the first.

Memory holds the second student's answers, without the rest of its records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mitools.errors import DataError, MissingFieldError
from mitools.explain.view import Change, Side
from mitools.question import question_digest
from mitools.records import Record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mitools.evaluate.measures.comparison import Difference

    Floats = NDArray[np.float64]

__all__ = ["LabelChanges", "SecondStudent"]


class SecondStudent:
    """The second student's answers, by the id of the record.

    Attributes:
        name: of the file, for messages.
        read: its records.
        silent: records of them without an answer.
        repeated: records of them with a repeated id; the first answer counts.
        differing: matched records with another input, gold, choices or task.
        again: records of the first student with a repeated id; all of them are compared.
    """

    def __init__(self, records: Iterable[Record], name: str) -> None:
        """Read all records.

        Raises:
            DataError: no record has an answer.
            MissingFieldError: a record with an answer has no id.
        """
        self.name = name
        self.read = self.silent = self.repeated = self.differing = self.again = 0
        self._answers: dict[str, tuple[bytes, dict[str, Any], dict[str, Any]]] = {}
        self._met: set[str] = set()
        for record in records:
            self._keep(record)
        if not self._answers:
            raise DataError(
                f"{name}: no record has a student's answer",
                hint=f'run "mitools eval --student DIR {name}" for the second student',
            )

    def _keep(self, record: Record) -> None:
        self.read += 1
        student = record.get("student")
        if not student:
            self.silent += 1
        elif (name := _id_of(record)) in self._answers:
            self.repeated += 1
        else:
            scores = record.get("scores") or {}
            self._answers[name] = (question_digest(record), student, scores)

    @property
    def unmet(self) -> int:
        """Number of answers to records that were not among the first student's records so far."""
        return len(self._answers) - len(self._met)

    def answer_to(self, record: Record) -> Record | None:
        """Return the record with the second student's answer; None if it has none.

        The second student's scores are kept if the question and gold are equal.

        Raises:
            MissingFieldError: the record has no id.
        """
        name = _id_of(record)
        found = self._answers.get(name)
        if found is None:
            return None
        digest, student, scores = found
        is_same = digest == question_digest(record)
        if name in self._met:
            self.again += 1
        else:
            self._met.add(name)
            self.differing += not is_same
        return {**record, "student": student, "scores": scores if is_same else {}}


def _id_of(record: Record) -> str:
    name: str | None = record.get("id")
    if name is None:
        hint = 'give each record an id, or read the file with "read_records", which makes one'
        raise MissingFieldError(
            'field "id" is missing, by which the answers of two students are matched', hint=hint
        )
    return name


@dataclass
class LabelChanges:
    """Counts of the second student's changes of right and wrong labels, and their test."""

    counts: Counter[Change] = field(default_factory=Counter)

    def add(self, side: Side | None) -> None:
        """Count another student's answer; it is ignored unless both verdicts are known."""
        if side is not None and side.change is not None:
            self.counts[side.change] += 1

    @property
    def p_value(self) -> float:
        """The p-value of McNemar's exact test, two-sided: fixed against broken; 1 without any."""
        from mitools.evaluate.measures.comparison import mcnemar

        return mcnemar(*(side[0] for side in self._sides("fixed", "broken")))

    def difference(self, seed: int) -> Difference | None:
        """Return the difference in accuracy, second minus first, with its interval.

        A fraction of the records with both verdicts known; None if there are none.

        Args:
            seed: of the resampling.
        """
        from mitools.evaluate.measures.comparison import difference_of_means

        if not self.counts.total():
            return None
        second, first = self._sides("fixed", "broken", "both_right", "both_wrong")
        return difference_of_means(second, first, seed)

    def _sides(self, *changes: Change) -> tuple[Floats, Floats]:
        """Return [1, n] whether each record is right, for the second student and for the first."""
        import numpy as np

        times = [self.counts[change] for change in changes]
        second = np.repeat([change in ("fixed", "both_right") for change in changes], times)
        first = np.repeat([change in ("broken", "both_right") for change in changes], times)
        return second[None, :].astype(np.float64), first[None, :].astype(np.float64)

    def as_text(self, *, is_tested: bool = True) -> str:
        """Return the counts in words, and the test.

        Args:
            is_tested: whether to add the test. It holds for all records, not for those up to the
                one at which a user stopped.
        """
        from mitools.evaluate.measures.comparison import ENOUGH_DISCORDANT

        counts = self.counts
        words = (
            f"fixed {counts['fixed']:,}, broken {counts['broken']:,}, both right "
            f"{counts['both_right']:,}, both wrong {counts['both_wrong']:,}"
        )
        discordant = counts["fixed"] + counts["broken"]
        if not discordant or not is_tested:
            return words
        p = self.p_value
        few = " (too few discordant pairs for p < 0.05)" if discordant < ENOUGH_DISCORDANT else ""
        shown = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
        return f"{words}; exact McNemar {shown}{few}"
