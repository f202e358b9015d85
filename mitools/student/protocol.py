"""What every student can do, whatever model it is made of. Imports no model code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

__all__ = [
    "SAMPLING_TEMPERATURE",
    "Generation",
    "LimitsInputs",
    "Student",
    "can_conclude",
    "can_explain",
    "can_predict",
]

SAMPLING_TEMPERATURE = 0.7
"""Temperature at which rationales are drawn; common for voting over samples (arXiv:2203.11171)."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One decoded text.

    Attributes:
        text: the text, special tokens removed and outer white space stripped.
        log_prob: natural log of the probability of its tokens, the end token included; of a drawn
            text at temperature 1, whatever the temperature it was drawn at.
        is_truncated: whether it ran into the length limit before its end token.
        tokens: number of tokens generated, the end token included.
    """

    text: str
    log_prob: float
    is_truncated: bool
    tokens: int


class Student(Protocol):
    """A model that answers and explains.

    Its ``metadata["order"]`` states how. ``separate``: in two passes over the same input, and the
    rationale is not an input of the label pass. ``label-rationale`` and ``rationale-label``: in one
    pass, in which the second text continues the first one. There a method that returns the second
    text takes the first ones, one for each input, to continue from; without them the student
    decodes them itself, which costs a pass. Other methods, and students, refuse them.

    A student of two passes whose metadata has ``concludes`` reads a label in two ways. Without
    rationales it is p(y | x), of the predict pass. With them it is q(y | x, r): the explain pass
    continues behind the rationale and its end token to the label, exactly as a student of the order
    ``rationale-label`` does. :func:`can_predict` and :func:`can_conclude` state which ways a
    student has.

    All methods keep the order of ``inputs`` and batch as they like; batching never changes an
    answer beyond rounding. To read a label behind several rationales of one input, repeat the
    input: an encoder reads equal prompts of a batch once.
    """

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Content of ``mitools.json``: format, kind, order, task, versions, seeds, metrics."""

    def score_choices(
        self,
        inputs: Sequence[str],
        choices: Sequence[Sequence[str]],
        rationales: Sequence[str] | None = None,
    ) -> list[list[float]]:
        """Score every choice of every input: the log-probability of its tokens, end included."""

    def score_mentions(
        self, inputs: Sequence[str], begun: Sequence[str], texts: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        """Score what a rationale may name next: the log-probability of each text's tokens.

        Of a text that other ones of its row begin with, their probability is taken off: "sea" does
        not stand for "sea lion". An end is not scored.

        Args:
            inputs: N inputs.
            begun: N beginnings of rationales.
            texts: for each of them, texts that may follow.
        """

    def generate_labels(
        self, inputs: Sequence[str], rationales: Sequence[str] | None = None
    ) -> list[Generation]:
        """Decode one label per input, greedily."""

    def generate_rationales(
        self, inputs: Sequence[str], labels: Sequence[str] | None = None
    ) -> list[Generation]:
        """Decode one rationale per input, greedily."""

    def sample_rationales(
        self,
        inputs: Sequence[str],
        seeds: Sequence[int],
        temperature: float = SAMPLING_TEMPERATURE,
    ) -> list[Generation]:
        """Draw one rationale per input, token by token.

        Args:
            inputs: what the student reads.
            seeds: one for each input, from 0 to 2⁶³ - 1; a rationale depends on its input and its
                seed, not on the other inputs.
            temperature: divides the logits; above 0.
        """


@runtime_checkable
class LimitsInputs(Protocol):
    """A student that can tell which inputs it does not read to their end."""

    def are_cut(self, inputs: Sequence[str]) -> Sequence[bool | None]:
        """Return for each input whether a length limit cuts it; None where that is unknown."""


def can_conclude(metadata: Mapping[str, Any]) -> bool:
    """Whether the student reads a label behind a given rationale, q(y | x, r)."""
    return metadata.get("order") == "rationale-label" or metadata.get("concludes") is True


def can_explain(metadata: Mapping[str, Any]) -> bool:
    """Whether the student was trained to explain; true where the metadata does not say."""
    trained = metadata.get("trained")
    return not isinstance(trained, list | tuple) or "rationale" in trained


def can_predict(metadata: Mapping[str, Any]) -> bool:
    """Whether the student reads a label from the input alone, p(y | x)."""
    return metadata.get("order") != "rationale-label"
