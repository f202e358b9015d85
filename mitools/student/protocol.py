"""What every student can do, whatever model it is made of. Imports no model code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Generation", "Student"]


@dataclass(frozen=True, slots=True)
class Generation:
    """One decoded text.

    Attributes:
        text: the text, special tokens removed and outer white space stripped.
        log_prob: natural log of the probability of its tokens, the end token included.
        is_truncated: whether it ran into the length limit before its end token.
        tokens: how many tokens were generated, the end token included.
    """

    text: str
    log_prob: float
    is_truncated: bool
    tokens: int


class Student(Protocol):
    """A model that answers and explains.

    Its ``metadata["order"]`` says how. ``separate``: in two passes over the same input, and the
    rationale is no input to the label pass. ``label-rationale`` and ``rationale-label``: in one
    pass, in which what comes second continues what comes first. There a method that gives the
    second text takes the first ones, one for each input, to continue from; without them the student
    decodes them itself, which costs a pass. Other methods, and students, refuse them.

    All methods keep the order of ``inputs`` and batch as they like; batching never changes an
    answer beyond rounding.
    """

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What ``mitools.json`` says: format, kind, order, task, versions, seeds, metrics."""

    def score_choices(
        self,
        inputs: Sequence[str],
        choices: Sequence[Sequence[str]],
        rationales: Sequence[str] | None = None,
    ) -> list[list[float]]:
        """Score every choice of every input: the log-probability of its tokens, end included."""

    def generate_labels(
        self, inputs: Sequence[str], rationales: Sequence[str] | None = None
    ) -> list[Generation]:
        """Decode one label per input, greedily."""

    def generate_rationales(
        self, inputs: Sequence[str], labels: Sequence[str] | None = None
    ) -> list[Generation]:
        """Decode one rationale per input, greedily."""
