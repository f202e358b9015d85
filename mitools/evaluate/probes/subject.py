"""What a probe works on: a student, its answered records, and asking it about changed ones."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from mitools.asking.answering import PREDICT, Answering
from mitools.asking.reader import ask
from mitools.evaluate.score import scored
from mitools.records import Record
from mitools.tasks import Task, task_of

if TYPE_CHECKING:
    from mitools.student.protocol import Student

__all__ = ["InstrumentProtocol", "Instruments", "Subject", "draws", "open_instrument"]

Span = tuple[int, int]


class InstrumentProtocol(Protocol):
    """Reaches into a student, see :class:`mitools.student.instrument.InstrumentProtocol`."""

    def noise(self, inputs: Sequence[str], sigma: float, seed: int) -> AbstractContextManager[None]:
        """Add noise to these inputs while the student is asked about them."""

    def attributions(
        self,
        purpose: Any,
        inputs: Sequence[str],
        targets: Sequence[str],
        firsts: Sequence[str] | None = None,
        *,
        is_mean: bool,
    ) -> list[dict[Span, float]]:
        """Compute the attribution of each target's log-probability, by token of the input."""


Instruments = Callable[[Any], InstrumentProtocol | None]
"""Makes the instrument for a student; None where the kind of student allows none."""


def open_instrument(student: Any) -> InstrumentProtocol | None:
    """Make the instrument for a student on this machine; None for any other."""
    from mitools.student import instrument as probe
    from mitools.student.local import LocalStudent

    return probe.Instrument(student) if isinstance(student, LocalStudent) else None


@dataclass(frozen=True)
class Subject:
    """What a probe works on.

    Attributes:
        student: the student.
        instrument: reaches into the student; None where that is impossible.
        records: its answered records, with ``student`` and ``scores``.
        task: how labels are read and compared; None means as each record says.
        chunk: records given to the student at once.
        seed: of all random draws.
        update: called with the number of questions answered since.
        answering: how the records were answered.
    """

    student: Student
    instrument: InstrumentProtocol | None
    records: Sequence[Record]
    task: str | None = None
    chunk: int = 256
    seed: int = 0
    update: Callable[[int], None] = lambda _count: None
    answering: Answering = PREDICT

    def task_of(self, record: Record) -> Task:
        return task_of(record, self.task)

    def answer(self, records: Sequence[Record], *, rationales: bool = True) -> list[Record]:
        """Ask the student again: the records with new ``student`` and ``scores``."""
        answered: list[Record] = []
        for first in range(0, len(records), self.chunk):
            part = records[first : first + self.chunk]
            answers = ask(self.student, part, self.answering, rationales=rationales, task=self.task)
            for record, said in zip(part, answers, strict=True):
                answered.append(scored({**record, "student": said}, self.task_of(record)))
            self.update(len(part))
        return answered


def draws(seed: int, *texts: str) -> random.Random:
    """Make a generator that depends on the seed and on these texts alone."""
    return random.Random("\0".join((str(seed), *texts)).encode("utf-8", "surrogatepass"))
