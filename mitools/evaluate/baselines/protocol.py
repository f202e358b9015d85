"""What a baseline learns from and answers, and what every baseline can do."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

__all__ = ["Baseline", "Example", "Guess", "Problem"]


@dataclass(frozen=True, slots=True)
class Problem:
    """A record as a baseline sees it: without its gold label.

    Attributes:
        name: the id of the record.
        input: what the student reads.
        task: the name of its task.
        choices: the possible answers, each once; empty where the record lists none.
    """

    name: str
    input: str
    task: str
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Example:
    """A problem of the training split with the label to learn.

    Attributes:
        group: examples with the same group or the same input share a fold.
    """

    problem: Problem
    label: str
    group: str | None = None

    @property
    def input(self) -> str:
        return self.problem.input

    def key(self) -> int:
        """Hash id and input: the same examples are kept, in any order of the records."""
        text = json.dumps([self.problem.name, self.problem.input])
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())


@dataclass(frozen=True, slots=True)
class Guess:
    """An answer of a baseline.

    Attributes:
        label: None where it has no answer.
        confidence: the stated probability of the label, 0 to 1; None where it states none.
    """

    label: str | None
    confidence: float | None = None


class Baseline(Protocol):
    """A cheap way to answer.

    Attributes:
        learns: whether it needs examples.
    """

    learns: bool

    @property
    def about(self) -> str:
        """What it is and what was chosen for it, for people."""

    def fit(self, examples: Sequence[Example]) -> None:
        """Learn from examples, all of one task and at least one.

        Raises:
            MitoolsError: it cannot be used.
        """

    def reaches(self, problem: Problem, label: str) -> bool:
        """Return whether a label is an answer that it could give to a problem."""

    def answer(self, problems: Sequence[Problem]) -> list[Guess]:
        """Answer each problem."""
