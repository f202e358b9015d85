"""Collect what baselines need from the records of a pass: examples, problems, outcomes.

Examples are a bounded sample; the evaluated problems are all held, since each is answered when the
pass is over.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from mitools.evaluate.baselines.protocol import Example, Problem
from mitools.evaluate.sample import Sample
from mitools.gold import label_to_learn, teacher_answer
from mitools.records import Record
from mitools.tasks import task_of

__all__ = ["MOST_EXAMPLES", "Bench", "Evaluated"]

MOST_EXAMPLES = 50_000
"""Training examples that a baseline learns from; of more, a sample."""


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An evaluated record with a gold label.

    Attributes:
        is_correct: whether the student is right.
        confidence: of the student; None where it states none.
        is_teacher_correct: whether the teacher is right; None where no teacher was asked.
        teacher_confidence: of the teacher; None where it states none.
    """

    problem: Problem
    gold: str
    is_correct: bool
    confidence: float | None
    is_teacher_correct: bool | None
    teacher_confidence: float | None = None


@dataclass(frozen=True, slots=True)
class _Taught:
    """A training record with the labels that may be learned from it."""

    problem: Problem
    gold: str | None
    teacher: str | None
    group: str | None

    def key(self) -> int:
        return Example(self.problem, "").key()


@dataclass
class Bench:
    """Fold the records of a pass.

    Attributes:
        task: replaces the task of every record.
        evaluated: the evaluated records with a gold label, in their order.
    """

    task: str | None = None
    evaluated: list[Evaluated] = field(default_factory=list)
    _taught: Sample[_Taught] = field(default_factory=lambda: Sample(MOST_EXAMPLES))

    @property
    def seen(self) -> int:
        """Training records so far, also those that a sample leaves out."""
        return self._taught.seen

    def add_training(self, record: Record) -> None:
        """Add a record of the training split."""
        gold, teacher = (label_to_learn(record, name)[1] for name in ("gold", "teacher"))
        group = record.get("group")
        self._taught.add(_Taught(self._problem(record), gold, teacher, group))

    def add(self, record: Record) -> None:
        """Add an evaluated record, with ``student`` and ``scores``; one without gold is left out.

        As for the student, a record without an answer of a teacher that was asked is wrong.
        """
        is_correct, gold = record["scores"]["correct"], record.get("label")
        if is_correct is None or gold is None:
            return
        teacher, right, sure = teacher_answer(record), None, None
        if teacher:
            right = task_of(record, self.task).is_equal(teacher.get("label"), gold)
            sure = teacher.get("confidence")
        own = record["student"].get("confidence")
        problem = self._problem(record)
        self.evaluated.append(Evaluated(problem, gold, bool(is_correct), own, right, sure))

    def examples(self, labels_from: str = "auto") -> list[Example]:
        """List the examples to learn from, in an order that does not depend on that of the records.

        A record without a label, or whose label is not a possible answer, is left out, and so is
        one of another task than the first evaluated record.

        Args:
            labels_from: ``auto`` is gold where known, else the teacher's; or ``gold``, ``teacher``.
        """
        task = self.evaluated[0].problem.task if self.evaluated else None
        found = []
        for taught in self._taught.items():
            labels = {"label": taught.gold, "teacher": {"label": taught.teacher}}
            _, label = label_to_learn(labels, labels_from)
            problem = taught.problem
            if label is not None and problem.task == task and _is_valid(problem, label):
                found.append(Example(problem, label, taught.group))
        return found

    def _problem(self, record: Record) -> Problem:
        choices = tuple(dict.fromkeys(record.get("choices") or ()))
        name = task_of(record, self.task).name
        return Problem(str(record.get("id", "")), record["input"], name, choices)


def _is_valid(problem: Problem, label: str) -> bool:
    return task_of({"task": problem.task}).is_valid(label, problem.choices or None)
