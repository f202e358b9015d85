"""What there is to see in one record: a few small values, ready for a terminal or a page.

A :class:`View` says what to show and what is true of it. It is worked out from a record by
:mod:`mitools.explain.build_view`; how it looks is decided by :mod:`mitools.explain.terminal` and
:mod:`mitools.explain.page`. Texts stay as they came; whoever shows them escapes
them for its medium.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mitools.evaluate.measures.consistency import Supports

__all__ = [
    "Bar",
    "Change",
    "Flag",
    "FlagName",
    "Side",
    "StepView",
    "Support",
    "Thresholds",
    "View",
    "Who",
]

Who = Literal["gold", "teacher", "student", "second"]
"""Who gives an answer; ``second`` is a second student, whose answers to the same records were laid
beside those of the first."""

Change = Literal["fixed", "broken", "both_right", "both_wrong"]
"""What the second student made of the first one's label: put it right, or spoilt it."""

FlagName = Literal[
    "wrong",
    "confidently_wrong",
    "invalid",
    "inconsistent",
    "no_rationale",
    "cut_off",
    "wrong_step",
    "low_confidence",
    "decodes_otherwise",
    "disagrees",
    "teacher_wrong",
    "no_teacher_answer",
]

LOW_CONFIDENCE = 0.6
HIGH_CONFIDENCE = 0.9

LITTLE_MASS = 0.5
"""Below this share of all probability, the choices share out little among them, and it is said."""


@dataclass(frozen=True, slots=True)
class Thresholds:
    """Where confidence counts as low, and as high; probabilities from 0 to 1."""

    low: float = LOW_CONFIDENCE
    high: float = HIGH_CONFIDENCE


@dataclass(frozen=True, slots=True)
class StepView:
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
        of: whose answer that is.
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
    """What one of them says: a label and a rationale, and how they hold up.

    Attributes:
        is_right: whether the label is the gold one; None where that is unknown, and for gold.
        support: which answer the rationale argues for; None where there is no rationale.
        supports: whose answer that is, as ``eval`` counts it; None for gold and teacher, and for a
            student that was not asked for a rationale: an empty one supports none.
        confidence: a student's probability of its label, 0 to 1.
        bars: a student's probability of each choice, in the record's order.
        in_set_mass: the probability of all choices together out of all texts, 0 to 1.
        decoded: the label that decoding gives, where that is not the one that scoring chose.
        error: why there is no answer, where the teacher failed.
    """

    who: Who
    label: str | None
    rationale: str = ""
    is_right: bool | None = None
    support: Support | None = None
    supports: Supports | None = None
    steps: tuple[StepView, ...] = ()
    confidence: float | None = None
    bars: tuple[Bar, ...] = ()
    in_set_mass: float | None = None
    decoded: str = ""
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
        sides: those of gold, teacher, student and second student that there are, in this order.
        flags: on the teacher's and the student's answers.
        is_right: whether the student's label is right; None where gold or student is missing.
        is_consistent: whether the student's rationale supports the student's label; None where it
            supports no answer, or there is no rationale.
        change: what the second student made of the label; None where either verdict is unknown.
        is_changed: whether the second student gives another label; None without one.
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
    change: Change | None = None
    is_changed: bool | None = None

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

    @property
    def second(self) -> Side | None:
        return self.side("second")

    def has(self, name: FlagName) -> bool:
        return any(flag.name == name for flag in self.flags)
