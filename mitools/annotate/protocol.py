"""What passes between a strategy, which decides what to ask, and a teacher, which answers.

A strategy is a generator that yields lists of :class:`Question`, which may be asked at once, and
is sent as many :class:`Reply`; it knows no network. A teacher answers one question at a time; it
knows no strategy, and no gold label but the one that a question gives away as a hint.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from mitools.records import Record
from mitools.tasks import Task

__all__ = ["Answered", "Dialogue", "Problem", "Question", "Reply", "Teacher", "UnaskedError"]


@dataclass(frozen=True, slots=True)
class Question:
    """One completion that is wanted.

    Attributes:
        record: what it is about.
        task: how the answer will be read.
        sample: which of several independent completions for the same prompt, from 0.
        hint: the gold label, where the teacher is to be told it.
    """

    record: Record
    task: Task
    sample: int = 0
    hint: str | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """Why one record has no answer, where the teacher as such works.

    Attributes:
        kind: one word: ``unreadable``, ``empty``, ``truncated``, ``content_filter``,
            ``context_length``, ``bad_request``, ``timeout``, ``server_error``, ``missing`` …
        message: for people; never holds a key.
    """

    kind: str
    message: str


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one question.

    Attributes:
        text: the completion, without a reasoning model's thoughts.
        thoughts: those thoughts, however the server calls them.
        is_truncated: whether a token limit ended it.
        model: the model that answered.
        prompt: hash of the prompt that it answered; empty where there was none.
        usage: tokens, as the server counted them.
        problem: why there is no completion.
        is_recalled: whether it cost nothing, because it was asked before.
    """

    text: str = ""
    thoughts: str = ""
    is_truncated: bool = False
    model: str = ""
    prompt: str = ""
    usage: Mapping[str, int] | None = None
    problem: Problem | None = None
    is_recalled: bool = False


@dataclass(frozen=True, slots=True)
class Answered:
    """A record with its ``teacher`` field, and what that took.

    Attributes:
        record: the record to write.
        problem: why it has no answer, where it has none.
        replies: how many completions were used.
        recalled: how many of those came from the journal.
        spent: tokens of the others, as the server counted them.
    """

    record: Record
    problem: Problem | None
    replies: int
    recalled: int
    spent: Mapping[str, int] = field(default_factory=dict)


Dialogue = Generator[Sequence[Question], Sequence[Reply], Answered]


class UnaskedError(Exception):
    """The run was stopped before this question was sent; the record is neither good nor failed."""


class Teacher(Protocol):
    """Something that answers.

    A problem with one record is a :class:`Reply` with a ``problem``; what would stop every
    record is raised as :class:`~mitools.errors.TeacherError`.
    """

    @property
    def resamples(self) -> int:
        """How often an unreadable sample is drawn again; 0 where another would be the same."""

    @property
    def is_immediate(self) -> bool:
        """Whether :meth:`recall` answers every question, so that nothing is ever waited for."""

    def recall(self, question: Question) -> Reply | None:
        """Answer at once, without waiting for anything; None where that is impossible.

        Called from the thread that reads the records.
        """

    async def ask(self, question: Question) -> Reply:
        """Answer, waiting as long as it takes.

        Raises:
            UnaskedError: the teacher was told to stop first.
        """

    def stop(self) -> None:
        """Send nothing more; let what is under way come home. Safe from any thread."""

    async def close(self) -> None:
        """Put everything away, after the last answer; a second call does nothing."""
