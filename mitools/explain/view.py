"""The view of one record: small values, ready for a terminal or a page.

A :class:`View` holds the answers of gold, teacher and students with their verdicts.
:mod:`mitools.explain.build_view` makes it from a record; :mod:`mitools.explain.terminal` and
:mod:`mitools.explain.page` render it. Its texts are not escaped; the renderer escapes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from mitools.asking.answering import Way
    from mitools.evaluate.measures.consistency import Supports

__all__ = [
    "Change",
    "ChoiceBar",
    "Flag",
    "FlagName",
    "Side",
    "StepView",
    "SupportedAnswer",
    "Thresholds",
    "View",
    "WayAnswer",
    "Who",
    "other_key",
]

Who = str
"""Whose answer it is: ``gold``, ``teacher``, ``student``, or the key of another student that
answered the same records: ``second``, ``third`` and so on (:func:`other_key`)."""

Change = Literal["fixed", "broken", "both_right", "both_wrong"]
"""Which of two students has the label right: only the other one (``fixed``), only the first
(``broken``), both or none."""

FlagName = Literal[
    "wrong",
    "confidently_wrong",
    "invalid",
    "inconsistent",
    "no_rationale",
    "cut_off",
    "input_cut",
    "set_apart",
    "wrong_step",
    "low_confidence",
    "decodes_otherwise",
    "disagrees",
    "teacher_wrong",
    "no_teacher_answer",
    "student_answered",
]

_ORDINALS = ("second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth")


def other_key(index: int) -> Who:
    """Return the key of another student: ``second`` for 0, ``third`` for 1 and so on."""
    return _ORDINALS[index] if index < len(_ORDINALS) else f"student_{index + 2}"


LOW_CONFIDENCE = 0.6
HIGH_CONFIDENCE = 0.9

LITTLE_MASS = 0.5
"""If the choices have less than this share of the probability mass, it is shown."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Low is a confidence below ``low``, high one of ``high`` or more; both from 0 to 1."""

    low: float = LOW_CONFIDENCE
    high: float = HIGH_CONFIDENCE


@dataclass(frozen=True, slots=True)
class StepView:
    """One arithmetic step that a rationale states, such as ``12 + 7 = 19``.

    Attributes:
        value: the value of the left side; empty if it cannot be written.
    """

    text: str
    is_right: bool
    value: str = ""


@dataclass(frozen=True, slots=True)
class SupportedAnswer:
    """The answer that a rationale supports.

    Attributes:
        label: that answer; None if it supports no recognizable answer.
        of: whose answer that is.
        place: where the words that decided begin and end in the rationale; None if unknown.
    """

    label: str | None
    of: tuple[Who, ...] = ()
    place: tuple[int, int] | None = None


@dataclass(frozen=True, slots=True)
class ChoiceBar:
    """One possible answer, its probability, and whose answer it is."""

    choice: str
    probability: float
    of: tuple[Who, ...] = ()


@dataclass(frozen=True, slots=True)
class WayAnswer:
    """A student's answer in one way of answering.

    Attributes:
        way: from the predict pass, after the rationale (``conclude``), or from both.
        confidence: the probability of its label, 0 to 1.
        is_right: whether the label is gold; None if unknown.
        is_consistent: whether the rationale supports the label; None if it supports no answer.
        is_chosen: whether the student's label comes from it.
    """

    way: Way
    label: str | None
    confidence: float | None = None
    is_right: bool | None = None
    is_chosen: bool = False
    is_consistent: bool | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """The answer of gold, teacher or a student: a label and a rationale, with their verdicts.

    Attributes:
        is_right: whether the label is gold; None if unknown, and for gold itself.
        support: the answer that the rationale supports; None without a rationale.
        supports: whose answer that is, as ``eval`` counts it; None for gold and teacher, and for a
            student that was not asked for a rationale. An empty rationale supports none.
        steps: the arithmetic steps that the rationale states.
        confidence: a student's probability of its label, 0 to 1.
        bars: a student's probability of each choice, in the record's order.
        in_set_mass: the probability of all choices together among all texts, 0 to 1.
        decoded: the decoded label, if it differs from the label with the best score.
        error: the teacher's error, if it gave no answer.
        origin: model, file and line of a teacher's answer that was read in a log.
        ways: a student's answers in each way, if several were asked for.
        change: another student's answer against that of the first; None if a verdict is unknown.
        is_changed: whether another student's label differs from that of the first.
    """

    who: Who
    label: str | None
    rationale: str = ""
    is_right: bool | None = None
    support: SupportedAnswer | None = None
    supports: Supports | None = None
    steps: tuple[StepView, ...] = ()
    confidence: float | None = None
    bars: tuple[ChoiceBar, ...] = ()
    in_set_mass: float | None = None
    decoded: str = ""
    error: str = ""
    origin: str = ""
    ways: tuple[WayAnswer, ...] = ()
    change: Change | None = None
    is_changed: bool | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    """A property to check; a serious one is an error in the student's answer."""

    name: FlagName
    text: str
    is_serious: bool = False


@dataclass(frozen=True, slots=True)
class View:
    """One record, as it is shown.

    Attributes:
        position: its position in the input, from 1.
        task: the name of the task that compares its labels.
        choices: the possible answers, without repetition.
        sides: the answers that exist, in the order gold, teacher, student, other students.
        flags: on the answers of teacher and student.
        is_right: whether the student's label is right; None if gold or student is missing.
        is_consistent: whether the student's rationale supports the student's label; None if it
            supports no answer, or there is no rationale.
        is_sure: whether the student's confidence is at or above its operating point; None if the
            record does not hold it.
        is_suspect: whether a person should check the record: the student is sure, and its label,
            the teacher's and gold are not all equal.
        change: the second student against the first; None if a verdict is unknown.
        is_changed: whether any two students' labels differ; None without another student.
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
    is_sure: bool | None = None
    is_suspect: bool = False
    change: Change | None = None
    is_changed: bool | None = None

    def side(self, who: Who) -> Side | None:
        """Return one of the answers; None if there is none."""
        return next((side for side in self.sides if side.who == who), None)

    @property
    def gold(self) -> Side | None:
        """The gold answer."""
        return self.side("gold")

    @property
    def teacher(self) -> Side | None:
        """The teacher's answer."""
        return self.side("teacher")

    @property
    def student(self) -> Side | None:
        """The student's answer."""
        return self.side("student")

    @property
    def second(self) -> Side | None:
        """The second student's answer."""
        return self.side("second")

    @property
    def others(self) -> tuple[Side, ...]:
        """The answers of the students other than the first."""
        known = ("gold", "teacher", "student")
        return tuple(side for side in self.sides if side.who not in known)

    def has(self, name: FlagName) -> bool:
        """Return whether the record has a flag."""
        return any(flag.name == name for flag in self.flags)
