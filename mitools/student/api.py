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
    """A model that answers and explains in two separate passes over the same input.

    The rationale is no input to the label pass. All methods keep the order of ``inputs`` and
    batch as they like; batching never changes an answer beyond rounding.
    """

    @property
    def metadata(self) -> Mapping[str, Any]:
        """What ``mitools.json`` says: format, kind, task, versions, seeds, metrics."""

    def score_choices(
        self, inputs: Sequence[str], choices: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """Score every choice of every input: the log-probability of its tokens, end included."""

    def generate_labels(self, inputs: Sequence[str]) -> list[Generation]:
        """Decode one label per input, greedily."""

    def generate_rationales(self, inputs: Sequence[str]) -> list[Generation]:
        """Decode one rationale per input, greedily."""
