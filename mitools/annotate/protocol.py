"""The interface between a strategy, which chooses questions, and a teacher, which answers them.

A strategy is a generator that yields lists of :class:`Question`, which may be asked concurrently,
and receives as many :class:`Reply`; it does not use the network. A teacher answers one question at
a time; it does not depend on a strategy, and sees the gold label only as the hint of a question.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from mitools.annotate.token_logprobs import Token
from mitools.records import Record
from mitools.replies import Problem
from mitools.tasks import Task

__all__ = [
    "SCORED",
    "Answered",
    "Dialogue",
    "Front",
    "Passed",
    "Problem",
    "Question",
    "Reply",
    "Teacher",
    "ToTeacher",
    "UnaskedError",
]


SCORED = -1
"""The number of a sample that the teacher did not write, but gave the probability of."""


@dataclass(frozen=True, slots=True)
class Question:
    """A request for one completion, or for the probability of one.

    Attributes:
        record: the record that it is about.
        task: how the answer will be read.
        sample: index among several independent completions of the same prompt, from 0;
            :data:`SCORED` for one with ``said``.
        hint: the gold label, if the prompt shows it.
        said: an answer to the prompt whose tokens are asked for with their log-probabilities; None
            asks for an answer.
    """

    record: Record
    task: Task
    sample: int = 0
    hint: str | None = None
    said: str | None = None


@dataclass(frozen=True, slots=True)
class Reply:
    """The reply to one question.

    Attributes:
        text: the completion, without a reasoning model's thoughts.
        thoughts: those thoughts, from whichever field the server uses.
        is_truncated: whether a token limit ended it.
        model: the model that answered.
        prompt: hash of the prompt; empty if there was none.
        usage: token counts of the server.
        problem: why there is no completion; None if there is one.
        is_recalled: whether it cost nothing, as the question was asked before.
        tokens: all generated tokens with their log-probabilities, if the server gives them. Of a
            question with ``said``: the tokens of the prompt, and of that answer behind it.
    """

    text: str = ""
    thoughts: str = ""
    is_truncated: bool = False
    model: str = ""
    prompt: str = ""
    usage: Mapping[str, int] | None = None
    problem: Problem | None = None
    is_recalled: bool = False
    tokens: tuple[Token, ...] = ()


@dataclass(frozen=True, slots=True)
class Answered:
    """A record with its ``teacher`` field, and the effort for it.

    Attributes:
        record: the record to write.
        problem: why it has no answer; None if it has one.
        replies: number of completions used.
        recalled: number of those that came from the journal.
        spent: tokens of the others, as counted by the server.
        unscored: why the choices were not scored, where that failed.
    """

    record: Record
    problem: Problem | None
    replies: int
    recalled: int
    spent: Mapping[str, int] = field(default_factory=dict)
    unscored: Problem | None = None


@dataclass(frozen=True, slots=True)
class ToTeacher:
    """A record that the teacher is asked about.

    Attributes:
        about: fields to add to ``teacher``.
    """

    record: Record
    about: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Passed:
    """A record that leaves as it came: the teacher is not asked about it."""

    record: Record


Dialogue = Generator[Sequence[Question], Sequence[Reply], Answered]


class UnaskedError(Exception):
    """The run was stopped before this question was sent; its record did not fail."""


class Teacher(Protocol):
    """A source of answers.

    A problem with one record is a :class:`Reply` with a ``problem``; a problem with all records
    is raised as :class:`~mitools.errors.TeacherError`.
    """

    @property
    def resamples(self) -> int:
        """How often an unreadable sample is drawn again; 0 if another one would be the same."""

    @property
    def is_immediate(self) -> bool:
        """Whether :meth:`recall` answers every question, so :meth:`ask` is never called."""

    def recall(self, question: Question) -> Reply | None:
        """Answer without waiting; None if that is not possible.

        Called from the thread that reads the records.
        """

    async def ask(self, question: Question) -> Reply:
        """Answer, and wait for as long as it takes.

        Raises:
            UnaskedError: the teacher was stopped first.
        """

    def stop(self) -> None:
        """Send no further request; those in flight are finished. Safe from any thread."""

    async def close(self) -> None:
        """Close all resources after the last answer; a second call does nothing."""


class Front(Protocol):
    """Decides about records before a teacher is asked: answer, pass on, or ask."""

    def route(self, records: Iterator[Record]) -> Iterator[ToTeacher | Answered | Passed]:
        """Yield a decision for each record, in their order.

        Runs in the thread that reads the records, so requests to the teacher go on meanwhile.
        """

    def stop(self) -> None:
        """End :meth:`route` as soon as possible. Safe from any thread."""
