"""Does the rationale support the student's own label?

The student answers and explains in two passes, so label and rationale can disagree. The task reads
which answer a rationale supports (:meth:`mitools.tasks.Task.supported`); this module compares it
with the student's label and with gold, and counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal, get_args

from mitools.evaluate.measures.labels import rate
from mitools.evaluate.measures.metric import Measure, Metric

__all__ = ["CONSISTENCY", "COVERAGE", "Consistency", "Supports", "supports_whose"]

Supports = Literal["student", "gold", "other", "none"]

CONSISTENCY = Measure(
    "consistency",
    "fraction",
    higher_is_better=True,
    about="Share of rationales that support the student's own label, among those that support an "
    "answer.",
)

COVERAGE = Measure(
    "coverage of consistency",
    "fraction",
    higher_is_better=None,
    about="Share of rationales whose supported answer can be read from their words.",
)


def supports_whose(
    supported: str | None,
    label: str | None,
    gold: str | None,
    is_equal: Callable[[str | None, str | None], bool],
) -> Supports:
    """Return whose answer a rationale supports; ``student`` where gold is the same answer."""
    if supported is None:
        return "none"
    if is_equal(supported, label):
        return "student"
    return "gold" if is_equal(supported, gold) else "other"


@dataclass
class Consistency:
    """Fold verdicts into the consistency rate, its coverage, and the quadrant table."""

    _supports: Counter[Supports] = field(default_factory=Counter)
    _quadrants: Counter[tuple[bool, Supports]] = field(default_factory=Counter)

    def add(self, supports: Supports, *, is_correct: bool | None) -> None:
        """Add one rationale; it enters the quadrant table where gold is known."""
        self._supports[supports] += 1
        if is_correct is not None:
            self._quadrants[is_correct, supports] += 1

    def metrics(self) -> dict[str, Metric]:
        n = sum(self._supports.values())
        covered = n - self._supports["none"]
        none = "no record has a rationale by the student"
        unclear = "no rationale supports an answer that can be made out" if n else none
        return {
            "consistency": rate(CONSISTENCY, self._supports["student"], covered, empty=unclear),
            "coverage": rate(COVERAGE, covered, n, empty=none),
        }

    def quadrants(self) -> dict[str, dict[Supports, int]]:
        """Count records by label right or wrong and by whose answer the rationale supports.

        Where the label is right, the student's answer is gold, and the ``gold`` cell stays 0.
        """
        return {
            name: {
                supports: self._quadrants[is_correct, supports] for supports in get_args(Supports)
            }
            for name, is_correct in (("right", True), ("wrong", False))
        }
