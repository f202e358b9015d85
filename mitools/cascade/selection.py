"""A front that chooses records for the teacher: the least sure ones, or random ones.

By default the least sure ones are drawn, each with a probability in proportion to 1 - confidence:
those that a student is least sure of are much alike, and a draw spreads over more kinds
(stochastic batch acquisition, Kirsch et al., arXiv 2106.12059).

Records that hold an answer of a teacher pass as they are; so do those that are not chosen. The
choice needs all records, which are held in memory.
"""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from mitools.annotate.protocol import Passed, ToTeacher
from mitools.records import Record

if TYPE_CHECKING:
    from mitools.cascade.ask_student import AskingStudent

__all__ = ["Selection", "has_answer"]


_SMALLEST = 1e-6
"""Confidences have six digits: a record of which a student is surer is drawn as one of these."""


def has_answer(record: Record) -> bool:
    """Return whether a teacher was asked about a record before; a failed answer counts."""
    return bool(record.get("teacher"))


class Selection:
    """Chooses among the records without an answer; a :class:`~mitools.annotate.protocol.Front`.

    The same records and seed give the same choice in any order of the records. A choice of more
    records holds that of fewer.

    Attributes:
        student: whose least sure records are chosen; None chooses at random.
        spreads: whether the least sure records are drawn; otherwise the lowest confidences are
            taken.
        open: number of records without an answer.
        chosen: number of those that the teacher is asked about.
        held: number of records with an answer.
        range: the lowest and the highest confidence of the chosen ones; None where it is not known.
    """

    def __init__(
        self,
        count: int,
        seed: int = 0,
        student: AskingStudent | None = None,
        batch_size: int = 64,
        *,
        spreads: bool = True,
    ) -> None:
        self.student = student
        self.spreads = spreads
        self.open = 0
        self.chosen = 0
        self.held = 0
        self.range: tuple[float, float] | None = None
        self._count = count
        self._seed = seed
        self._batch_size = batch_size
        self._stopped = threading.Event()

    def stop(self) -> None:
        self._stopped.set()

    def route(self, records: Iterator[Record]) -> Iterator[ToTeacher | Passed]:
        """Yield each record, chosen or passed on; nothing before all of them are read.

        Raises:
            StudentError: the student gave no usable number.
        """
        held = [*records]
        places = [place for place, record in enumerate(held) if not has_answer(record)]
        self.open, self.held = len(places), len(held) - len(places)
        confidences = self._confidences(held, places)
        if self._stopped.is_set():  # a choice by half of the answers would be another one
            return
        ranked = sorted(places, key=lambda place: self._rank(held[place], confidences.get(place)))
        chosen = {*ranked[: self._count]}
        self.chosen = len(chosen)
        known = [value for place in chosen if (value := confidences.get(place)) is not None]
        self.range = (min(known), max(known)) if known else None
        for place, record in enumerate(held):
            if place not in chosen:
                yield Passed(record)
            elif self.student is None:
                yield ToTeacher(record)
            else:
                yield ToTeacher(record, {"student_confidence": confidences[place]})

    def _confidences(self, held: list[Record], places: list[int]) -> Mapping[int, float | None]:
        """Ask the student about the records at these places; empty without a student."""
        found: dict[int, float | None] = {}
        if self.student is None:
            return found
        for first in range(0, len(places), self._batch_size):
            if self._stopped.is_set():
                break
            batch = places[first : first + self._batch_size]
            asked = self.student.ask([held[place] for place in batch])
            stated = [one.written_confidence for one in asked]
            found.update(zip(batch, stated, strict=True))
        return found

    def _rank(self, record: Record, confidence: float | None) -> tuple[float, bytes]:
        """Rank a record: by confidence where no draw is made, one without a valid answer first.

        The first of the ranks -log(U) / w are a draw without replacement with the weights w
        (Efraimidis and Spirakis 2006).
        """
        text = f"{self._seed}\0{record['id']}".encode("utf-8", "surrogatepass")
        chance = hashlib.blake2b(text, digest_size=16).digest()
        if self.student is None:
            return (0.0, chance)
        if not self.spreads:
            return (-1.0 if confidence is None else confidence, chance)
        uniform = (int.from_bytes(chance[:6]) + 1) / (1 << 48)
        weight = max(1.0 - (confidence or 0.0), _SMALLEST)
        return (-math.log(uniform) / weight, chance)
