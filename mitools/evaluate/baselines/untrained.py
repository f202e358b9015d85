"""The student before its training: what did the training add?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from mitools.asking.answering import EVEN
from mitools.asking.predict import OpenedStudent
from mitools.evaluate.answer_records import AnsweringStudent
from mitools.evaluate.baselines.protocol import Example, Guess, Problem
from mitools.evaluate.options import EvalOptions
from mitools.student.protocol import Student

__all__ = ["Untrained"]


class Untrained:
    """Asks the base model of the student as the student is asked."""

    learns = False

    def __init__(
        self,
        student: Student,
        options: EvalOptions,
        weight: float | None,
        open_base: Callable[[Student], Student],
    ) -> None:
        """Prepare to answer.

        Args:
            student: the trained one.
            options: how it was asked.
            weight: of its predict pass in answers by both readings; None where there is none.
            open_base: opens what it was trained from.
        """
        self._student = student
        self._options = replace(
            options,
            rationales=False,
            decode=False,
            temperature=False,
            probes=(),
            answer_weight=None if options.answering.way == "predict" else _known(weight),
        )
        self._open_base = open_base
        self._base: Student | None = None

    @property
    def about(self) -> str:
        from mitools.student.untrained import has_random_weights

        base = str(self._student.metadata.get("base"))
        kind = "random weights" if has_random_weights(base) else f"the base model {base}"
        return f"{kind}, asked as the student is"

    def fit(self, examples: Sequence[Example]) -> None:
        """Open the base model; nothing is learned."""
        self._base = self._open_base(self._student)

    def reaches(self, problem: Problem, label: str) -> bool:
        return True

    def answer(self, problems: Sequence[Problem]) -> list[Guess]:
        assert self._base is not None, "fit comes first"
        opened = OpenedStudent(self._base, "untrained", None)
        answered = AnsweringStudent(self._options, lambda: opened).answer(
            _record(problem) for problem in problems
        )
        answers = [record["student"] for _, record in answered]
        return [Guess(answer.get("label"), answer.get("confidence")) for answer in answers]


def _known(weight: float | None) -> float:
    return EVEN if weight is None else weight


def _record(problem: Problem) -> dict[str, Any]:
    record: dict[str, Any] = {"id": problem.name, "input": problem.input, "task": problem.task}
    return {**record, "choices": list(problem.choices)} if problem.choices else record
