"""Answer records in one of the ways, with a weight that is given or fitted on validation records.

With a given weight, records are answered as they come. To fit it, all records are read first and
their readings are held in memory: the last record may be a validation record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from mitools.asking.answering import EVEN, WAYS, Way
from mitools.asking.combine import fit_weight
from mitools.asking.reader import Reader
from mitools.asking.readings import Reading, answer, known_fit
from mitools.asking.weight import which_are_gold
from mitools.records import Record

__all__ = ["FEW_TO_FIT", "Respondent", "Uses"]

FEW_TO_FIT = 20
"""With fewer records than this that determine the weight, a warning states their number."""


@dataclass(frozen=True, slots=True)
class Uses:
    """What records are answered for.

    Attributes:
        fits: whether the weight may be fitted on a record.
        is_brief: whether a record is answered without its rationale.
    """

    fits: Callable[[Record], bool] = lambda _record: False
    is_brief: Callable[[Record], bool] = lambda _record: False


EVALUATED = Uses()


class Respondent:
    """Answers records in one way.

    Attributes:
        fit: the weight of the answers by both readings; fitted when all records were read.
    """

    def __init__(
        self,
        reader: Reader,
        *,
        task: str | None = None,
        rationales: bool = True,
        uses: Uses = EVALUATED,
        warn: Callable[[str], None] = lambda _text: None,
        timed: Callable[[int], AbstractContextManager[None]] = lambda _size: nullcontext(),
    ) -> None:
        """Prepare to answer.

        Args:
            reader: reads records by both readings.
            task: how labels are compared; None means as each record says.
            rationales: put the rationale in the answer.
            uses: which records are for fitting, and which need no rationale.
            warn: receives warnings, one sentence each.
            timed: receives the size of each batch of evaluated records, which is read inside.
        """
        self.reader = reader
        self.fit = known_fit(reader.answering, reader.student.metadata)
        self._task = task
        self._rationales = rationales
        self._uses = uses
        self._warn = warn
        self._timed = timed

    def answer(self, chunks: Iterable[Sequence[Record]]) -> Iterator[tuple[Record, dict[str, Any]]]:
        """Yield each record with its answer, in the order of the records."""
        answering = self.reader.answering
        pairs: Iterable[tuple[Record, Reading]]
        pairs = (pair for chunk in chunks for pair in self._read(chunk))
        if answering.way == "both" and answering.weight is None:
            held = list(pairs)
            self._fit(held)
            pairs = held
        for record, reading in pairs:
            yield record, answer(reading, answering.way, self.fit)

    def seconds(self) -> dict[Way, float]:
        """Return the time per record of an answer in each way that the student has."""
        records = max(1, self.reader.records)
        return {way: self.reader.seconds_of(way) / records for way in WAYS}

    def _read(self, chunk: Sequence[Record]) -> Iterator[tuple[Record, Reading]]:
        readings: dict[int, Reading] = {}
        for brief in (False, True):
            places = [
                place for place, record in enumerate(chunk) if self._uses.is_brief(record) is brief
            ]
            if places:
                shown = self._rationales and not brief
                with nullcontext() if brief else self._timed(len(places)):
                    found = self.reader.read([chunk[place] for place in places], rationales=shown)
                readings.update(zip(places, found, strict=True))
        for place, record in enumerate(chunk):
            yield record, readings[place]

    def _fit(self, held: Sequence[tuple[Record, Reading]]) -> None:
        fitting = [(record, one.candidates) for record, one in held if self._uses.fits(record)]
        judged = [
            (candidates, which_are_gold(record, candidates, self._task))
            for record, candidates in fitting
            if candidates is not None
        ]
        self.fit = fit_weight(judged)
        if fitting and not judged:
            self._warn(
                "this student has one reading of records without choices: the predict pass "
                "answers them"
            )
        elif not self.fit.records:
            reason = (
                f"none of {len(judged):,} records of the split valid tells the readings apart"
                if judged
                else "there is no record of the split valid"
            )
            self._warn(f"{reason}, so both readings have the same weight ({EVEN})")
        elif (count := self.fit.records) < FEW_TO_FIT:
            records = "1 record" if count == 1 else f"{count} records"
            self._warn(f"the weight of the readings is fitted on {records} only")
