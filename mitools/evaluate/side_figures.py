"""Figures beside those of the judged records: baselines on the same records, and costs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from mitools.asking.answering import EVEN
from mitools.asking.predict import OpenedStudent
from mitools.errors import DataError
from mitools.evaluate.answer_records import AnsweringStudent
from mitools.evaluate.baselines.bench import Bench
from mitools.evaluate.baselines.names import UNTRAINED, name_baselines
from mitools.evaluate.costs.bill import Bill
from mitools.evaluate.costs.figures import Prices, Spent, cost_figures
from mitools.evaluate.costs.meter import Meter, peak_memory
from mitools.evaluate.options import EvalOptions
from mitools.evaluate.sample import KeptRecord, Sample
from mitools.records import Record
from mitools.schema import get_path

__all__ = ["SideFigures"]


class SideFigures:
    """Folds the records of a pass; :meth:`figures` then fits the baselines and adds up the costs.

    Attributes:
        meter: times the student.
    """

    def __init__(self, options: EvalOptions) -> None:
        """Prepare to fold.

        Args:
            options: how to evaluate.

        Raises:
            SourceError: a baseline is not a usable encoder.
            MissingExtraError: the package of an encoder is not installed.
        """
        self.meter = Meter()
        self._options = replace(options, baselines=name_baselines(options.baselines))
        self._bench = Bench(options.task)
        self._bill = Bill()
        self._single: Sample[KeptRecord] = Sample(options.latency_records)
        self._memory: tuple[float, str] | None = None
        self._encoders: dict[str, Any] = {}
        if options.baselines:
            from mitools.evaluate.baselines.open_baselines import open_encoders

            self._encoders = open_encoders(self._options.baselines, options.device)

    def settle(self, options: EvalOptions) -> None:
        """Take the options with the student's way of answering in them."""
        self._options = replace(options, baselines=self._options.baselines)

    def watch(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield all records of the input, and add those of a teacher to its bill."""
        return self._bill.watch(records)

    def add_training(self, record: Record) -> None:
        """Add a record of the training split."""
        if self._options.baselines:
            self._bench.add_training(record)

    def add(self, record: Record) -> None:
        """Add a judged record."""
        if self._options.baselines:
            self._bench.add(record)
        if self._options.latency_records:
            self._single.add(KeptRecord(record))

    def finish(self, opened: OpenedStudent | None) -> None:
        """Read the peak of the memory, when the last record is answered."""
        if opened is not None:
            self._memory = peak_memory(opened.student)

    def missing_training(self) -> DataError | None:
        """Return the error of a pass whose baselines had nothing to learn from; None otherwise."""
        if {*self._options.baselines} <= {UNTRAINED} or self._bench.seen:
            return None
        from mitools.evaluate.baselines.compare import no_training_records

        return no_training_records()

    def figures(
        self,
        opened: OpenedStudent | None,
        weight: float | None,
        step: Callable[[str], None] = lambda _what: None,
    ) -> dict[str, Any]:
        """Ask records alone, fit the baselines, and compute the figures.

        Args:
            opened: the student; None where the records hold answers.
            weight: of its predict pass in answers by both readings, where there is one.
            step: told what is done next, for people.

        Returns:
            The blocks ``costs`` and, where baselines were asked for, ``baselines``.
        """
        if opened is not None and self._options.latency_records:
            step("latency")
        spent = Spent(
            None if opened is None else self.meter,
            None if opened is None else self._ask_alone(opened, weight),
            self._bill,
            self._memory,
            _train_seconds(opened),
        )
        prices = Prices(self._options.price, self._options.student_price)
        blocks: dict[str, Any] = {"costs": cost_figures(spent, prices)}
        if self._options.baselines:
            blocks["baselines"] = self._compare(opened, weight, step)
        return blocks

    def _ask_alone(self, opened: OpenedStudent, weight: float | None) -> Meter:
        """Ask the student about the kept records, one at a time."""
        meter = Meter()
        options = replace(self._options, batch_size=1, temperature=False)
        if options.fits_weight:
            options = replace(options, answer_weight=EVEN if weight is None else weight)
        records = (kept.record for kept in self._single.items())
        for _ in AnsweringStudent(options, lambda: opened, meter=meter).answer(records):
            pass
        return meter

    def _compare(
        self, opened: OpenedStudent | None, weight: float | None, step: Callable[[str], None]
    ) -> dict[str, Any]:
        from mitools.evaluate.baselines.compare import StudentTimes, compare_baselines
        from mitools.evaluate.baselines.open_baselines import make_baselines

        times = StudentTimes(_train_seconds(opened), None)
        if opened is not None and self.meter.records:
            times = replace(times, answer_seconds=self.meter.seconds / self.meter.records)
        labels_from = "auto"
        if opened is not None:
            found = get_path(opened.student.metadata, "options.labels_from")
            labels_from = found if found in ("gold", "teacher") else "auto"
        made = make_baselines(self._options, self._encoders, opened, weight)
        return compare_baselines(self._bench, made, labels_from, self._options.seed, times, step)


def _train_seconds(opened: OpenedStudent | None) -> float | None:
    if opened is None:
        return None
    found = get_path(opened.student.metadata, "results.train_seconds")
    return float(found) if isinstance(found, int | float) and found >= 0 else None
