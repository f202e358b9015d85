"""One pass over records: ask the student, judge its answers, and fold the verdicts.

Records stream: they are answered in batches and keep their order. Records that already hold
``student`` are judged again without a model.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from mitools.asking.predict import OpenedStudent
from mitools.errors import MitoolsError
from mitools.evaluate.answer_records import AnsweringStudent
from mitools.evaluate.by_field import ByField
from mitools.evaluate.field_values import watch_fields
from mitools.evaluate.measures.text import Similarity
from mitools.evaluate.open_similarity import open_similarity
from mitools.evaluate.operating.calibrate import Answers, Calibration, Target
from mitools.evaluate.operating.roles import Role, role_in
from mitools.evaluate.operating.saved import saved_point
from mitools.evaluate.options import EvalOptions
from mitools.evaluate.outcomes import Outcomes
from mitools.evaluate.pass_checks import held_answer, pass_warnings
from mitools.evaluate.probes.subject import Instruments, Subject, open_instrument
from mitools.evaluate.provenance import with_provenance
from mitools.evaluate.sample import KeptRecord, Sample
from mitools.evaluate.score import scored
from mitools.evaluate.select import Selection
from mitools.evaluate.side_figures import SideFigures
from mitools.evaluate.simulators.tally import UNTRAINED
from mitools.evaluate.summary import SummaryBuilder
from mitools.operating.point import OperatingPoint
from mitools.records import Record, Reject, raise_fault
from mitools.tasks import task_of

__all__ = ["Evaluation", "OpenedStudent"]

Pairs = Iterator[tuple[Record, Record]]
"""Records as they were given, each with its answered copy."""


class Evaluation:
    """One pass over records: iterate over the judged records, then ask for the :meth:`summary`.

    Attributes:
        options: how to evaluate; what they leave open is chosen when the student is open.
        opened: the student, once it is open; None where the records hold answers.
        operating_point: the threshold that was chosen, or the one saved with the student; None
            where there is none, and before the first judged record.
        tally: the figures of the records so far.
        outcomes: outcomes by record, where the options ask for them.
        sample: the records kept for the probes and the judge.
        side: baselines and costs.
        late_errors: why the judge or a probe failed; all other figures are there.
    """

    def __init__(
        self,
        options: EvalOptions,
        open_student: Callable[[], OpenedStudent] | None = None,
        warn: Callable[[str], None] = lambda _text: None,
        similarity: Similarity | None = None,
    ) -> None:
        """Prepare a pass.

        Args:
            options: how to evaluate.
            open_student: opens the student when it is first needed; None where the records hold
                answers.
            warn: receives warnings, one sentence each.
            similarity: the encoder of ``options.embedding``, where it is open already.

        Raises:
            UsageError: the options do not go together.
            SourceError: ``options.embedding``, or a baseline, is not a usable encoder.
        """
        options.check(has_student=open_student is not None)
        if similarity is None and options.embedding is not None:
            similarity = open_similarity(options.embedding, options.device)
        self.options = options
        self.opened: OpenedStudent | None = None
        self.tally = SummaryBuilder(
            fits_temperature=options.temperature,
            simulator=options.simulator,
            permutations=options.permutations,
            similarity=similarity,
            by=ByField(options.by),
        )
        self.side = SideFigures(options)
        self.outcomes = Outcomes()
        self.sample: Sample[KeptRecord] = Sample(options.sample_size)
        self.operating_point: OperatingPoint | None = None
        self.late_errors: list[MitoolsError] = []
        self._selection: Selection | None = None
        self._calibration: Calibration | None = None
        if options.target_accuracy is not None:
            self._calibration = Calibration(options.roles)
        self._open_student = open_student
        self._warn = warn
        self._judged_records: Iterator[Record] = iter(())
        self._weight = options.answer_weight
        self._set_apart = 0

    def __iter__(self) -> Iterator[Record]:
        """Iterate over the judged records of the pass that :meth:`start` began."""
        return self._judged_records

    def start(self, records: Iterable[Record], reject: Reject = raise_fault) -> None:
        """Begin a pass over records; nothing is read before the first judged record is asked for.

        Args:
            records: as for :meth:`run`.
            reject: as for :meth:`run`.
        """
        self._judged_records = self.run(records, reject)

    def run(
        self,
        records: Iterable[Record],
        reject: Reject = raise_fault,
        advance: Callable[[int], None] = lambda _count: None,
    ) -> Iterator[Record]:
        """Yield the records of the split to evaluate, each with ``student`` and ``scores``.

        Args:
            records: what to evaluate.
            reject: called with each record that cannot be judged, and the reason.
            advance: receives the number of records answered since, or judged where they hold
                answers. Answered records may be held until the last one is answered.

        Raises:
            EmptyInputError: no record is of that split.
            DataError: by default, where a record cannot be judged, for example because it holds no
                answer and there is no student.
        """
        metadata = None if self._open_student is None else lambda: self._open().student.metadata
        if self._open_student is not None:
            records = self._opening(records)
        selection = self._selection = Selection(self.options, metadata, self._taught)
        selected = selection.select(self.side.watch(records), reject)
        if self.options.by:
            selected = watch_fields(selected, self.options.by, reject, self._warn)
        student = None
        pairs: Pairs = ((record, record) for record in selected)
        if self._open_student is not None:
            student = AnsweringStudent(
                self.options, self._open, self._warn, self.side.meter, advance
            )
            pairs = student.answer(selected)
        pairs = self._judged_pairs(pairs, reject)
        if self._calibration is not None:
            pairs = self._calibrated(pairs, student)
        for given, judged in pairs:
            try:
                record = self._folded(judged)
            except Exception as exc:
                reject(given, exc)
            else:
                yield record
                if student is None:
                    advance(1)
        if student is not None:
            self.tally.ways.seconds = student.seconds
            self._weight = student.weight
        self.side.finish(self.opened)
        self._check(selection)

    def _taught(self, record: Record) -> None:
        """Fold a record of the training split."""
        self.tally.add_taught(record)
        self.side.add_training(record)

    def _open(self) -> OpenedStudent:
        """Open the student, once, with the operating point that is saved with it."""
        assert self._open_student is not None
        if self.opened is None:
            self.opened = self._open_student()
            self._settle(self.opened.student.metadata)
            if self._calibration is None:
                self.operating_point = saved_point(self.opened, self.options, self._warn)
        return self.opened

    def _opening(self, records: Iterable[Record]) -> Iterator[Record]:
        """Open the student before the first record that may be selected.

        It decides what the options leave open, and with that which records are selected. In a pipe
        it is trained before a record arrives.
        """
        for record in records:
            if self.opened is None and self.options.selects(record):
                self._open()
            yield record

    def _settle(self, metadata: Mapping[str, Any]) -> None:
        """Choose what the options leave open, before the first record is selected."""
        self.options = self.options.for_student(metadata)
        self._weight = self.options.answer_weight
        self.side.settle(self.options)
        if self._selection is not None:
            self._selection.settle(self.options)
        if self._calibration is not None:
            self._calibration = Calibration(self.options.roles)

    def _judged_pairs(self, pairs: Pairs, reject: Reject) -> Pairs:
        """Add the verdicts to the answered copies."""
        for given, answered in pairs:
            try:
                yield given, self._judged(answered)
            except Exception as exc:
                reject(given, exc)

    def _judged(self, record: Record) -> Record:
        if self._open_student is None:
            record = held_answer(record, rationales=self.options.rationales)
            return scored(record, task_of(record, self.options.task))
        record = scored(record, task_of(record, self.options.task))
        for name in ("sure", "role"):  # about the answer of another student, or threshold
            record["scores"].pop(name, None)
        return record

    def _calibrated(self, pairs: Pairs, student: AnsweringStudent | None) -> Pairs:
        """Hold all records, and choose the operating point before the first one leaves."""
        assert self._calibration is not None
        assert self.options.target_accuracy is not None
        held = list(pairs)
        for _, record in held:
            self._calibration.add(record, task_of(record, self.options.task))
        answering = self.options.answering
        weight = answering.weight if student is None else student.weight
        answers = Answers(
            answering.way,
            answering.draws,
            weight,
            answering.seed,
            self.options.precision,
            None if self.opened is None else self.opened.digest,
        )
        target = Target(self.options.target_accuracy, self.options.risk)
        self.operating_point = self._calibration.choose(target, answers)
        for note in self._calibration.notes:
            self._warn(note)
        return iter(held)

    def _folded(self, record: Record) -> Record:
        """Mark whether the answer is above the threshold, and add the record to the figures."""
        task = task_of(record, self.options.task)
        self.tally.operating.point = self.operating_point
        if self.operating_point is not None:
            is_sure = self.operating_point.is_sure(record, self.options.task)
            record = {**record, "scores": {**record["scores"], "sure": is_sure}}
        role = self._role_of(record)
        if role != role_in(record):
            scores = {name: value for name, value in record["scores"].items() if name != "role"}
            record = {**record, "scores": scores if role is None else {**scores, "role": role}}
        if role is not None:
            if self.options.temperature and record.get("split") == "valid":
                self.tally.add_valid(record, task)
            return record
        self.tally.add(record, task)
        self.side.add(record)
        if self.options.outcomes:
            self.outcomes.add(record, self.options.task)
        if self.options.sample_size:
            self.sample.add(KeptRecord(record))
        return record

    def _role_of(self, record: Record) -> Role | None:
        """Return what a record serves for; of judged ones, also what it served for before.

        Validation records are told by their split, so they count where that is asked for.
        """
        role = self.options.role_of(record)
        is_judged = self._open_student is None and self.options.target_accuracy is None
        if role is None and is_judged and record.get("split") in (None, "test"):
            role = role_in(record)
            self._set_apart += role is not None
        return role

    def summary(self, update: Callable[[int], None] = lambda _count: None) -> dict[str, Any]:
        """Finish the pass, run the probes and the judge, and return the summary of it all.

        Args:
            update: called with the number of the probes' questions answered since.

        Returns:
            The JSON document that ``mitools eval --summary`` writes;
            :func:`mitools.evaluate.catalog.summary_schema` describes it.

        Raises:
            TeacherError: the judge cannot be reached, or refuses.
        """
        figures = self.figures(update)
        for error in (*self.late_errors, self.tally.by.missing()):
            if error is not None:
                self._warn(str(error))
        if self.options.judge is not None:
            from mitools.annotate.notices import Notices
            from mitools.evaluate.judge.open_judge import open_judge

            with open_judge(self.options.judge, Notices(on_warning=self._warn)) as judge:
                figures["judge"] = judge.judge(self.sample, None, self.options.seed)
        return with_provenance(figures, self.opened, self.options.as_json())

    def figures(
        self,
        update: Callable[[int], None] = lambda _count: None,
        step: Callable[[str], None] = lambda _what: None,
    ) -> dict[str, Any]:
        """Finish the pass, run the probes, and compute every figure but those of the judge.

        Args:
            update: called with the number of the probes' questions answered since.
            step: told what is done next, such as a baseline that is fitted, for people.

        Returns:
            Blocks of :class:`~mitools.evaluate.measures.metric.Metric`.
        """
        for _ in self:
            pass
        figures = self.tally.summary(self.options.seed)
        probed = self.probe(open_instrument, update)
        if editing := probed.pop("editing", None):
            figures["association"]["rationale_editing"] = editing
        figures["probes"] |= probed
        return {**figures, **self.side.figures(self.opened, self._weight, step)}

    def probe(self, instruments: Instruments, update: Callable[[int], None]) -> dict[str, Any]:
        """Run the probes of the options, when the pass is over.

        Args:
            instruments: makes the instrument that reaches into the student.
            update: called with the number of questions answered since.

        Returns:
            The blocks of the summary that they fill: ``probes``, and ``editing`` where asked for.
        """
        from mitools.evaluate.probes.run import run_probes, untrained_probes

        if self.opened is None or not self.options.probes:
            return {}
        if not self.opened.has_rationales:
            self._warn(f"{UNTRAINED}, so there is nothing to probe")
            return untrained_probes(self.options.probes)
        student = self.opened.student
        subject = Subject(
            student,
            instruments(student),
            [kept.record for kept in self.sample.items()[: self.options.probe_records]],
            self.options.task,
            self.options.batch_size,
            self.options.seed,
            update,
            replace(self.options.answering, weight=self._weight),
        )
        return run_probes(subject, self.options.probes, self.late_errors.append)

    def _check(self, selection: Selection) -> None:
        """Warn about the records of the pass; refuse a pass without any."""
        if not self.tally.records:
            raise selection.nothing_selected()
        for warning in pass_warnings(self.tally, selection, self._set_apart):
            self._warn(warning)
