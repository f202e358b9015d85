"""The options of explain, their defaults and their checks."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

from mitools.asking.answering import Answering, Way, settle
from mitools.errors import UsageError
from mitools.explain.filters import Criteria, Selection, SortKey
from mitools.explain.view import HIGH_CONFIDENCE, LOW_CONFIDENCE, Change, Thresholds

if TYPE_CHECKING:
    from mitools.evaluate.measures.consistency import Supports

__all__ = ["SORT_KEYS", "SUPPORTS", "ExplainOptions"]

SORT_KEYS: tuple[SortKey, ...] = get_args(SortKey)

SUPPORTS: tuple[Supports, ...] = ("student", "gold", "other", "none")
"""The values of :data:`~mitools.evaluate.measures.consistency.Supports`. Its module imports NumPy,
which ``mitools explain --help`` must not."""

_FILTERS = (
    *("wrong", "right", "inconsistent", "consistent", "low_conf", "high_conf_wrong", "supports"),
    *(
        "teacher_wrong",
        "disagree",
        "suspects",
        "sure",
        "unsure",
        "fixed",
        "broken",
        "changed",
        "grep",
        "label",
        "id",
        "split",
    ),
    *("sample", "limit"),
)


@dataclass(frozen=True)
class ExplainOptions:
    """Which records to show, and which student to ask.

    The names are those of the options of ``mitools explain``. All given filters must match; a
    filter with several values matches if one of them does. A record without the data that a filter
    needs does not match: without a gold label, it is neither right nor wrong.

    Attributes:
        wrong: only records whose student label is not gold.
        right: only records whose student label is gold.
        inconsistent: only records whose student rationale supports another answer than its label.
        consistent: only records whose student rationale supports its label.
        low_conf: only records with a student confidence below this, 0 to 1.
        high_conf_wrong: only wrong records with a student confidence of at least this, 0 to 1.
        supports: only records whose student rationale supports one of these: the ``student``'s
            label, else ``gold``, else an ``other`` answer, or ``none``.
        teacher_wrong: only records whose teacher label is not gold.
        disagree: only records with different teacher and student labels.
        suspects: only records for a person to check: the student is sure, and its label, the
            teacher's and gold are not all equal.
        sure: only records with a confidence at or above the operating point.
        unsure: only records with a confidence below it, which are left to the teacher.
        grep: a regular expression; only records with a match in the input, a label or a rationale.
        label: only records with one of these gold labels, as the task compares labels.
        id: only records with one of these ids.
        split: only records of one of these splits.
        vs: one or several files with other students' answers to the same records, matched by id.
        fixed: only records that another student has right and the first has not; with ``broken``,
            either.
        broken: only records that the first student has right and another has not.
        changed: only records with different labels of two students.
        sort: order by confidence, id or input length, ascending; reads all records first.
        reverse: descending order.
        limit: the most records to show.
        sample: show this many matching records, drawn at random; reads all records first.
        overview: without filters, order and other students, show one right, one wrong and one
            inconsistent record, drawn at random; reads all records first.
        seed: seed of the sample and the overview, and of resampled intervals.
        student: folder of a student that answers records without a student's answer.
        text: an input to ask the student about, instead of records.
        choices: the possible answers to ``text``, separated by commas.
        answer: the way of answering: from the predict pass, after the rationale, from both, or what
            the rationale names; None means the one that training chose, else the predict pass.
        draws: rationales that a label comes from; above 1 they are sampled.
        answer_weight: weight of the predict pass in answers from both; None means the one that is
            saved with the student, or 0.5.
        task: compare labels by this task instead of each record's own.
        batch_size: records per call of the student.
        device: torch device of the student; the GPU by default, where there is one.

    Raises:
        UsageError: a value is out of its range.
    """

    wrong: bool = False
    right: bool = False
    inconsistent: bool = False
    consistent: bool = False
    low_conf: float | None = None
    high_conf_wrong: float | None = None
    supports: tuple[Supports, ...] = ()
    teacher_wrong: bool = False
    disagree: bool = False
    suspects: bool = False
    sure: bool = False
    unsure: bool = False
    grep: str | re.Pattern[str] | None = None
    label: tuple[str, ...] = ()
    id: tuple[str, ...] = ()
    split: tuple[str, ...] = ()
    vs: str | tuple[str, ...] = ()
    fixed: bool = False
    broken: bool = False
    changed: bool = False
    sort: SortKey | None = None
    reverse: bool = False
    limit: int | None = None
    sample: int | None = None
    overview: bool = False
    seed: int = 0
    student: str | None = None
    text: str | None = None
    choices: str | None = None
    answer: Way | None = None
    draws: int = 1
    answer_weight: float | None = None
    task: str | None = None
    batch_size: int = 32
    device: str | None = None

    def __post_init__(self) -> None:
        for name in ("low_conf", "high_conf_wrong"):
            value = getattr(self, name)
            if value is not None and not 0 <= value <= 1:
                message = f"--{_typed(name)} must be between 0 and 1, not {value:g}"
                raise UsageError(message, hint=f"try --{_typed(name)}=0.9")
        for name in ("limit", "sample", "batch_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise UsageError(f"--{_typed(name)} must be at least 1, not {value}")
        if isinstance(self.grep, str):
            try:
                re.compile(self.grep)
            except re.error as exc:
                message = f'--grep: "{self.grep}" is not a regular expression ({exc})'
                raise UsageError(
                    message, hint="escape special characters with a backslash"
                ) from exc

    def check(self) -> None:
        """Check that the options fit together.

        Raises:
            UsageError: two options contradict each other, or one needs another.
        """
        for yes, no in (("right", "wrong"), ("consistent", "inconsistent"), ("sure", "unsure")):
            if getattr(self, yes) and getattr(self, no):
                hint = f"drop --{yes} or --{no}"
                raise UsageError(f"no record is both {yes} and {no}", hint=hint)
        for name in ("fixed", "broken", "changed"):
            if getattr(self, name) and not self.vs:
                raise UsageError(f"--{name} needs a second student", hint="add --vs FILE")
        if self.reverse and self.sort is None:
            raise UsageError("--reverse needs an order", hint="add --sort confidence")
        self.answering.check()
        if self.answer not in (None, "predict") and self.student is None:
            raise UsageError("--answer needs a student", hint="add --student DIR")
        if self.text is None:
            if self.choices is not None:
                raise UsageError("--choices needs --text", hint='add --text "…"')
            return
        if self.vs:
            raise UsageError("--text asks one student", hint="drop --text or --vs")
        if self.student is None:
            raise UsageError("--text needs a student", hint="add --student DIR")

    @property
    def other_files(self) -> tuple[str, ...]:
        """The files of the other students."""
        return (self.vs,) if isinstance(self.vs, str) else self.vs

    @property
    def answering(self) -> Answering:
        """How the student answers, where it has no default of its own."""
        return Answering(self.answer or "predict", self.draws, self.answer_weight, self.seed)

    def answering_of(self, metadata: Mapping[str, Any]) -> Answering:
        """Return how a student answers.

        Args:
            metadata: of the student.
        """
        way, weight = settle(self.answer, self.draws, self.answer_weight, metadata)
        return Answering(way, self.draws, weight, self.seed)

    @property
    def pattern(self) -> re.Pattern[str] | None:
        """The regular expression to search for, compiled."""
        return re.compile(self.grep) if isinstance(self.grep, str) else self.grep

    @property
    def thresholds(self) -> Thresholds:
        """What is flagged as low or high confidence."""
        low = LOW_CONFIDENCE if self.low_conf is None else self.low_conf
        high = HIGH_CONFIDENCE if self.high_conf_wrong is None else self.high_conf_wrong
        return Thresholds(low, high)

    @property
    def criteria(self) -> Criteria:
        """The filters of records."""
        changes: dict[Change, bool] = {"fixed": self.fixed, "broken": self.broken}
        return Criteria(
            is_right=_either(self.right, self.wrong),
            is_consistent=_either(self.consistent, self.inconsistent),
            low_confidence=self.low_conf,
            confidently_wrong=self.high_conf_wrong,
            supports=frozenset(self.supports),
            teacher_wrong=self.teacher_wrong,
            disagrees=self.disagree,
            is_sure=_either(self.sure, self.unsure),
            is_suspect=self.suspects,
            pattern=self.pattern,
            labels=self.label,
            ids=frozenset(self.id),
            splits=frozenset(self.split),
            changes=frozenset(change for change, is_asked in changes.items() if is_asked),
            is_changed=True if self.changed else None,
        )

    @property
    def selection(self) -> Selection:
        """How many of the matching records to show, and in which order."""
        return Selection(self.sample, self.seed, self.sort, self.reverse, self.limit)

    @property
    def is_overview(self) -> bool:
        """Whether an overview is shown: it is requested, and no option chooses other records."""
        is_chosen = bool(self.filters_as_typed() or self.sort or self.vs or self.text is not None)
        return self.overview and not is_chosen

    def filters_as_typed(self) -> str:
        """Return the filters as they are typed on the command line; "" without filters."""
        words = []
        for name in _FILTERS:
            value = getattr(self, name)
            option = f"--{_typed(name)}"
            if value is True:
                words.append(option)
            elif isinstance(value, tuple):
                words += [f"{option} {shlex.quote(one)}" for one in value]
            elif isinstance(value, re.Pattern | str):
                text = value if isinstance(value, str) else value.pattern
                words.append(f"{option} {shlex.quote(text)}")
            elif value is not None and value is not False:
                words.append(f"{option}={value}")
        return " ".join(words)


def _typed(name: str) -> str:
    return name.replace("_", "-")


def _either(yes: bool, no: bool) -> bool | None:
    return True if yes else False if no else None
