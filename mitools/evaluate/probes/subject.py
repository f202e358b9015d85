"""A student under examination: the records it answered, and asking it about changed ones."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from mitools.evaluate.predict import predict
from mitools.evaluate.sample import hash_record
from mitools.evaluate.score import scored
from mitools.records import Record
from mitools.tasks import Task, task_of

if TYPE_CHECKING:
    from mitools.student.protocol import Student

__all__ = ["InstrumentProtocol", "Instruments", "Kept", "Subject", "draws", "open_instrument"]

Span = tuple[int, int]


class InstrumentProtocol(Protocol):
    """Reaches into a student, see :class:`mitools.student.instrument.InstrumentProtocol`."""

    def noise(self, inputs: Sequence[str], sigma: float, seed: int) -> AbstractContextManager[None]:
        """Disturb these inputs while the student is asked about them."""

    def attributions(
        self,
        purpose: Any,
        inputs: Sequence[str],
        targets: Sequence[str],
        firsts: Sequence[str] | None = None,
        *,
        is_mean: bool,
    ) -> list[dict[Span, float]]:
        """Give what each target's log-probability hangs on, by token of the input."""


Instruments = Callable[[Any], InstrumentProtocol | None]
"""Makes the instrument for a student; None where it is of a kind that cannot be reached into."""


def open_instrument(student: Any) -> InstrumentProtocol | None:
    """Make the instrument for a student on this machine; None for any other."""
    from mitools.student import instrument as probe
    from mitools.student.local import LocalStudent

    return probe.Instrument(student) if isinstance(student, LocalStudent) else None


@dataclass(frozen=True, slots=True)
class Kept:
    """A record in a :class:`~mitools.evaluate.sample.Sample`, chosen by id and input.

    So two students' answers to the same records are kept for the same ones.
    """

    record: Record

    def key(self) -> int:
        return hash_record({name: self.record.get(name) for name in ("id", "input")})


@dataclass(frozen=True)
class Subject:
    """What a probe works on.

    Attributes:
        student: answers.
        instrument: reaches into it; None where that is impossible.
        records: what it answered, with ``student`` and ``scores``.
        task: use this task instead of each record's own.
        chunk: how many records it is asked about at once.
        seed: of all that is drawn by chance.
        update: called with the number of questions answered since.
    """

    student: Student
    instrument: InstrumentProtocol | None
    records: Sequence[Record]
    task: str | None = None
    chunk: int = 256
    seed: int = 0
    update: Callable[[int], None] = lambda _count: None

    def task_of(self, record: Record) -> Task:
        return task_of(record, self.task)

    def answer(self, records: Sequence[Record], *, rationales: bool = True) -> list[Record]:
        """Let the student answer: the records again, with fresh ``student`` and ``scores``."""
        answered: list[Record] = []
        for first in range(0, len(records), self.chunk):
            part = records[first : first + self.chunk]
            answers = predict(self.student, part, rationales=rationales)
            for record, said in zip(part, answers, strict=True):
                answered.append(scored({**record, "student": said}, self.task_of(record)))
            self.update(len(part))
        return answered


def draws(seed: int, *texts: str) -> random.Random:
    """Make a generator that depends on the seed and on these texts alone."""
    return random.Random("\0".join((str(seed), *texts)).encode("utf-8", "surrogatepass"))
