"""Ask a student about each record, score what it says, and fold the verdicts.

Streams: records are asked in chunks and leave in their order. Records that already hold a
``student`` are scored again without a model.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from mitools.errors import (
    DataError,
    EmptyInputError,
    InvalidFieldError,
    MissingFieldError,
)
from mitools.evaluate.options import EvalOptions
from mitools.evaluate.outcomes import Outcomes
from mitools.evaluate.predict import Opened, origin, predict
from mitools.evaluate.probes.subject import Instruments, Kept, Subject, open_instrument
from mitools.evaluate.sample import Sample
from mitools.evaluate.score import scored
from mitools.evaluate.simulators.tally import UNTRAINED
from mitools.evaluate.summary import SummaryBuilder
from mitools.records import Record, Reject, raise_fault
from mitools.tasks import task_of

__all__ = ["EvalOptions", "Evaluation", "Opened", "predict"]


class Evaluation:
    """One pass over records; its :attr:`tally` holds the summary when the pass is over.

    Attributes:
        opened: the student, once the first record has arrived; None when scoring again.
        tally: what the records showed.
        outcomes: the same record by record, where the options ask for it.
        sample: records kept for probes and for a judge, where the options ask for it.
    """

    def __init__(
        self,
        options: EvalOptions,
        open_student: Callable[[], Opened] | None = None,
        warn: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """Prepare a pass.

        Args:
            options: what to evaluate, and how.
            open_student: opens the student, when the first record has arrived; None means to
                score what the records already hold.
            warn: receives what a person should know, one sentence each.
        """
        self.options = options
        self.opened: Opened | None = None
        self.tally = SummaryBuilder(
            fits_temperature=options.temperature,
            simulator=options.simulator,
            permutations=options.permutations,
            similarity=options.similarity,
        )
        self.outcomes = Outcomes()
        self.sample: Sample[Kept] = Sample(options.kept)
        self._open_student = open_student
        self._warn = warn
        self._splits: Counter[str | None] = Counter()
        self._ids: set[bytes] = set()
        self._repeated: Counter[str] = Counter()

    def run(self, records: Iterable[Record], reject: Reject = raise_fault) -> Iterator[Record]:
        """Yield the records of the wanted part, each with ``student`` and ``scores``.

        Args:
            records: what to evaluate.
            reject: called with each record that cannot be judged, and why.

        Raises:
            EmptyInputError: no record is of the wanted part.
            DataError: by default, where a record cannot be judged; as one that holds no
                ``student`` where none is to be asked.
        """
        selected = self._select(records, reject)
        pairs = self._asked(selected) if self._open_student else ((one, one) for one in selected)
        for given, answered in pairs:
            try:
                record = self._judged(answered)
            except Exception as exc:
                reject(given, exc)
            else:
                yield record
        self._conclude()

    def _judged(self, record: Record) -> Record:
        if self._open_student is None:
            record = self._as_it_is(record)
        task = task_of(record, self.options.task)
        record = scored(record, task)
        if self._is_for_fitting(record):
            self.tally.add_valid(record, task)
            return record
        self.tally.add(record, task)
        if self.options.outcomes:
            self.outcomes.add(record)
        if self.options.kept:
            self.sample.add(Kept(record))
        return record

    def summary(
        self, seed: int = 0, update: Callable[[int], None] = lambda _count: None
    ) -> dict[str, Any]:
        """Run the probes of the options, and compute every figure, when the pass is over.

        Args:
            seed: of all that is drawn.
            update: called with the number of the probes' questions answered since.

        Returns:
            Blocks of :class:`~mitools.evaluate.measures.metric.Metric`; see
            :func:`mitools.evaluate.findings.as_document` for plain JSON.
        """
        summary = self.tally.summary(seed)
        probed = self.probe(seed, open_instrument, update)
        if editing := probed.pop("editing", None):
            summary["association"]["rationale_editing"] = editing
        summary["probes"] |= probed
        return summary

    def probe(
        self, seed: int, instruments: Instruments, update: Callable[[int], None]
    ) -> dict[str, Any]:
        """Run the probes of the options, when the pass is over.

        Args:
            seed: of all that is drawn.
            instruments: reaches into the student.
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
            self.options.chunk,
            seed,
            update,
        )
        return run_probes(subject, self.options.probes)

    def _select(self, records: Iterable[Record], reject: Reject) -> Iterator[Record]:
        part = self.options.part
        wanted = (None, "test") if part is None else (part,)
        for record in records:
            split = record.get("split")
            self._splits[split] += 1
            if part == "all" or split in wanted or self._is_for_fitting(record):
                try:
                    self._note_id(str(record.get("id", "")))
                except InvalidFieldError as exc:
                    reject(record, exc)
                else:
                    yield record
            elif split == "train":
                self.tally.add_taught(record)

    def _is_for_fitting(self, record: Record) -> bool:
        """Tell whether a record only serves to fit the temperature."""
        return self.options.temperature and record.get("split") == "valid"

    def _note_id(self, name: str) -> None:
        digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        if digest in self._ids:
            if self.options.distinct:
                hint = "give each shard once, and shards of one split"
                raise InvalidFieldError(f'id "{name}" comes twice', hint=hint)
            self._repeated[name] += 1
        self._ids.add(digest)

    def _asked(self, records: Iterator[Record]) -> Iterator[tuple[Record, Record]]:
        """Give each record with the answered one that was made of it."""
        assert self._open_student is not None
        while chunk := list(islice(records, self.options.chunk)):
            if self.opened is None:
                self.opened = self._open_student()
                self._check_task(chunk[0])
            answers, said = self._ask(chunk, self.opened), origin(self.opened)
            for record, answer in zip(chunk, answers, strict=True):
                yield record, {**record, "student": {**answer, **said}}

    def _ask(self, chunk: Sequence[Record], opened: Opened) -> list[dict[str, Any]]:
        """Let the student answer a chunk; of records for fitting, only the label is wanted."""
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

    def _check_task(self, record: Record) -> None:
        assert self.opened is not None
        taught = self.opened.student.metadata.get("task")
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
        if self.options.part is None and self._splits[None] and len(self._splits) > 1:
            count = self._splits[None]
            self._warn(f'{_records(count)} without a split; counted with the split "test"')

    def _nothing_selected(self) -> DataError:
        there = {name: count for name, count in self._splits.items() if name is not None}
        if not there:
            part = self.options.part
            hint = 'run "mitools split" first, or evaluate everything: "--split all"'
            return EmptyInputError(f'no record has a split, so none is in "{part}"', hint=hint)
        counts = ", ".join(f"{name}: {count:,}" for name, count in sorted(there.items()))
        hint = f'choose one that is there: "--split {max(there, key=there.__getitem__)}"'
        part = self.options.part or "test"
        return EmptyInputError(f'no record is in the split "{part}" ({counts})', hint=hint)


def _records(count: int) -> str:
    return f"{count:,} record{'s' * (count != 1)}"


def _check_confidence(record: Record) -> None:
    confidence = record["student"].get("confidence")
    if confidence is not None and not 0 <= confidence <= 1:
        message = f'record "{record.get("id")}": "student.confidence" must lie within 0 and 1'
        raise InvalidFieldError(message, hint="mend the field, or remove it")
