"""What there is to see in one record: a few small values, ready for a terminal or a page.

A :class:`View` says what to show and what is true of it; how it looks is the business of
:mod:`mitools.explain.terminal`. Verdicts that ``eval`` wrote into ``scores`` are taken as they are;
the rest is worked out here through the record's task. Texts stay as they came: whoever shows them
escapes them for its medium.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from mitools.evaluate.score import verdict
from mitools.evaluate.steps import find_steps
from mitools.records import Record
from mitools.tasks import Task, task_of

__all__ = [
    "Bar",
    "Flag",
    "FlagName",
    "Side",
    "Step",
    "Support",
    "Thresholds",
    "View",
    "Who",
    "view_of",
]

Who = Literal["gold", "teacher", "student"]

FlagName = Literal[
    "wrong",
    "confidently_wrong",
    "invalid",
    "inconsistent",
    "no_rationale",
    "cut_off",
    "wrong_step",
    "low_confidence",
    "disagrees",
    "teacher_wrong",
    "no_teacher_answer",
]

_WRITTEN = {"correct", "valid", "supported", "consistent"}
"""Verdicts that a record with all of them need not be judged for again."""

LOW_CONFIDENCE = 0.6
HIGH_CONFIDENCE = 0.9


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where confidence counts as low, and as high; probabilities from 0 to 1."""

    low: float = LOW_CONFIDENCE
    high: float = HIGH_CONFIDENCE


@dataclass(frozen=True, slots=True)
class Step:
    """One arithmetic step that a rationale states, such as ``12 + 7 = 19``.

    Attributes:
        value: what the left side comes to; empty where that cannot be written.
    """

    text: str
    is_right: bool
    value: str = ""


@dataclass(frozen=True, slots=True)
class Support:
    """Which answer a rationale argues for.

    Attributes:
        label: that answer; None where the rationale argues for none that can be made out.
        of: whose answer that is, among gold, teacher and student.
    """

    label: str | None
    of: tuple[Who, ...] = ()


@dataclass(frozen=True, slots=True)
class Bar:
    """One possible answer, its probability, and who gives it."""

    choice: str
    probability: float
    of: tuple[Who, ...] = ()


@dataclass(frozen=True, slots=True)
class Side:
    """What one of the three says: a label and a rationale, and how they hold up.

    Attributes:
        is_right: whether the label is the gold one; None where that is unknown, and for gold.
        support: which answer the rationale argues for; None where there is no rationale.
        confidence: the student's probability of its label, 0 to 1.
        bars: the student's probability of each choice, in the record's order.
        error: why there is no answer, where the teacher failed.
    """

    who: Who
    label: str | None
    rationale: str = ""
    is_right: bool | None = None
    support: Support | None = None
    steps: tuple[Step, ...] = ()
    confidence: float | None = None
    bars: tuple[Bar, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Flag:
    """Something worth a second look; a serious one counts against the student's answer."""

    name: FlagName
    text: str
    is_serious: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """One record, as people see it.

    Attributes:
        position: its place in the input, counted from 1.
        task: the name of the task that compares its labels.
        choices: the possible answers, each once.
        sides: those of gold, teacher and student that the record holds, in this order.
        is_right: whether the student's label is right; None where gold or student is missing.
        is_consistent: whether the student's rationale supports the student's label; None where it
            supports no answer, or there is no rationale.
    """

    position: int
    id: str
    input: str
    split: str = ""
    task: str = "text"
    choices: tuple[str, ...] = ()
    sides: tuple[Side, ...] = ()
    flags: tuple[Flag, ...] = ()
    is_right: bool | None = None
    is_consistent: bool | None = None

    def side(self, who: Who) -> Side | None:
        return next((side for side in self.sides if side.who == who), None)

    @property
    def gold(self) -> Side | None:
        return self.side("gold")

    @property
    def teacher(self) -> Side | None:
        return self.side("teacher")

    @property
    def student(self) -> Side | None:
        return self.side("student")

    def has(self, name: FlagName) -> bool:
        return any(flag.name == name for flag in self.flags)


def view_of(
    record: Record,
    position: int = 1,
    *,
    task: str | None = None,
    thresholds: Thresholds = Thresholds(),
) -> View:
    """Work out what there is to see in a record.

    Args:
        record: any record; gold, teacher, student and scores may each be missing.
        position: its place in the input, counted from 1.
        task: the task to use instead of the record's own.
        thresholds: what is flagged as low or high confidence.
    """
    judge = _Judge.of(record, task)
    sides = {side.who: side for side in judge.sides()}
    student = sides.get("student")
    is_consistent = judge.verdict("consistent") if student else None
    return View(
        position=position,
        id=str(record.get("id", "")),
        input=str(record.get("input") or ""),
        split=str(record.get("split") or ""),
        task=judge.task.name,
        choices=tuple(dict.fromkeys(judge.choices or ())),
        sides=tuple(sides.values()),
        flags=(
            *(_student_flags(student, judge, is_consistent, thresholds) if student else ()),
            *_teacher_flags(sides.get("teacher")),
        ),
        is_right=student.is_right if student else None,
        is_consistent=is_consistent,
    )


@dataclass(frozen=True)
class _Judge:
    """A record, and the task by which its labels are compared."""

    record: Record
    task: Task
    choices: Sequence[str] | None
    gold: str | None
    teacher: Mapping[str, Any]
    student: Mapping[str, Any]
    scores: Mapping[str, Any]

    @classmethod
    def of(cls, record: Record, override: str | None) -> _Judge:
        task = task_of(record, override)
        scores: Mapping[str, Any] = record.get("scores") or {}
        # Verdicts by another task than the one asked for say nothing here.
        if record.get("student") and (override or _WRITTEN - scores.keys()):
            scores = {**verdict(record, task), **({} if override else scores)}
        return cls(
            record=record,
            task=task,
            choices=record.get("choices") or None,
            gold=record.get("label"),
            teacher=record.get("teacher") or {},
            student=record.get("student") or {},
            scores=scores,
        )

    def sides(self) -> Iterator[Side]:
        if self.gold is not None or self.record.get("rationale"):
            yield Side("gold", self.gold, rationale=self.record.get("rationale") or "")
        if self.teacher:
            yield self._teacher()
        if self.student:
            yield self._student()

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
            support=self._support(rationale, self.task.supported(rationale, self.choices)),
            steps=_steps(rationale),
            error=_error_of(self.teacher),
        )

    def _student(self) -> Side:
        rationale = self.student.get("rationale") or ""
        return Side(
            "student",
            self.student.get("label"),
            rationale=rationale,
            is_right=self.verdict("correct"),
            support=self._support(rationale, self.scores.get("supported")),
            steps=_steps(rationale),
            confidence=self.student.get("confidence"),
            bars=tuple(self._bars()),
        )

    def verdict(self, name: str) -> bool | None:
        """Look a verdict up; what is not true or false is unknown."""
        value = self.scores.get(name)
        return value if isinstance(value, bool) else None

    def _support(self, rationale: str, supported: object) -> Support | None:
        if not rationale.strip():
            return None
        label = supported if isinstance(supported, str) else None
        return Support(label, self._who_says(label))

    def _who_says(self, label: str | None) -> tuple[Who, ...]:
        answers: tuple[tuple[Who, str | None], ...] = (
            ("gold", self.gold),
            ("teacher", self.teacher.get("label")),
            ("student", self.student.get("label")),
        )
        return tuple(who for who, answer in answers if self.task.is_equal(label, answer))

    def _bars(self) -> Iterator[Bar]:
        chances: Mapping[str, float] = self.student.get("choices") or {}
        ordered = [choice for choice in dict.fromkeys(self.choices or ()) if choice in chances]
        for choice in dict.fromkeys([*ordered, *chances]):
            yield Bar(choice, chances[choice], self._who_says(choice))

    def is_cut_off(self) -> bool:
        """Tell whether the student ran into the length limit, in its label or its rationale."""
        return any(self.student.get(f"{what}_truncated") is True for what in ("label", "rationale"))

    def disagrees(self) -> bool:
        """Tell whether teacher and student both answer, and differently."""
        theirs, ours = self.teacher.get("label"), self.student.get("label")
        return theirs is not None and ours is not None and not self.task.is_equal(theirs, ours)


def _student_flags(
    student: Side, judge: _Judge, is_consistent: bool | None, thresholds: Thresholds
) -> Iterator[Flag]:
    confidence = student.confidence
    is_sure = confidence is not None and confidence >= thresholds.high
    if student.is_right is False and is_sure:
        yield Flag("confidently_wrong", "confidently wrong", is_serious=True)
    elif student.is_right is False:
        yield Flag("wrong", "wrong", is_serious=True)
    if judge.verdict("valid") is False:
        yield Flag("invalid", "no valid answer", is_serious=True)
    if is_consistent is False:
        yield Flag("inconsistent", "inconsistent", is_serious=True)
    if not student.rationale.strip():
        yield Flag("no_rationale", "no rationale")
    if judge.is_cut_off():
        yield Flag("cut_off", "cut off at the length limit")
    if any(not step.is_right for step in student.steps):
        yield Flag("wrong_step", "wrong step")
    if confidence is not None and confidence < thresholds.low:
        yield Flag("low_confidence", "low confidence")
    if judge.disagrees():
        yield Flag("disagrees", "differs from teacher")


def _teacher_flags(teacher: Side | None) -> Iterator[Flag]:
    if teacher is None:
        return
    if teacher.label is None:
        yield Flag("no_teacher_answer", "no answer from teacher")
    elif teacher.is_right is False:
        yield Flag("teacher_wrong", "teacher wrong")


def _steps(rationale: str) -> tuple[Step, ...]:
    return tuple(
        Step(step.text, step.is_right, _number(step.value)) for step in find_steps(rationale)
    )


def _number(value: Fraction) -> str:
    """Write a value as people do: whole or with a few decimals where exact, else to four digits."""
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
