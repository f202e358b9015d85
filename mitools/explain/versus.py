"""A second student's answers to the same records, found by id, and what they changed.

Holds the second student's answers in memory, without the rest of its records.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mitools.errors import DataError
from mitools.explain.view import Change, View
from mitools.records import Record

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from mitools.evaluate.measures.comparison import Difference

    Floats = NDArray[np.float64]

__all__ = ["LabelChanges", "Versus"]

_QUESTION = ("input", "label", "choices", "task")
"""What must be the same for written verdicts to hold for the first student's record as well."""


class Versus:
    """The second student's answers, by the id of the record.

    Attributes:
        name: of the file, for messages.
        read: records that came in; ``silent`` of them hold no answer, and ``repeated`` have an id
            seen before: the first answer under an id counts.
        differing: records met whose question is another one on the other side.
        again: records met under an id that was met before; all of them are compared.
    """

    def __init__(self, records: Iterable[Record], name: str) -> None:
        """Read every record.

        Raises:
            DataError: no record holds an answer.
        """
        self.name = name
        self.read = self.silent = self.repeated = self.differing = self.again = 0
        self._answers: dict[str, tuple[int, dict[str, Any], dict[str, Any]]] = {}
        self._met: set[str] = set()
        for record in records:
            self._keep(record)
        if not self._answers:
            raise DataError(
                f"{name}: no record holds a student's answer",
                hint=f'let the second student answer: "mitools eval --student DIR {name}"',
            )

    def _keep(self, record: Record) -> None:
        self.read += 1
        student = record.get("student")
        if not student:
            self.silent += 1
        elif record["id"] in self._answers:
            self.repeated += 1
        else:
            scores = record.get("scores") or {}
            self._answers[record["id"]] = (_digest(record), student, scores)

    @property
    def unmet(self) -> int:
        """Answers to records that the first student's file does not hold, as far as it was read."""
        return len(self._answers) - len(self._met)

    def answer_to(self, record: Record) -> Record | None:
        """Return the record as the second student answered it; None where it did not.

        Verdicts on the answer are kept where both sides ask the same and have the same gold.
        """
        found = self._answers.get(record["id"])
        if found is None:
            return None
        digest, student, scores = found
        is_same = digest == _digest(record)
        if record["id"] in self._met:
            self.again += 1
        else:
            self._met.add(record["id"])
            self.differing += not is_same
        return {**record, "student": student, "scores": scores if is_same else {}}


def _digest(record: Record) -> int:
    return hash(repr([record.get(name) for name in _QUESTION]))


@dataclass
class LabelChanges:
    """What a second student made of the first one's labels, counted and tested."""

    counts: Counter[Change] = field(default_factory=Counter)

    def add(self, view: View) -> None:
        """Count one record; one whose verdicts are not both known counts for nothing."""
        if view.change is not None:
            self.counts[view.change] += 1

    @property
    def p_value(self) -> float:
        """McNemar's exact p, two-sided: fixed against broken; 1 where there are none of either."""
        from mitools.evaluate.measures.comparison import mcnemar

        return mcnemar(*(side[0] for side in self._sides("fixed", "broken")))

    def difference(self, seed: int) -> Difference | None:
        """Say how much more accurate the second student is, with its interval.

        A fraction of the records whose verdicts are both known; None where there are none. It
        depends on the counts alone, and on the seed of the resampling.
        """
        from mitools.evaluate.measures.comparison import compare_runs

        if not self.counts.total():
            return None
        second, first = self._sides("fixed", "broken", "both_right", "both_wrong")
        return compare_runs(second, first, seed)

    def _sides(self, *changes: Change) -> tuple[Floats, Floats]:
        """Lay out who is right, record by record: [1, n] of the second student and of the first."""
        import numpy as np

        times = [self.counts[change] for change in changes]
        second = np.repeat([change in ("fixed", "both_right") for change in changes], times)
        first = np.repeat([change in ("broken", "both_right") for change in changes], times)
        return second[None, :].astype(np.float64), first[None, :].astype(np.float64)

    def told(self) -> str:
        """Write the counts and the test in words."""
        from mitools.evaluate.measures.comparison import ENOUGH_DISCORDANT

        counts = self.counts
        words = (
            f"fixed {counts['fixed']:,}, broken {counts['broken']:,}, both right "
            f"{counts['both_right']:,}, both wrong {counts['both_wrong']:,}"
        )
        discordant = counts["fixed"] + counts["broken"]
        if not discordant:
            return words
        p = self.p_value
        few = " (too few differ for p < 0.05)" if discordant < ENOUGH_DISCORDANT else ""
        shown = "p < 0.001" if p < 0.001 else f"p = {p:.3f}"
        return f"{words}; exact McNemar {shown}{few}"
