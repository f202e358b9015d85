"""What passes between the steps of reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple, Protocol

from mitools.schema import READINGS

__all__ = [
    "RANKS",
    "UNCLEAR",
    "Answer",
    "Choices",
    "Found",
    "How",
    "Statement",
    "TaskReader",
    "Unclear",
]

Choices = Sequence[str] | None

RANKS = READINGS
"""Where an answer may stand, the surest place first.

``field``: a JSON field or an ``<answer>`` tag; ``boxed``: ``\\boxed{…}``; ``hashes``: ``#### …``;
``cue``: "the answer is …"; ``line``: a first or last line that is nothing but an answer;
``statement``: the last sentence, where it names exactly one possible answer.
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a completion says.

    Attributes:
        label: the answer; None where none can be read.
        rationale: the reasons for it.
        read_by: one of :data:`RANKS`, where the label stood; None without a label.
    """

    label: str | None
    rationale: str
    read_by: str | None = None


class How(NamedTuple):
    """How a completion may be read.

    Attributes:
        loosest: the last of :data:`RANKS` that is tried.
        asked: the record's input, whose headers may begin an invented next example.
        names: further such headers, in lower case.
    """

    loosest: str = RANKS[-1]
    asked: str = ""
    names: frozenset[str] = frozenset()

    def at_most(self, loosest: str) -> How:
        """Read no more loosely than at a rank."""
        return self._replace(loosest=min(self.loosest, loosest, key=RANKS.index))


class Statement(NamedTuple):
    """A place that may state an answer.

    Attributes:
        rank: one of :data:`RANKS`.
        text: what is stated there.
        begin: where the statement begins in the completion, with its cue.
        end: where it ends.
        is_exact: whether only a text counts that is an answer and nothing else.
    """

    rank: str
    text: str
    begin: int
    end: int
    is_exact: bool = False


class Unclear(Enum):
    """The reading of a statement that names several answers, or one that cannot be told."""

    UNCLEAR = "unclear"


UNCLEAR = Unclear.UNCLEAR

Found = str | Unclear | None
"""A label; or that the statement is unclear, which ends the search; or that it states nothing."""


class TaskReader(Protocol):
    """How one task reads a statement."""

    def read(self, text: str, choices: Choices) -> Found:
        """Read what an answer's own place states, with units or reasons around it."""

    def read_exact(self, text: str, choices: Choices) -> Found:
        """Read a text that must be an answer and nothing else."""

    def read_last(self, text: str, choices: Choices) -> Found:
        """Read the last sentence of a reasoning, which names exactly one possible answer."""
