"""Which run comes next, and whether it would end in time."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from mitools.study.plan import Run

__all__ = ["Schedule"]


@dataclass
class Schedule:
    """The runs that are waiting, in their order, and how long runs take.

    Attributes:
        waiting: runs that are not made yet, in their order.
        limit_seconds: from the start of the clock; None never stops.
        clock: seconds, as :func:`time.monotonic` gives them.
    """

    waiting: list[Run]
    limit_seconds: float | None = None
    clock: Callable[[], float] = time.monotonic
    _started: float = field(init=False)
    _seconds: dict[tuple[str, int | None], list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._started = self.clock()

    def took(self, run: Run, seconds: float) -> None:
        """Record how long a run took from its start to its end."""
        self._seconds.setdefault((run.objective.name, run.size), []).append(seconds)

    def estimate(self, run: Run) -> float | None:
        """Seconds that a run will take; None where no run has ended yet.

        The mean of the runs of its objective and size; else that of the slowest objective of its
        size; else the longest run of all.
        """
        own = self._seconds.get((run.objective.name, run.size))
        if own:
            return sum(own) / len(own)
        alike = [_mean(all_) for (_, size), all_ in self._seconds.items() if size == run.size]
        longest = [max(all_) for all_ in self._seconds.values()]
        return max(alike or longest, default=None)

    @property
    def seconds_left(self) -> float | None:
        """Until the limit; None without one."""
        if self.limit_seconds is None:
            return None
        return self._started + self.limit_seconds - self.clock()

    def next(self) -> Run | None:
        """Take the first run that would end in time; None where there is none."""
        left = self.seconds_left
        for place, run in enumerate(self.waiting):
            if left is None or (left > 0 and (self.estimate(run) or 0.0) <= left):
                return self.waiting.pop(place)
        return None

    def seconds_needed(self, jobs: int) -> float | None:
        """Estimate how long the runs that are left would take with ``jobs`` at once."""
        return _total(self.estimate(run) for run in self.waiting) / jobs if self._seconds else None


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)


def _total(values: Iterable[float | None]) -> float:
    return sum(value or 0.0 for value in values)
