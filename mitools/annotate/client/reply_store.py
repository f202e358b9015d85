"""The journal as teachers use it: look up the reply to a question, and store a response."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from mitools.annotate.client.completion import UnfinishedError, parse_completion
from mitools.annotate.client.group_commit import GroupCommit
from mitools.annotate.client.journal import UNREAD, Entry, Journal, default_place
from mitools.annotate.client.reply_reader import UNFINISHED, ReplyReader
from mitools.annotate.client.requests import Request, Requests
from mitools.annotate.options import AnnotateOptions
from mitools.annotate.protocol import Question, Reply

__all__ = ["ReplyStore", "journal_place", "open_reply_store"]


def journal_place(options: AnnotateOptions) -> Path:
    """Return the path of the journal: the given one, or the default by model."""
    return Path(options.journal or default_place(options.named_model()))


@contextlib.contextmanager
def open_reply_store(options: AnnotateOptions) -> Iterator[ReplyStore]:
    """Open the journal for reading; a missing journal is not created.

    Raises:
        UsageError: no model is named.
        SourceError: the journal or a file of the prompt cannot be read.
    """
    requests = Requests(options)
    place = journal_place(options)
    if not options.keeps_journal or not place.exists():
        yield ReplyStore(requests, None)
        return
    with contextlib.closing(Journal(place, is_read_only=True)) as journal:
        yield ReplyStore(requests, journal)


class ReplyStore:
    """The replies to the questions of one run; without a journal it stays empty.

    Attributes:
        requests: makes the request of a question, and its key.
        reader: makes replies of entries.
        journal: stores responses; None if they are not stored.
    """

    def __init__(self, requests: Requests, journal: Journal | None) -> None:
        self.requests = requests
        self.journal = journal
        self.reader = ReplyReader(requests, None if journal is None else journal.path)
        self._commits = None if journal is None else GroupCommit(journal)

    def find(
        self, question: Question, request: Request | None = None, *, with_errors: bool = False
    ) -> Reply | None:
        """Look up the reply to a question; None if there is none.

        Args:
            question: the question.
            request: its request, if that has been made already.
            with_errors: also return failures, for teachers that cannot ask again.
        """
        if self.journal is None:
            return None
        request = request or self.requests.make(question)
        entry = self.journal.find(request.key)
        if entry is None or (entry.kind != "ok" and not with_errors):
            return None
        reply = self.reader.read_entry(entry, question, is_recalled=True)
        is_unfinished = reply.problem is not None and reply.problem.kind == UNFINISHED
        return None if is_unfinished and not with_errors else reply

    def find_entry(self, request: Request) -> Entry | None:
        """Look up an answer that another process may have stored meanwhile, or a failure."""
        entry = self.journal.find(request.key) if self.journal is not None else None
        if entry is not None and entry.kind == "ok" and not request.is_scoring:
            try:
                parse_completion(entry.response)
            except UnfinishedError as exc:
                return replace(entry, kind=UNFINISHED, response=str(exc))
            except ValueError:
                pass  # reading it later reports a damaged journal
        return entry

    async def keep(self, request: Request, question: Question, kind: str, response: str) -> Entry:
        """Store the result of a request; returns when it is committed.

        Raises:
            OutputError: it could not be written; the hint names the rescue file.
        """
        name = f"{request.key}/{UNREAD}" if kind == UNREAD else request.key
        entry = Entry(name, kind, response, str(question.record["id"]), question.sample)
        if self._commits is not None:
            await self._commits.add(entry)
        return entry

    async def close(self) -> None:
        """Write open entries, and close the journal.

        Raises:
            OutputError: the file that was written is no longer at its path.
        """
        if self.journal is not None and self._commits is not None:
            await self._commits.finish()
            await asyncio.to_thread(self.journal.close)
