"""Answer records by a student: in the predict pass, or also behind its rationales."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from dataclasses import replace
from itertools import chain, islice
from typing import Any

from mitools.asking.answering import Way
from mitools.asking.predict import OpenedStudent, origin, predict
from mitools.asking.reader import Reader
from mitools.asking.readings import check_ways
from mitools.asking.respond import Respondent, Uses
from mitools.evaluate.costs.meter import Meter, Metered
from mitools.evaluate.options import EvalOptions
from mitools.records import Record
from mitools.tasks import task_of

__all__ = ["AnsweringStudent"]


class AnsweringStudent:
    """Answers records batch by batch, in the way of the options.

    Attributes:
        weight: the weight of the predict pass in answers by both readings, once it is known.
        seconds: mean time per record of each way of answering; empty for the predict pass alone.
    """

    def __init__(
        self,
        options: EvalOptions,
        open_student: Callable[[], OpenedStudent],
        warn: Callable[[str], None] = lambda _text: None,
        meter: Meter | None = None,
        advance: Callable[[int], None] = lambda _count: None,
    ) -> None:
        """Prepare to answer.

        Args:
            options: how to evaluate.
            open_student: opens the student, or returns the one that is open.
            warn: receives warnings, one sentence each.
            meter: times the answers to the evaluated records.
            advance: receives the size of each batch when it is answered.
        """
        self.weight = options.answer_weight
        self.seconds: dict[Way, float] = {}
        self._options = options
        self._open = open_student
        self._warn = warn
        self._meter = Meter() if meter is None else meter
        self._advance = advance

    def answer(self, records: Iterator[Record]) -> Iterator[tuple[Record, Record]]:
        """Yield each record with its answered copy, in the order of the records.

        The student is opened when the first record has arrived.
        """
        first = next(records, None)
        if first is None:
            return
        opened = self._open()
        self._options = self._options.for_student(opened.student.metadata)
        check_ways(opened.student.metadata, self._options.answering.way)
        self._check_task(first, opened)
        rest = chain([first], records)
        chunks = self._chunks(rest)
        said = origin(opened)
        opened = replace(opened, student=Metered(opened.student, self._meter))
        answer = self._predict if self._options.answer == "predict" else self._respond
        for record, found in answer(chunks, opened):
            yield record, {**record, "student": {**found, **said}}

    def _chunks(self, records: Iterator[Record]) -> Iterator[list[Record]]:
        """Yield the records in batches; when the next one is requested, one is answered."""
        while chunk := list(islice(records, self._options.batch_size)):
            yield chunk
            self._advance(len(chunk))

    def _check_task(self, record: Record, opened: OpenedStudent) -> None:
        taught = opened.student.metadata.get("task")
        found = task_of(record, self._options.task).name
        if isinstance(taught, str) and taught != found:
            self._warn(f'the student learned the task "{taught}", the records are "{found}"')

    def _predict(
        self, chunks: Iterator[list[Record]], opened: OpenedStudent
    ) -> Iterator[tuple[Record, dict[str, Any]]]:
        for chunk in chunks:
            yield from zip(chunk, self._predicted(chunk, opened), strict=True)

    def _is_brief(self, record: Record) -> bool:
        """Return whether a record needs no rationale: nothing that it only fits reads one."""
        return self._options.only_fits(record) and not self._options.roles.reads_rationale

    def _predicted(self, chunk: Sequence[Record], opened: OpenedStudent) -> list[dict[str, Any]]:
        """Ask the student about a batch."""
        options = self._options
        rationales = options.rationales and opened.has_rationales
        answers: list[dict[str, Any]] = [{} for _ in chunk]
        for brief in (False, True):
            places = [
                index for index, record in enumerate(chunk) if self._is_brief(record) is brief
            ]
            if places:
                with nullcontext() if brief else self._meter.batch(len(places)):
                    answered = predict(
                        opened.student,
                        [chunk[index] for index in places],
                        rationales=rationales and not brief,
                        decode=options.decode and not brief,
                    )
                for index, answer in zip(places, answered, strict=True):
                    answers[index] = answer
        return answers

    def _respond(
        self, chunks: Iterator[list[Record]], opened: OpenedStudent
    ) -> Iterator[tuple[Record, dict[str, Any]]]:
        """Answer behind rationales, or by both readings.

        Where the weight of the readings is fitted, all records are read before the first leaves.
        """
        respondent = Respondent(
            Reader(opened.student, self._options.answering, self._options.task),
            task=self._options.task,
            rationales=self._options.rationales,
            uses=Uses(self._options.roles.fits, self._is_brief),
            warn=self._warn,
            timed=self._meter.batch,
        )
        yield from respondent.answer(chunks)
        self.seconds = respondent.seconds()
        self.weight = respondent.fit.weight
