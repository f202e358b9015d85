"""Types that pass between the steps of reading."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
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
    "Support",
    "TaskReader",
    "Unclear",
]

Choices = Sequence[str] | None

RANKS = READINGS
"""Where an answer may stand, the surest place first.

``field``: a JSON field or an ``<answer>`` tag; ``boxed``: ``\\boxed{…}``; ``hashes``: ``#### …``;
``cue``: "the answer is …"; ``line``: a first or last line that holds only an answer;
``statement``: the last sentence, where it names exactly one possible answer.
"""


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer that a completion states.

    Attributes:
        label: the answer; None if none can be read.
        rationale: the reasons for it.
        read_by: one of :data:`RANKS`, where the label stood; None without a label.
        place: where the words that state the label begin and end in the completion; None without a
            label, or if the completion was cleaned there.
        held: the part of ``place`` that holds the label, without its cue, the sentence around a
            box, or the other fields of an object; None if that is not known.
    """

    label: str | None
    rationale: str
    read_by: str | None = None
    place: tuple[int, int] | None = field(default=None, compare=False, repr=False)
    held: tuple[int, int] | None = field(default=None, compare=False, repr=False)

    @property
    def closest(self) -> tuple[int, int] | None:
        """The closest place around the label that is known."""
        return self.held or self.place


class Support(NamedTuple):
    """The answer that a rationale supports.

    Attributes:
        label: that answer.
        place: where the words that decided begin and end in the rationale; None if unknown.
    """

    label: str
    place: tuple[int, int] | None = None


class How(NamedTuple):
    """Settings for reading a completion.

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
        begin: where it begins in the completion, with its cue or the sentence of its box.
        end: where it ends.
        stated: where what is stated begins, behind the cue or at the box.
        is_exact: whether the text counts only if it is an answer and nothing else.
    """

    rank: str
    text: str
    begin: int
    end: int
    stated: int
    is_exact: bool = False


class Unclear(Enum):
    """Marker for a statement that names several answers, or an ambiguous one."""

    UNCLEAR = "unclear"


UNCLEAR = Unclear.UNCLEAR

Found = str | Unclear | None
"""A label; or unclear, which ends the search; or None for a statement without an answer."""


class TaskReader(Protocol):
    """Reads a statement for one task."""

    def read(self, text: str, choices: Choices) -> Found:
        """Read a place that is reserved for the answer; units or reasons may surround it."""

    def read_exact(self, text: str, choices: Choices) -> Found:
        """Read a text that must be an answer and nothing else."""

    def read_last(self, text: str, choices: Choices) -> Found:
        """Read the last sentence of a rationale, if it names exactly one possible answer."""
