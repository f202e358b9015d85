"""The output queue of a run: places in input order, filled from any thread, emptied in batches.

The number of places bounds the run: a record holds a place from before it is read until its batch
has been written. Waking a thread costs as much as handling a record, so the woken thread waits a
moment for more outcomes.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import dataclass

from mitools.annotate.protocol import Answered, Passed

__all__ = ["Outcome", "Outlet", "Place"]

_LINGER_SECONDS = 0.002

Outcome = Answered | Passed | BaseException


@dataclass(slots=True, eq=False)
class Place:
    """Place of one record's outcome: its answer, the record itself, or the error."""

    outcome: Outcome | None = None


class Outlet:
    """Places for the records of a run. Every method may be called from any thread."""

    def __init__(self, places: int, *, is_ordered: bool) -> None:
        """Make the places.

        Args:
            places: maximum number of records in the run at once.
            is_ordered: whether outcomes leave in the order in which places were taken.
        """
        lock = threading.Lock()
        self._room, self._ready = threading.Condition(lock), threading.Condition(lock)
        self._free = places
        self._is_ordered = is_ordered
        self._line: deque[Place] = deque()  # in order: all that are taken; else: the filled ones
        self._taken = 0
        self._is_ended = False
        self._is_closed = False

    def take_place(self) -> Place | None:
        """Wait for a free place and take it; None if the outlet has been closed."""
        with self._room:
            while not self._free and not self._is_closed:
                self._room.wait()
            if self._is_closed:
                return None
            self._free -= 1
            self._taken += 1
            place = Place()
            if self._is_ordered:
                self._line.append(place)
            return place

    def give_back(self, place: Place) -> None:
        """Free the place that was taken last, without an outcome."""
        with self._ready:
            self._free += 1
            self._taken -= 1
            if self._is_ordered:
                self._line.remove(place)

    def fill(self, place: Place, outcome: Outcome) -> None:
        """Set the outcome of a place."""
        with self._ready:
            place.outcome = outcome
            if not self._is_ordered:
                self._line.append(place)
            if self._can_leave():
                self._ready.notify()

    def end(self) -> None:
        """Declare that no further place will be taken."""
        with self._ready:
            self._is_ended = True
            self._ready.notify()

    def close(self) -> None:
        """Release all threads that wait for a place."""
        with self._room:
            self._is_closed = True
            self._room.notify_all()

    def next_batch(self) -> list[Outcome]:
        """Wait for outcomes and return all that may leave now; empty at the end of the run.

        Their places stay taken until :meth:`release`.
        """
        with self._ready:
            while not self._can_leave():
                if self._is_ended and not self._taken:
                    return []
                self._ready.wait()
        time.sleep(_LINGER_SECONDS)  # let more outcomes arrive
        batch: list[Outcome] = []
        line = self._line
        with self._ready:
            while line and (outcome := line[0].outcome) is not None:
                line.popleft()
                batch.append(outcome)
            self._taken -= len(batch)
        return batch

    def release(self, count: int) -> None:
        """Free the places of outcomes that have been handled."""
        with self._room:
            self._free += count
            self._room.notify()

    def _can_leave(self) -> bool:
        return bool(self._line) and self._line[0].outcome is not None
