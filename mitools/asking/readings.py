"""Ask a student that concludes by both of its readings, and answer in one of the ways.

Reading is apart from answering: the weight λ of :mod:`mitools.asking.combine` may only be
known when the last validation record has been read.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, TypeVar

from mitools.asking.answering import EVEN, WAYS, Answering, Way, draw_seed
from mitools.asking.combine import Candidates, WeightFit, average_draws, pool
from mitools.asking.predict import (
    about_input,
    closed_answer,
    cut_inputs,
    one_each,
    open_answer,
    predict,
)
from mitools.errors import StudentError
from mitools.records import Record, student_text
from mitools.student.protocol import Generation, can_conclude, can_predict

if TYPE_CHECKING:
    from mitools.student.protocol import Student

__all__ = ["Reader", "Reading", "answer", "ask", "check_ways", "known_fit"]

T = TypeVar("T")


def check_ways(metadata: Mapping[str, Any], way: Way) -> None:
    """Check that a student can answer in a way.

    Raises:
        StudentError: it cannot; the hint names what to train.
    """
    if way != "predict" and not can_conclude(metadata):
        raise StudentError(
            f'this student gives no label after its rationale, as "--answer {way}" needs',
            hint='train one with "mitools train --mi conclude", or use "--answer predict"',
        )
    if way == "both" and not can_predict(metadata):
        raise StudentError(
            "this student gives every label after its rationale, so it has one reading only",
            hint='use "--answer conclude", or train one with "mitools train --mi conclude"',
        )


@dataclass(frozen=True, slots=True)
class Reading:
    """What a student gives for one record, by each of its readings.

    Attributes:
        candidates: the possible answers; None where the student has no predict pass.
        answers: the finished answers of the ways ``predict`` and ``conclude``.
        rationale: the greedy rationale; None where it was not decoded.
        is_closed: whether the candidates are the record's choices, and not decoded labels.
        truncated: the decoded labels that ran into the length limit.
        is_cut: whether the input was cut at the student's length limit; None if unknown.
    """

    candidates: Candidates | None
    answers: Mapping[Way, Mapping[str, Any]]
    rationale: Generation | None
    is_closed: bool
    truncated: frozenset[str] = frozenset()
    is_cut: bool | None = None


def answer(reading: Reading, way: Way, fit: WeightFit) -> dict[str, Any]:
    """Answer in one way, and keep the answers in all ways that there are.

    Args:
        reading: what the student gave.
        way: whose label, confidence and choices become the answer.
        fit: λ of the way ``both``.
    """
    answers: dict[Way, Mapping[str, Any]] = dict(reading.answers)
    if reading.candidates is not None:
        answers["both"] = _pooled(reading, reading.candidates, fit)
    chosen = {name: value for name, value in answers[way].items() if name not in _ABOUT_THE_WAY}
    if reading.rationale is not None:
        chosen["rationale"] = reading.rationale.text
        chosen["rationale_truncated"] = reading.rationale.is_truncated
    chosen |= about_input(reading.is_cut)
    ways = {name: dict(answers[name]) for name in WAYS if name in answers}
    return {**chosen, "answered_by": way, "answers": ways}


_ABOUT_THE_WAY = ("draws", "weight", "fitted_on", "tokens")


def _pooled(reading: Reading, candidates: Candidates, fit: WeightFit) -> dict[str, Any]:
    """Answer by both readings.

    The confidence among a record's choices is their share of the pool. Decoded labels are not all
    the possible ones, and a single one would always have a share of 1. So there it is the pool's
    own p^λ · q^(1-λ), which never exceeds the probability in the normalized pool.
    """
    scores = pool(candidates, fit.weight)
    tokens = sum(one["tokens"] for one in reading.answers.values())
    about = {"weight": fit.weight, "fitted_on": fit.records, "tokens": tokens}
    if reading.is_closed:
        found = closed_answer(candidates.labels, scores)
        del found["in_set_mass"]  # of a pool, not the probability of a text
        return {**found, **about}
    return {**_best_decoded(candidates.labels, scores, reading.truncated), **about}


def _best_decoded(
    labels: Sequence[str], scores: Sequence[float], truncated: Set[str]
) -> dict[str, Any]:
    """Answer with the decoded label of the best score; ties go to the first by alphabet."""
    best = max(sorted(range(len(labels)), key=labels.__getitem__), key=scores.__getitem__)
    one = Generation(labels[best], scores[best], labels[best] in truncated, 0)
    return open_answer(one)


def ask(
    student: Student,
    records: Sequence[Record],
    answering: Answering,
    *,
    rationales: bool = True,
) -> list[dict[str, Any]]:
    """Ask a student about records in any way, with the weight ½ where none is given."""
    if answering.way == "predict":
        return predict(student, records, rationales=rationales)
    fit = known_fit(answering, student.metadata)
    readings = Reader(student, answering).read(records, rationales=rationales)
    return [answer(reading, answering.way, fit) for reading in readings]


def known_fit(answering: Answering, metadata: Mapping[str, Any]) -> WeightFit:
    """Return the weight that is given, or ½; with what it was fitted on if it is the student's."""
    if answering.weight is None:
        return WeightFit(EVEN, 0)
    saved = metadata.get("answer_weight") or {}
    is_own = saved.get("value") == answering.weight
    return WeightFit(answering.weight, int(saved["fitted_on"]) if is_own else 0)


@dataclass
class Reader:
    """Asks one student by both readings, and measures the time that it takes.

    Attributes:
        student: gives labels behind given rationales; see
            :class:`mitools.student.protocol.Student`.
        answering: how many rationales, and their seed.
        records: records read so far.
        seconds: time spent on each reading so far; ``both`` is what comes on top of them.
        clock: tells the time in seconds.
    """

    student: Student
    answering: Answering
    records: int = 0
    seconds: dict[Way, float] = field(default_factory=lambda: dict.fromkeys(WAYS, 0.0))
    clock: Callable[[], float] = time.perf_counter

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
                rationale=greedy[place] if rationales else None,
                is_cut=cut[place],
            )
            for place in range(len(records))
        ]

    def _rationales(
        self, records: Sequence[Record], *, is_kept: bool
    ) -> tuple[Sequence[Generation | None], list[Sequence[Generation]]]:
        """Decode the greedy rationale of each record, and K to read a label behind."""
        inputs, draws = [student_text(record) for record in records], self.answering.draws
        if draws == 1:
            with self._timed("conclude"):
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
        with self._timed("conclude"):
            drawn = one_each(self.student.sample_rationales(repeated, seeds), repeated)
        return kept, self._by_record(drawn)

    def _read_closed(
        self, records: Sequence[Record], drawn: Sequence[Sequence[Generation]]
    ) -> list[Reading]:
        """Score each record's choices by both readings."""
        inputs = [student_text(record) for record in records]
        # A choice that is listed twice is one choice.
        names = [list(dict.fromkeys(record["choices"])) for record in records]
        with self._timed("conclude"):
            concluded = self._score_behind(inputs, names, drawn)
        predicted = None
        if can_predict(self.student.metadata):
            with self._timed("predict"):
                predicted = one_each(self.student.score_choices(inputs, names), inputs)
        readings = []
        for place, labels in enumerate(names):
            behind = {**closed_answer(labels, concluded[place]), **self._about(drawn[place])}
            answers: dict[Way, Mapping[str, Any]] = {"conclude": behind}
            candidates = None
            if predicted is not None:
                answers["predict"] = {**closed_answer(labels, predicted[place]), "tokens": 0}
                candidates = Candidates(
                    tuple(labels), tuple(predicted[place]), tuple(concluded[place])
                )
            readings.append(Reading(candidates, answers, None, is_closed=True))
        return readings

    def _read_open(
        self, records: Sequence[Record], drawn: Sequence[Sequence[Generation]]
    ) -> list[Reading]:
        """Decode labels by both readings, and score the union of them by both."""
        inputs = [student_text(record) for record in records]
        has_predict, draws = can_predict(self.student.metadata), self.answering.draws
        direct: Sequence[Generation] = []
        if has_predict:
            with self._timed("predict"):
                direct = one_each(self.student.generate_labels(inputs), inputs)
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
        candidates: Candidates,
    ) -> Reading:
        """Put together what was decoded for one record, and the scores of its candidates."""
        decoded = [*behind] if direct is None else [direct, *behind]
        truncated = frozenset(one.text for one in decoded if one.is_truncated)
        if len(behind) == 1:
            concluded = open_answer(behind[0])
        else:
            own = {one.text for one in behind}
            pairs = zip(candidates.labels, candidates.concluded, strict=True)
            scores = {label: score for label, score in pairs if label in own}
            concluded = _best_decoded([*scores], [*scores.values()], truncated)
        about = self._about([*drawn, *behind])
        answers: dict[Way, Mapping[str, Any]] = {"conclude": {**concluded, **about}}
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
    def _timed(self, way: Way) -> Iterator[None]:
        began = self.clock()
        yield
        self.seconds[way] += self.clock() - began
