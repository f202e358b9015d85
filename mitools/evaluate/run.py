"""One pass over records: ask the student, judge its answers, and fold the verdicts.

Records stream: they are answered in batches and keep their order. Records that already hold
``student`` are judged again without a model.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Any

from mitools.errors import (
    DataError,
    EmptyInputError,
    InvalidFieldError,
    MissingFieldError,
)
from mitools.evaluate.measures.text import Similarity
from mitools.evaluate.opening import open_similarity
from mitools.evaluate.options import EvalOptions
from mitools.evaluate.outcomes import Outcomes
from mitools.evaluate.predict import OpenedStudent, origin, predict
from mitools.evaluate.probes.subject import Instruments, Subject, open_instrument
from mitools.evaluate.provenance import with_provenance
from mitools.evaluate.readings import Reader, check_ways
from mitools.evaluate.respond import Respondent
from mitools.evaluate.sample import KeptRecord, Sample
from mitools.evaluate.score import scored
from mitools.evaluate.simulators.tally import UNTRAINED
from mitools.evaluate.summary import SummaryBuilder
from mitools.gold import GoldCheck, with_known_labels
from mitools.records import Record, Reject, raise_fault
from mitools.tasks import task_of

__all__ = ["Evaluation", "OpenedStudent"]


class Evaluation:
    """One pass over records: iterate over the judged records, then ask for the :meth:`summary`.

    Attributes:
        options: how to evaluate.
        opened: the student, once it is open; None where the records hold answers.
        tally: the figures of the records so far.
        outcomes: outcomes by record, where the options ask for them.
        sample: the records kept for the probes and the judge.
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
            SourceError: ``options.embedding`` is not a usable encoder.
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
        )
        self.outcomes = Outcomes()
        self.sample: Sample[KeptRecord] = Sample(options.sample_size)
        self._open_student = open_student
        self._warn = warn
        self._splits: Counter[str | None] = Counter()
        self._ids: set[bytes] = set()
        self._repeated: Counter[str] = Counter()
        self._judged_records: Iterator[Record] = iter(())
        self._weight = options.answer_weight

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

    def run(self, records: Iterable[Record], reject: Reject = raise_fault) -> Iterator[Record]:
        """Yield the records of the split to evaluate, each with ``student`` and ``scores``.

        Args:
            records: what to evaluate.
            reject: called with each record that cannot be judged, and the reason.

        Raises:
            EmptyInputError: no record is of that split.
            DataError: by default, where a record cannot be judged, for example because it holds no
                answer and there is no student.
        """
        gold = GoldCheck(self.options.task)
        metadata = None if self._open_student is None else lambda: self._open().student.metadata
        known = gold.watch(with_known_labels(records, metadata, self.options.task))
        selected = self._select(known, reject)
        pairs = self._asked(selected) if self._open_student else ((one, one) for one in selected)
        for given, answered in pairs:
            try:
                record = self._judged(answered)
            except Exception as exc:
                reject(given, exc)
            else:
                yield record
        self._conclude()
        if warning := gold.warning():
            self._warn(warning)

    def _open(self) -> OpenedStudent:
        """Open the student, once."""
        assert self._open_student is not None
        if self.opened is None:
            self.opened = self._open_student()
        return self.opened

    def _judged(self, record: Record) -> Record:
        if self._open_student is None:
            record = self._as_it_is(record)
        task = task_of(record, self.options.task)
        record = scored(record, task)
        if self._is_for_fitting(record):
            if self.options.temperature:
                self.tally.add_valid(record, task)
            return record
        self.tally.add(record, task)
        if self.options.outcomes:
            self.outcomes.add(record)
        if self.options.sample_size:
            self.sample.add(KeptRecord(record))
        return record

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
        if self.options.judge is not None:
            from mitools.annotate.notices import Notices
            from mitools.evaluate.open_judge import open_judge

            with open_judge(self.options.judge, Notices(on_warning=self._warn)) as judge:
                figures["judge"] = judge.judge(self.sample, None, self.options.seed)
        return with_provenance(figures, self.opened, self.options.as_json())

    def figures(self, update: Callable[[int], None] = lambda _count: None) -> dict[str, Any]:
        """Finish the pass, run the probes, and compute every figure but those of the judge.

        Args:
            update: called with the number of the probes' questions answered since.

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
        return figures

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
            [kept.record for kept in self.sample.items()],
            self.options.task,
            self.options.batch_size,
            self.options.seed,
            update,
            replace(self.options.answering, weight=self._weight),
        )
        return run_probes(subject, self.options.probes)

    def _select(self, records: Iterable[Record], reject: Reject) -> Iterator[Record]:
        split_name = self.options.split
        wanted = (None, "test") if split_name is None else (split_name,)
        for record in records:
            split = record.get("split")
            self._splits[split] += 1
            if split_name == "all" or split in wanted or self._is_for_fitting(record):
                try:
                    self._note_id(str(record.get("id", "")))
                except InvalidFieldError as exc:
                    reject(record, exc)
                else:
                    yield record
            elif split == "train":
                self.tally.add_taught(record)

    def _is_for_fitting(self, record: Record) -> bool:
        """Return whether a record only serves to fit the temperature, or the readings' weight."""
        fits = self.options.temperature or self.options.fits_weight
        return fits and record.get("split") == "valid"

    def _note_id(self, name: str) -> None:
        digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        if digest in self._ids:
            if self.options.unique_ids:
                hint = "give each shard once, and shards of one split"
                raise InvalidFieldError(f'id "{name}" comes twice', hint=hint)
            self._repeated[name] += 1
        self._ids.add(digest)

    def _asked(self, records: Iterator[Record]) -> Iterator[tuple[Record, Record]]:
        """Yield each record with its answered copy."""
        if self.options.answer != "predict":
            yield from self._responded(records)
            return
        is_first = True
        while chunk := list(islice(records, self.options.batch_size)):
            opened = self._open()
            if is_first:
                self._check_task(chunk[0], opened)
            is_first = False
            answers, said = self._ask(chunk, opened), origin(opened)
            for record, answer in zip(chunk, answers, strict=True):
                yield record, {**record, "student": {**answer, **said}}

    def _responded(self, records: Iterator[Record]) -> Iterator[tuple[Record, Record]]:
        """Yield each record with its copy that is answered after rationales, or by both readings.

        Where the weight of the readings is fitted, all records are read before the first leaves.
        """
        first = next(records, None)
        if first is None:
            return
        opened = self._open()
        check_ways(opened.student.metadata, self.options.answer)
        self._check_task(first, opened)
        respondent = Respondent(
            Reader(opened.student, self.options.answering),
            task=self.options.task,
            rationales=self.options.rationales,
            is_for_fitting=self._is_for_fitting,
            warn=self._warn,
        )
        said, rest = origin(opened), chain([first], records)
        chunks = iter(lambda: list(islice(rest, self.options.batch_size)), [])
        for record, answer in respondent.answer(chunks):
            yield record, {**record, "student": {**answer, **said}}
        self.tally.ways.seconds = respondent.seconds()
        self._weight = respondent.fit.weight

    def _ask(self, chunk: Sequence[Record], opened: OpenedStudent) -> list[dict[str, Any]]:
        """Ask the student about a batch; records to fit the temperature on get no rationale."""
        rationales = self.options.rationales and opened.has_rationales
        answers: list[dict[str, Any]] = [{} for _ in chunk]
        for is_for_fitting in (False, True):
            places = [
                index
                for index, record in enumerate(chunk)
                if self._is_for_fitting(record) is is_for_fitting
            ]
            if places:
                answered = predict(
                    opened.student,
                    [chunk[index] for index in places],
                    rationales=rationales and not is_for_fitting,
                    decode=self.options.decode and not is_for_fitting,
                )
                for index, answer in zip(places, answered, strict=True):
                    answers[index] = answer
        return answers

    def _check_task(self, record: Record, opened: OpenedStudent) -> None:
        taught = opened.student.metadata.get("task")
        found = task_of(record, self.options.task).name
        if isinstance(taught, str) and taught != found:
            self._warn(f'the student learned the task "{taught}", the records are "{found}"')

    def _as_it_is(self, record: Record) -> Record:
        student = record.get("student")
        if student is None:
            raise MissingFieldError(
                f'record "{record.get("id")}": field "student" is missing',
                hint='name the student that is to answer: "--student DIR"',
            )
        _check_confidence(record)
        if self.options.rationales:
            return record
        dropped = ("rationale", "rationale_truncated")
        kept = {name: value for name, value in student.items() if name not in dropped}
        return {**record, "student": kept}

    def _conclude(self) -> None:
        if not self.tally.records:
            raise self._nothing_selected()
        if self._repeated:
            name, count = next(iter(self._repeated)), sum(self._repeated.values())
            self._warn(f'{_records(count)} with an id seen before (such as "{name}"); all count')
        if len(self.tally.tasks) > 1:
            kinds = ", ".join(f"{task}: {n:,}" for task, n in sorted(self.tally.tasks.items()))
            self._warn(f"the records are of several tasks ({kinds}); the figures mix them")
        if not self.tally.has_valid_labels:
            kinds = " or ".join(sorted(self.tally.tasks))
            reason = "too little training, or another task?"
            self._warn(f'no label given is one of the task "{kinds}": {reason}')
        if len(self.tally.models) > 1:
            self._warn(f"{len(self.tally.models)} students answered; the figures mix them")
        if self.options.split is None and self._splits[None] and len(self._splits) > 1:
            count = self._splits[None]
            self._warn(f'{_records(count)} without a split; counted with the split "test"')

    def _nothing_selected(self) -> DataError:
        there = {name: count for name, count in self._splits.items() if name is not None}
        if not there:
            hint = 'run "mitools split" first, or evaluate everything: "--split all"'
            name = self.options.split
            return EmptyInputError(f'no record has a split, so none is in "{name}"', hint=hint)
        counts = ", ".join(f"{name}: {count:,}" for name, count in sorted(there.items()))
        hint = f'choose one that is there: "--split {max(there, key=there.__getitem__)}"'
        name = self.options.split or "test"
        return EmptyInputError(f'no record is in the split "{name}" ({counts})', hint=hint)


def _records(count: int) -> str:
    return f"{count:,} record{'s' * (count != 1)}"


def _check_confidence(record: Record) -> None:
    confidence = record["student"].get("confidence")
    if confidence is not None and not 0 <= confidence <= 1:
        message = f'record "{record.get("id")}": "student.confidence" must be between 0 and 1'
        raise InvalidFieldError(message, hint="correct the field, or remove it")
