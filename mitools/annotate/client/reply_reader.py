"""Reads a journal entry or a chat completion as the reply to a question."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mitools.annotate.client.completion import (
    UnfinishedError,
    parse_completion,
    parse_scored,
    read_answer,
    read_scored,
)
from mitools.annotate.client.journal import IN_BATCH
from mitools.annotate.client.requests import Requests
from mitools.annotate.client.rescue import Entry
from mitools.annotate.protocol import Problem, Question, Reply
from mitools.errors import SourceError

__all__ = ["UNFINISHED", "ReplyReader"]

UNFINISHED = "unfinished"
"""Kind of an entry that an older mitools stored as an answer, though it was broken off."""


class ReplyReader:
    """Makes replies of journal entries and chat completions, for the requests of one run."""

    def __init__(self, requests: Requests, journal: Path | None = None) -> None:
        """Prepare a reader.

        Args:
            requests: those of the run.
            journal: path of the journal, for error messages.
        """
        self._requests = requests
        self._place = journal or "journal"

    def read_entry(self, entry: Entry, question: Question, *, is_recalled: bool = False) -> Reply:
        """Read an entry of the journal.

        Raises:
            SourceError: it is not readable, though it was when it was stored.
        """
        if entry.kind != "ok":
            message = entry.response
            if entry.kind == IN_BATCH:
                message = f"its request is in {message}: --batch takes the answer"
            failed = Reply(problem=Problem(entry.kind, message))
            return self._named(failed, question, is_recalled=is_recalled)
        try:
            parse = parse_completion if question.said is None else parse_scored
            answer = parse(entry.response)
        except UnfinishedError as exc:  # stored as an answer by an older mitools
            return self._named(Reply(problem=Problem(UNFINISHED, str(exc))), question)
        except ValueError as exc:
            if isinstance(exc.__cause__, RecursionError):  # it was readable on a larger stack
                deep = Reply(problem=Problem("server_error", str(exc)))
                return self._named(deep, question, is_recalled=is_recalled)
            message = f"{self._place} is damaged: the response {entry.key[:12]}… is unreadable"
            raise SourceError(message, hint='go on with "--journal NEW"') from exc
        return self.read_answer(answer, question, is_recalled=is_recalled)

    def read_answer(
        self, answer: Mapping[str, Any], question: Question, *, is_recalled: bool = False
    ) -> Reply:
        """Read a response; an error while reading it is a problem of its record alone."""
        try:
            reply = read_answer(answer) if question.said is None else read_scored(answer)
        except Exception as exc:  # hostile input must not end the run
            message = f"the response cannot be read: {type(exc).__name__}: {exc}"[:400]
            reply = Reply(problem=Problem("server_error", message))
        return self._named(reply, question, is_recalled=is_recalled)

    def _named(self, reply: Reply, question: Question, *, is_recalled: bool = False) -> Reply:
        """Add the prompt's hash, and the model if the server does not name it."""
        prompt = self._requests.prompt_hash(question)
        model = reply.model or self._requests.model
        return replace(reply, prompt=prompt, model=model, is_recalled=is_recalled)
