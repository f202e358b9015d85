"""Build the view of a record: the answers, their verdicts, and flags.

Verdicts that ``eval`` wrote into ``scores`` are used as they are; the others are computed here by
the record's task.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

from mitools.asking.answering import WAYS
from mitools.errors import InvalidFieldError
from mitools.evaluate.beside_teacher import is_suspect
from mitools.evaluate.measures.consistency import supports_whose
from mitools.evaluate.measures.steps import find_steps
from mitools.evaluate.score import VERDICTS, verdict
from mitools.explain.view import (
    Change,
    ChoiceBar,
    Flag,
    Side,
    StepView,
    SupportedAnswer,
    Thresholds,
    View,
    WayAnswer,
    Who,
    other_key,
)
from mitools.records import Record
from mitools.tasks import Task, task_of

__all__ = ["verdicts", "view_of"]

_WRITTEN = {"correct", "valid", "supported", "consistent"}
"""If a record has all of these verdicts, none are computed."""

_USUAL = Thresholds()


def verdicts(record: Record, override: str | None = None) -> Mapping[str, Any]:
    """Return the verdicts on a student's answer: those in the record, else computed ones.

    Args:
        record: any record; without a student's answer, only the verdicts in it are returned.
        override: name of a task to use instead of the record's own; the verdicts in the record are
            then ignored, but not what no task decides: whether the answer is sure, and its role.
    """
    scores: Mapping[str, Any] = record.get("scores") or {}
    if record.get("student") and (override or _WRITTEN - scores.keys()):
        ignored = VERDICTS if override else ()
        kept = {name: value for name, value in scores.items() if name not in ignored}
        scores = {**verdict(record, task_of(record, override)), **kept}
    return scores


def view_of(
    record: Record,
    position: int = 1,
    *,
    task: str | None = None,
    thresholds: Thresholds = _USUAL,
    others: Sequence[Record | None] = (),
) -> View:
    """Build the view of a record.

    Args:
        record: any record; gold, teacher, student and scores may each be missing.
        position: its position in the input, from 1.
        task: the task to use instead of the record's own.
        thresholds: what is flagged as low or high confidence.
        others: the same record, as other students answered it; None for one that did not.

    Raises:
        InvalidFieldError: a confidence is not between 0 and 1.
    """
    builder = _ViewBuilder.of(record, others, task)
    sides = {side.who: side for side in builder.sides()}
    student = sides.get("student")
    is_consistent = builder.first.verdict("consistent") if student else None
    return View(
        position=position,
        id=str(record.get("id", "")),
        input=str(record.get("input") or ""),
        split=str(record.get("split") or ""),
        task=builder.task.name,
        choices=tuple(dict.fromkeys(builder.choices or ())),
        sides=tuple(sides.values()),
        flags=(
            *(_student_flags(student, builder, is_consistent, thresholds) if student else ()),
            *_teacher_flags(
                sides.get("teacher"), by_student=builder.teacher.get("by") == "student"
            ),
        ),
        is_right=student.is_right if student else None,
        is_consistent=is_consistent,
        is_sure=builder.first.verdict("sure") if student else None,
        is_suspect=bool(student) and is_suspect(record, builder.task),
        change=sides["second"].change if "second" in sides else None,
        is_changed=builder.is_changed() if student else None,
    )


@dataclass(frozen=True)
class _StudentAnswer:
    """A student's answer, and the verdicts on it.

    Attributes:
        fields: the field ``student`` of a record; empty without an answer.
    """

    who: Who
    fields: Mapping[str, Any]
    scores: Mapping[str, Any]

    @classmethod
    def of(cls, who: Who, record: Record | None, override: str | None) -> _StudentAnswer:
        fields = record.get("student") if record else None
        return cls(who, fields or {}, verdicts(record, override) if record else {})

    @property
    def label(self) -> str | None:
        label: str | None = self.fields.get("label")
        return label

    def verdict(self, name: str) -> bool | None:
        """Return a verdict; None if it is not a boolean."""
        value = self.scores.get(name)
        return value if isinstance(value, bool) else None

    def decoded(self) -> str:
        """Return the decoded label if it differs from the answer; else ""."""
        return (
            str(self.fields.get("decoded") or "") if self.verdict("decode_agrees") is False else ""
        )

    def is_cut_off(self) -> bool:
        """Return whether the label or the rationale reached the length limit."""
        return any(self.fields.get(f"{what}_truncated") is True for what in ("label", "rationale"))


@dataclass(frozen=True)
class _ViewBuilder:
    """The parts of a record, and the task by which its labels are compared."""

    record: Record
    task: Task
    choices: Sequence[str] | None
    gold: str | None
    teacher: Mapping[str, Any]
    first: _StudentAnswer
    others: tuple[_StudentAnswer, ...]

    @classmethod
    def of(
        cls, record: Record, others: Sequence[Record | None], override: str | None
    ) -> _ViewBuilder:
        return cls(
            record=record,
            task=task_of(record, override),
            choices=record.get("choices") or None,
            gold=record.get("label"),
            teacher=record.get("teacher") or {},
            first=_StudentAnswer.of("student", record, override),
            others=tuple(
                _StudentAnswer.of(other_key(index), other, override)
                for index, other in enumerate(others)
            ),
        )

    def sides(self) -> Iterator[Side]:
        """Yield the answers that exist."""
        if self.gold is not None or self.record.get("rationale"):
            yield Side("gold", self.gold, rationale=self.record.get("rationale") or "")
        if self.teacher:
            yield self._teacher()
        first = self._student(self.first) if self.first.fields else None
        if first is not None:
            yield first
        for answer in self.others:
            if answer.fields:
                yield self._compared(first, self._student(answer))

    def _teacher(self) -> Side:
        label = self.teacher.get("label")
        rationale = self.teacher.get("rationale") or ""
        agrees = self.teacher.get("agrees")
        if not isinstance(agrees, bool):
            is_known = label is not None and self.gold is not None
            agrees = self.task.is_equal(label, self.gold) if is_known else None
        return Side(
            "teacher",
            label,
            rationale=rationale,
            is_right=agrees,
            support=self._support(rationale),
            steps=_steps(rationale),
            confidence=self._confidence(self.teacher.get("confidence"), "teacher"),
            bars=tuple(self._bars(self.teacher.get("choices") or {})),
            in_set_mass=self.teacher.get("in_set_mass"),
            error=_error_of(self.teacher),
            origin=_origin_of(self.teacher),
        )

    def _student(self, answer: _StudentAnswer) -> Side:
        rationale = answer.fields.get("rationale") or ""
        support = self._support(rationale, answer)
        supported = support.label if support else None
        return Side(
            answer.who,
            answer.label,
            rationale=rationale,
            is_right=answer.verdict("correct"),
            support=support,
            supports=None
            if answer.fields.get("rationale") is None
            else supports_whose(supported, answer.label, self.gold, self.task.is_equal),
            steps=_steps(rationale),
            confidence=self._confidence(answer.fields.get("confidence")),
            bars=tuple(self._bars(answer.fields.get("choices") or {})),
            in_set_mass=answer.fields.get("in_set_mass"),
            decoded=answer.decoded(),
            ways=tuple(self._ways(answer, supported)),
        )

    def _ways(self, answer: _StudentAnswer, supported: str | None) -> Iterator[WayAnswer]:
        """Yield the answers in each way, in the order of the ways."""
        answers = answer.fields.get("answers") or {}
        is_judged = answer.verdict("correct") is not None
        for way in WAYS:
            found = answers.get(way)
            if found:
                label = found.get("label")
                yield WayAnswer(
                    way,
                    label,
                    self._confidence(found.get("confidence")),
                    self.task.is_equal(label, self.gold) if is_judged else None,
                    answer.fields.get("answered_by") == way,
                    None if supported is None else self.task.is_equal(supported, label),
                )

    def _confidence(self, stated: float | None, who: str = "student") -> float | None:
        if stated is not None and not 0 <= stated <= 1:
            place = f'record "{self.record.get("id")}": "{who}.confidence"'
            hint = "fix the field, or remove it"
            raise InvalidFieldError(f"{place} must be between 0 and 1, not {stated}", hint=hint)
        return stated

    def _support(
        self, rationale: str, answer: _StudentAnswer | None = None
    ) -> SupportedAnswer | None:
        """Return the answer that a rationale supports; a student's as its verdicts say."""
        if not rationale.strip():
            return None
        found = self.task.find_support(rationale, self.choices)
        label = found.label if found else None
        if answer is not None:
            written = answer.scores.get("supported")
            label = written if isinstance(written, str) else None
        is_found = found is not None and self.task.is_equal(found.label, label)
        place = found.place if found is not None and is_found else None
        return SupportedAnswer(label, self._owners(label), place)

    def _owners(self, label: str | None) -> tuple[Who, ...]:
        answers: tuple[tuple[Who, str | None], ...] = (
            ("gold", self.gold),
            ("teacher", self.teacher.get("label")),
            ("student", self.first.label),
            *((other.who, other.label) for other in self.others),
        )
        return tuple(who for who, answer in answers if self.task.is_equal(label, answer))

    def _bars(self, chances: Mapping[str, float]) -> Iterator[ChoiceBar]:
        ordered = [choice for choice in dict.fromkeys(self.choices or ()) if choice in chances]
        for choice in dict.fromkeys([*ordered, *chances]):
            yield ChoiceBar(choice, chances[choice], self._owners(choice))

    def disagrees(self) -> bool:
        """Return whether teacher and student have different labels."""
        theirs, ours = self.teacher.get("label"), self.first.label
        return theirs is not None and ours is not None and not self.task.is_equal(theirs, ours)

    def _compared(self, first: Side | None, other: Side) -> Side:
        """Add to another student's answer what it changes in that of the first."""
        if first is None:
            return other
        is_changed = self._differ(first.label, other.label)
        return replace(other, change=_change(first, other), is_changed=is_changed)

    def is_changed(self) -> bool | None:
        """Return whether another student differs from the first; None if none has answered."""
        others = [other.label for other in self.others if other.fields]
        return any(self._differ(self.first.label, label) for label in others) if others else None

    def _differ(self, first: str | None, second: str | None) -> bool:
        """Return whether two labels differ; no label counts as one here."""
        return first != second and not self.task.is_equal(first, second)


def _change(first: Side, second: Side) -> Change | None:
    if first.is_right is None or second.is_right is None:
        return None
    if first.is_right:
        return "both_right" if second.is_right else "broken"
    return "fixed" if second.is_right else "both_wrong"


def _student_flags(
    student: Side, builder: _ViewBuilder, is_consistent: bool | None, thresholds: Thresholds
) -> Iterator[Flag]:
    confidence = student.confidence
    is_sure = confidence is not None and confidence >= thresholds.high
    if student.is_right is False and is_sure:
        yield Flag("confidently_wrong", "confidently wrong", is_serious=True)
    elif student.is_right is False:
        yield Flag("wrong", "wrong", is_serious=True)
    if builder.first.verdict("valid") is False:
        yield Flag("invalid", "no valid answer", is_serious=True)
    if is_consistent is False:
        yield Flag("inconsistent", "inconsistent", is_serious=True)
    # A student that was not asked for a rationale, or not trained to give one, lacks nothing.
    if builder.first.fields.get("rationale") is not None and not student.rationale.strip():
        yield Flag("no_rationale", "no rationale")
    if builder.first.is_cut_off():
        yield Flag("cut_off", "truncated at the length limit")
    if builder.first.scores.get("role") is not None:
        yield Flag("set_apart", "not evaluated: it set a threshold or a parameter")
    if builder.first.fields.get("input_truncated") is True:
        yield Flag("input_cut", "input not read to its end")
    if any(not step.is_right for step in student.steps):
        yield Flag("wrong_step", "wrong step")
    if confidence is not None and confidence < thresholds.low:
        yield Flag("low_confidence", "low confidence")
    if student.decoded:
        yield Flag("decodes_otherwise", "decoded label differs")
    if builder.disagrees():
        yield Flag("disagrees", "differs from teacher")


def _teacher_flags(teacher: Side | None, *, by_student: bool) -> Iterator[Flag]:
    if teacher is None:
        return
    if by_student:
        yield Flag("student_answered", "a student answered in the teacher's place")
    if teacher.label is None:
        yield Flag("no_teacher_answer", "no answer from teacher")
    elif teacher.is_right is False:
        yield Flag("teacher_wrong", "teacher wrong")


def _steps(rationale: str) -> tuple[StepView, ...]:
    return tuple(
        StepView(step.text, step.is_right, _number(step.value)) for step in find_steps(rationale)
    )


def _number(value: Fraction) -> str:
    """Write a value: whole or with up to four decimals if exact, else to four digits."""
    if abs(value) < 10**9:
        text = f"{float(value):.4f}".rstrip("0").rstrip(".")
        if Fraction(text) == value:
            return text
    return f"≈ {float(value):.4g}"


def _error_of(teacher: Mapping[str, Any]) -> str:
    error = teacher.get("error")
    if not error:
        return ""
    return ": ".join(str(error[key]) for key in ("kind", "message") if error.get(key)) or "unknown"


def _origin_of(teacher: Mapping[str, Any]) -> str:
    source, model = teacher.get("source"), teacher.get("model")
    if not source:
        return ""
    return f"{model}, {source}" if model else str(source)
