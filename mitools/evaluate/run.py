"""Ask a student about each record, score what it says, and fold the verdicts.

Streams: records are asked in chunks and leave in their order. Records that already hold a
``student`` are scored again without a model.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from mitools.errors import (
    DataError,
    EmptyInputError,
    InvalidFieldError,
    MissingFieldError,
    StudentError,
)
from mitools.evaluate.association import PERMUTATIONS
from mitools.evaluate.metric import rounded
from mitools.evaluate.outcomes import Outcomes
from mitools.evaluate.score import scored
from mitools.evaluate.simulated import SimulatorName
from mitools.evaluate.summary import Tally
from mitools.records import Record
from mitools.tasks import task_of

if TYPE_CHECKING:
    from mitools.student.api import Generation, Student

__all__ = ["CHUNK", "Evaluation", "Opened", "Settings", "predict"]

CHUNK = 256

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Settings:
    """How to evaluate.

    Attributes:
        task: use this task instead of each record's own.
        part: evaluate only the records of this part of a split, or ``all``; None means the test
            records and those that were never split.
        rationales: ask for rationales too; without it, those already there are dropped.
        decode: decode a label beside scored choices.
        temperature: also answer the validation records, without rationales, and fit a temperature
            on them; they leave with their answers and enter no other figure.
        simulator: what measures association and quality, ``local`` or ``none``.
        permutations: how often rationales are dealt out anew, at most.
        chunk: how many records are asked at once.
        distinct: refuse an id that comes twice, as a shard does that is merged twice.
        outcomes: keep each record's outcomes, for a comparison of runs.
    """

    task: str | None = None
    part: str | None = None
    rationales: bool = True
    decode: bool = False
    temperature: bool = False
    simulator: SimulatorName = "none"
    permutations: int = PERMUTATIONS
    chunk: int = CHUNK
    distinct: bool = False
    outcomes: bool = False


@dataclass(frozen=True, slots=True)
class Opened:
    """A student ready to answer.

    Attributes:
        name: what its answers carry, see :func:`mitools.evaluate.provenance.name_student`.
        digest: hash of its weights.
    """

    student: Student
    name: str
    digest: str


def predict(
    student: Student, records: Sequence[Record], settings: Settings
) -> list[dict[str, Any]]:
    """Let the student answer, and explain, a chunk of records.

    Where a record has choices, each of them is scored and the best one is the label; elsewhere
    the label is decoded.

    Raises:
        StudentError: it gave no usable number, or not one answer for each record.
    """
    inputs = [record["input"] for record in records]
    answers: list[dict[str, Any]] = [{} for _ in records]
    closed = [index for index, record in enumerate(records) if record.get("choices")]
    opened = [index for index, record in enumerate(records) if not record.get("choices")]
    if closed:
        # A choice that is listed twice is one choice; asking for it once keeps its share single.
        choices = [list(dict.fromkeys(records[index]["choices"])) for index in closed]
        found = student.score_choices([inputs[index] for index in closed], choices)
        for index, names, row in zip(closed, choices, _one_each(found, closed), strict=True):
            answers[index] = _closed_answer(names, row)
    if closed and settings.decode:
        decoded = student.generate_labels([inputs[index] for index in closed])
        for index, one in zip(closed, _one_each(decoded, closed), strict=True):
            answers[index]["decoded"] = one.text
    if opened:
        labels = student.generate_labels([inputs[index] for index in opened])
        for index, one in zip(opened, _one_each(labels, opened), strict=True):
            answers[index] = _open_answer(one)
    if settings.rationales:
        rationales = student.generate_rationales(inputs)
        for answer, one in zip(answers, _one_each(rationales, inputs), strict=True):
            answer.update(rationale=one.text, rationale_truncated=one.is_truncated)
    return answers


def _one_each(results: Sequence[T], asked: Sequence[Any]) -> Sequence[T]:
    if len(results) != len(asked):
        raise StudentError(f"the student gave {len(results)} answers to {len(asked)} questions")
    return results


def _closed_answer(choices: Sequence[str], scores: Sequence[float]) -> dict[str, Any]:
    """Turn log-probabilities into a softmax over the choices; ties go to the first by alphabet."""
    top = max(scores, default=-math.inf)
    if len(scores) != len(choices) or any(map(math.isnan, scores)) or not _is_log_prob(top):
        raise StudentError("the student's scores are no log-probabilities", hint=_DAMAGED)
    total = math.fsum(math.exp(score - top) for score in scores)
    chances = {name: math.exp(s - top) / total for name, s in zip(choices, scores, strict=True)}
    best = max(sorted(choices), key=lambda name: scores[choices.index(name)])
    answer = {
        "label": best,
        "confidence": chances[best],
        "choices": chances,
        "in_set_mass": math.exp(top) * total,
        "log_prob": scores[choices.index(best)],
    }
    return dict(rounded(answer))


_DAMAGED = "its weights may be damaged, or its number type too narrow; train it again"


def _is_log_prob(value: float) -> bool:
    return -math.inf < value <= 1e-3  # a hair above 0 is rounding; NaN is neither


def _open_answer(generation: Generation) -> dict[str, Any]:
    if not _is_log_prob(generation.log_prob):
        message = f"the student states a log-probability of {generation.log_prob}"
        raise StudentError(message, hint=_DAMAGED)
    answer = {
        "label": generation.text or None,
        "confidence": min(1.0, math.exp(generation.log_prob)),
        "log_prob": generation.log_prob,
        "label_truncated": generation.is_truncated,
    }
    return dict(rounded(answer))


class Evaluation:
    """One pass over records; its :attr:`tally` holds the summary when the pass is over.

    Attributes:
        opened: the student, once the first record has arrived; None when scoring again.
        tally: what the records showed.
        outcomes: the same record by record, where the settings ask for it.
    """

    def __init__(
        self,
        settings: Settings,
        open_student: Callable[[], Opened] | None = None,
        warn: Callable[[str], None] = lambda _text: None,
    ) -> None:
        """Prepare a pass.

        Args:
            settings: what to evaluate, and how.
            open_student: opens the student, when the first record has arrived; None means to
                score what the records already hold.
            warn: receives what a person should know, one sentence each.
        """
        self.settings = settings
        self.opened: Opened | None = None
        self.tally = Tally(
            fits_temperature=settings.temperature,
            simulator=settings.simulator,
            permutations=settings.permutations,
        )
        self.outcomes = Outcomes()
        self._open_student = open_student
        self._warn = warn
        self._splits: Counter[str | None] = Counter()
        self._ids: set[bytes] = set()
        self._repeated: Counter[str] = Counter()

    def run(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield the records of the wanted part, each with ``student`` and ``scores``.

        Raises:
            EmptyInputError: no record is of the wanted part.
            MissingFieldError: a record holds no ``student`` and none is to be asked.
        """
        selected = self._select(records)
        for record in self._asked(selected) if self._open_student else self._as_they_are(selected):
            task = task_of(record, self.settings.task)
            record = scored(record, task)
            if self._is_for_fitting(record):
                self.tally.add_valid(record, task)
            else:
                self.tally.add(record, task)
                if self.settings.outcomes:
                    self.outcomes.add(record)
            yield record
        self._conclude()

    def _select(self, records: Iterable[Record]) -> Iterator[Record]:
        part = self.settings.part
        wanted = (None, "test") if part is None else (part,)
        for record in records:
            split = record.get("split")
            self._splits[split] += 1
            if part == "all" or split in wanted or self._is_for_fitting(record):
                self._note_id(str(record.get("id", "")))
                yield record
            elif split == "train":
                self.tally.add_taught(record)

    def _is_for_fitting(self, record: Record) -> bool:
        """Tell whether a record only serves to fit the temperature."""
        return self.settings.temperature and record.get("split") == "valid"

    def _note_id(self, name: str) -> None:
        digest = hashlib.blake2b(name.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        if digest in self._ids:
            if self.settings.distinct:
                hint = "give each shard once, and shards of one split"
                raise InvalidFieldError(f'id "{name}" comes twice', hint=hint)
            self._repeated[name] += 1
        self._ids.add(digest)

    def _asked(self, records: Iterator[Record]) -> Iterator[Record]:
        assert self._open_student is not None
        while chunk := list(islice(records, self.settings.chunk)):
            if self.opened is None:
                self.opened = self._open_student()
                self._check_task(chunk[0])
            answers = self._ask(chunk, self.opened.student)
            for record, answer in zip(chunk, answers, strict=True):
                yield {**record, "student": {**answer, "model": self.opened.name}}

    def _ask(self, chunk: Sequence[Record], student: Student) -> list[dict[str, Any]]:
        labels_only = replace(self.settings, rationales=False, decode=False)
        answers: list[dict[str, Any]] = [{} for _ in chunk]
        for is_for_fitting, settings in ((False, self.settings), (True, labels_only)):
            places = [
                index
                for index, record in enumerate(chunk)
                if self._is_for_fitting(record) is is_for_fitting
            ]
            if places:
                found = predict(student, [chunk[index] for index in places], settings)
                for index, answer in zip(places, found, strict=True):
                    answers[index] = answer
        return answers

    def _check_task(self, record: Record) -> None:
        assert self.opened is not None
        taught = self.opened.student.metadata.get("task")
        found = task_of(record, self.settings.task).name
        if isinstance(taught, str) and taught != found:
            self._warn(f'the student learned the task "{taught}", the records are "{found}"')

    def _as_they_are(self, records: Iterator[Record]) -> Iterator[Record]:
        for record in records:
            student = record.get("student")
            if student is None:
                raise MissingFieldError(
                    f'record "{record.get("id")}": field "student" is missing',
                    hint='name the student that is to answer: "--student DIR"',
                )
            _check_confidence(record)
            if not self.settings.rationales:
                dropped = ("rationale", "rationale_truncated")
                student = {name: value for name, value in student.items() if name not in dropped}
                record = {**record, "student": student}
            yield record

    def _conclude(self) -> None:
        if not self.tally.records:
            raise self._nothing_selected()
        if self._repeated:
            name, count = next(iter(self._repeated)), sum(self._repeated.values())
            self._warn(f'{_records(count)} with an id seen before (such as "{name}"); all count')
        if len(self.tally.tasks) > 1:
            kinds = ", ".join(f"{task}: {n:,}" for task, n in sorted(self.tally.tasks.items()))
            self._warn(f"the records are of several tasks ({kinds}); the figures mix them")
        if len(self.tally.models) > 1:
            self._warn(f"{len(self.tally.models)} students answered; the figures mix them")
        if self.settings.part is None and self._splits[None] and len(self._splits) > 1:
            count = self._splits[None]
            self._warn(f'{_records(count)} without a split; counted with the split "test"')

    def _nothing_selected(self) -> DataError:
        there = {name: count for name, count in self._splits.items() if name is not None}
        if not there:
            part = self.settings.part
            hint = 'run "mitools split" first, or evaluate everything: "--split all"'
            return EmptyInputError(f'no record has a split, so none is in "{part}"', hint=hint)
        counts = ", ".join(f"{name}: {count:,}" for name, count in sorted(there.items()))
        hint = f'choose one that is there: "--split {max(there, key=there.__getitem__)}"'
        part = self.settings.part or "test"
        return EmptyInputError(f'no record is in the split "{part}" ({counts})', hint=hint)


def _records(count: int) -> str:
    return f"{count:,} record{'s' * (count != 1)}"


def _check_confidence(record: Record) -> None:
    confidence = record["student"].get("confidence")
    if confidence is not None and not 0 <= confidence <= 1:
        message = f'record "{record.get("id")}": "student.confidence" must lie within 0 and 1'
        raise InvalidFieldError(message, hint="mend the field, or remove it")
