"""Ask a student for labels and rationales by its readings.

Reading is apart from answering: the weight λ of :mod:`mitools.asking.combine` may only be
known when the last validation record has been read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, TypeVar, get_args

from mitools.asking.answering import Answering, Way, draw_seed
from mitools.asking.combine import Candidates, average_draws
from mitools.asking.named import mention_of, named_answer, named_shares
from mitools.asking.predict import closed_answer, cut_inputs, one_each, open_answer, predict
from mitools.asking.readings import ABOUT_THE_WAY, Reading, answer, best_decoded, known_fit
from mitools.records import Record, student_text
from mitools.student.protocol import Generation, can_conclude, can_predict

if TYPE_CHECKING:
    from mitools.student.protocol import Student

__all__ = ["Reader", "ask"]

T = TypeVar("T")

Part = Literal["predict", "rationale", "conclude", "both"]
PARTS: tuple[Part, ...] = get_args(Part)


def ask(
    student: Student,
    records: Sequence[Record],
    answering: Answering,
    *,
    rationales: bool = True,
    task: str | None = None,
) -> list[dict[str, Any]]:
    """Ask a student about records in any way, with the weight ½ where none is given.

    Args:
        student: of any kind that can answer in this way.
        records: what is asked about.
        answering: the way.
        rationales: put the rationale in the answers.
        task: the task by which rationales are read; None means as each record says.
    """
    if answering.way == "predict":
        return predict(student, records, rationales=rationales)
    fit = known_fit(answering, student.metadata)
    readings = Reader(student, answering, task).read(records, rationales=rationales)
    return [answer(reading, answering.way, fit) for reading in readings]


@dataclass
class Reader:
    """Asks one student by its readings, and measures the time that it takes.

    Attributes:
        student: gives labels and rationales, and where labels are read behind rationales those as
            well; see :class:`mitools.student.protocol.Student`.
        answering: the way, how many rationales, and their seed.
        task: the task by which rationales are read; None means as each record says.
        records: records read so far.
        seconds: time spent on each part so far; ``both`` is what comes on top of its readings.
        clock: tells the time in seconds.
    """

    student: Student
    answering: Answering
    task: str | None = None
    records: int = 0
    seconds: dict[Part, float] = field(default_factory=lambda: dict.fromkeys(PARTS, 0.0))
    clock: Callable[[], float] = time.perf_counter

    @property
    def concludes(self) -> bool:
        """Whether labels are read behind rationales: not where their words are read instead."""
        metadata = self.student.metadata
        return can_conclude(metadata) and (
            self.answering.way != "named" or not can_predict(metadata)
        )

    @property
    def reads_mentions(self) -> bool:
        """Whether what a rationale may name is the second of both readings."""
        return self.answering.way == "both" and not self.concludes

    def seconds_of(self, way: Way) -> float:
        """Return the time spent so far on the answers of one way."""
        if way == "both":
            return sum(self.seconds.values())
        if way == "predict":
            return self.seconds["predict"]
        # Without a predict pass, the label where no rationale names one comes from behind it.
        other: Part = "predict" if way == "named" and self.seconds["predict"] else "conclude"
        return self.seconds["rationale"] + self.seconds[other]

    def read(self, records: Sequence[Record], *, rationales: bool = True) -> list[Reading]:
        """Read a chunk of records: score their choices, or decode labels where there are none.

        Args:
            records: what to read.
            rationales: keep the greedy rationale of each record.

        Raises:
            StudentError: the student gave no usable number, or not one answer for each record.
        """
        self.records += len(records)
        greedy, drawn = self._rationales([*records], is_kept=rationales)
        readings: dict[int, Reading] = {}
        for is_closed, read in ((True, self._read_closed), (False, self._read_open)):
            places = [i for i, one in enumerate(records) if bool(one.get("choices")) is is_closed]
            if places:
                found = read([records[i] for i in places], [drawn[i] for i in places])
                readings.update(zip(places, found, strict=True))
        cut = cut_inputs(self.student, [student_text(record) for record in records])
        return [
            replace(
                readings[place],
                answers=self._with_named(record, readings[place].answers, drawn[place]),
                rationale=greedy[place] if rationales else None,
                is_cut=cut[place],
            )
            for place, record in enumerate(records)
        ]

    def _with_named(
        self,
        record: Record,
        answers: Mapping[Way, Mapping[str, Any]],
        drawn: Sequence[Generation],
    ) -> dict[Way, Mapping[str, Any]]:
        """Add the answer that the rationales name to those of the student's readings."""
        own = answers["predict" if "predict" in answers else "conclude"]
        plain = {name: value for name, value in own.items() if name not in ABOUT_THE_WAY}
        named = named_answer(record, [one.text for one in drawn], plain, self.task)
        about = self._about(drawn)
        about["tokens"] += own["tokens"] if "predict" in answers else 0
        return {**answers, "named": {**named, **about}}

    def _rationales(
        self, records: Sequence[Record], *, is_kept: bool
    ) -> tuple[Sequence[Generation | None], list[Sequence[Generation]]]:
        """Decode the greedy rationale of each record, and K to read a label behind."""
        inputs, draws = [student_text(record) for record in records], self.answering.draws
        if draws == 1:
            with self._timed("rationale"):
                greedy = one_each(self.student.generate_rationales(inputs), inputs)
            return greedy, [[one] for one in greedy]
        kept: Sequence[Generation | None] = [None] * len(records)
        if is_kept:
            kept = one_each(self.student.generate_rationales(inputs), inputs)
        seeds = [
            draw_seed(self.answering.seed, str(record.get("id", "")), number)
            for record in records
            for number in range(draws)
        ]
        repeated = self._repeated(inputs)
        with self._timed("rationale"):
            drawn = one_each(self.student.sample_rationales(repeated, seeds), repeated)
        return kept, self._by_record(drawn)

    def _read_closed(
        self, records: Sequence[Record], drawn: Sequence[Sequence[Generation]]
    ) -> list[Reading]:
        """Score each record's choices by the readings."""
        inputs = [student_text(record) for record in records]
        # A choice that is listed twice is one choice.
        names = [list(dict.fromkeys(record["choices"])) for record in records]
        concluded = predicted = second = None
        if self.concludes:
            with self._timed("conclude"):
                concluded = second = self._score_behind(inputs, names, drawn)
        if can_predict(self.student.metadata):
            with self._timed("predict"):
                predicted = one_each(self.student.score_choices(inputs, names), inputs)
        if self.reads_mentions and predicted is not None:
            with self._timed("both"):
                second = self._score_mentions(records, names, drawn, predicted)
        readings = []
        for place, labels in enumerate(names):
            answers: dict[Way, Mapping[str, Any]] = {}
            candidates = None
            if concluded is not None:
                behind = closed_answer(labels, concluded[place])
                answers["conclude"] = {**behind, **self._about(drawn[place])}
            if predicted is not None:
                answers["predict"] = {**closed_answer(labels, predicted[place]), "tokens": 0}
            if predicted is not None and second is not None:
                candidates = Candidates(
                    tuple(labels), tuple(predicted[place]), tuple(second[place])
                )
            readings.append(Reading(candidates, answers, None, is_closed=True))
        return readings

    def _score_mentions(
        self,
        records: Sequence[Record],
        names: Sequence[Sequence[str]],
        drawn: Sequence[Sequence[Generation]],
        predicted: Sequence[Sequence[float]],
    ) -> list[tuple[float, ...]]:
        """Score the choices where K rationales name one: ln of the mean of their probabilities.

        Where none names a choice, the predict pass is taken for this reading as well.
        """
        asked = [
            (place, mention)
            for place, record in enumerate(records)
            for one in drawn[place]
            if (mention := mention_of(record, one.text, self.task)) is not None
        ]
        rows: list[list[tuple[float, ...]]] = [[] for _ in records]
        if asked:
            found = self.student.score_mentions(
                [student_text(records[place]) for place, _ in asked],
                [mention.before for _, mention in asked],
                [mention.forms for _, mention in asked],
            )
            for (place, mention), scores in zip(asked, one_each(found, asked), strict=True):
                rows[place].append(named_shares(names[place], mention, scores))
        return [
            average_draws(row) if row else tuple(own)
            for row, own in zip(rows, predicted, strict=True)
        ]

    def _read_open(
        self, records: Sequence[Record], drawn: Sequence[Sequence[Generation]]
    ) -> list[Reading]:
        """Decode labels by the readings, and score the union of those of two by both."""
        inputs = [student_text(record) for record in records]
        has_predict, draws = can_predict(self.student.metadata), self.answering.draws
        direct: Sequence[Generation] = []
        if has_predict:
            with self._timed("predict"):
                direct = one_each(self.student.generate_labels(inputs), inputs)
        if not self.concludes:
            return [self._open_reading(one, (), (), None) for one in direct]
        repeated, told = self._repeated(inputs), [one.text for row in drawn for one in row]
        with self._timed("conclude"):
            flat = one_each(self.student.generate_labels(repeated, told), repeated)
        behind = self._by_record(flat)
        decoded = [[*direct[place : place + 1], *behind[place]] for place in range(len(records))]
        labels = [list(dict.fromkeys(one.text for one in row)) for row in decoded]
        concluded: list[tuple[float, ...]] = []
        predicted: Sequence[Sequence[float]] = []
        # One rationale needs no scores to conclude: its label comes with its probability.
        if has_predict or draws > 1:
            with self._timed("conclude" if draws > 1 else "both"):
                concluded = self._score_behind(inputs, labels, drawn)
        if has_predict:
            with self._timed("both"):
                predicted = one_each(self.student.score_choices(inputs, labels), inputs)
        return [
            self._open_reading(
                direct[place] if has_predict else None,
                drawn[place],
                behind[place],
                Candidates(
                    tuple(names),
                    tuple(predicted[place]) if predicted else (),
                    tuple(concluded[place]) if concluded else (),
                ),
            )
            for place, names in enumerate(labels)
        ]

    def _open_reading(
        self,
        direct: Generation | None,
        drawn: Sequence[Generation],
        behind: Sequence[Generation],
        candidates: Candidates | None,
    ) -> Reading:
        """Put together what was decoded for one record, and the scores of its candidates."""
        decoded = [*behind] if direct is None else [direct, *behind]
        truncated = frozenset(one.text for one in decoded if one.is_truncated)
        answers: dict[Way, Mapping[str, Any]] = {}
        if len(behind) == 1:
            answers["conclude"] = open_answer(behind[0])
        elif candidates is not None:
            own = {one.text for one in behind}
            pairs = zip(candidates.labels, candidates.concluded, strict=True)
            scores = {label: score for label, score in pairs if label in own}
            answers["conclude"] = best_decoded([*scores], [*scores.values()], truncated)
        if "conclude" in answers:
            answers["conclude"] = {**answers["conclude"], **self._about([*drawn, *behind])}
        if direct is None:
            return Reading(None, answers, None, False, truncated)
        answers["predict"] = {**open_answer(direct), "tokens": direct.tokens}
        return Reading(candidates, answers, None, False, truncated)

    def _about(self, decoded: Sequence[Generation]) -> dict[str, Any]:
        return {"draws": self.answering.draws, "tokens": sum(one.tokens for one in decoded)}

    def _score_behind(
        self,
        inputs: Sequence[str],
        labels: Sequence[Sequence[str]],
        drawn: Sequence[Sequence[Generation]],
    ) -> list[tuple[float, ...]]:
        """Score labels behind each of K rationales: ln of the mean of their probabilities."""
        repeated = self._repeated(inputs)
        told = [one.text for row in drawn for one in row]
        flat = self.student.score_choices(repeated, self._repeated(labels), told)
        return [average_draws(rows) for rows in self._by_record(one_each(flat, repeated))]

    def _repeated(self, items: Sequence[T]) -> list[T]:
        """Repeat each item K times, in its place."""
        return [item for item in items for _ in range(self.answering.draws)]

    def _by_record(self, flat: Sequence[T]) -> list[Sequence[T]]:
        """Undo :meth:`_repeated`: K items for each record."""
        draws = self.answering.draws
        return [flat[first : first + draws] for first in range(0, len(flat), draws)]

    @contextmanager
    def _timed(self, part: Part) -> Iterator[None]:
        began = self.clock()
        yield
        self.seconds[part] += self.clock() - began
