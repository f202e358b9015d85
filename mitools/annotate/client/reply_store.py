"""The journal as teachers use it: the reply to a question is looked up, a response is kept."""

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
    """Give the path of the journal, as named or by model."""
    return Path(options.journal or default_place(options.named_model()))


@contextlib.contextmanager
def open_reply_store(options: AnnotateOptions) -> Iterator[ReplyStore]:
    """Open what the journal knows, for reading; a journal that is missing is not made.

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
    """A journal seen through the requests of one run; without a journal it stays empty.

    Attributes:
        requests: what is asked, and under which keys.
        reader: makes replies of what is stored.
        journal: where responses are kept, if anywhere.
    """

    def __init__(self, requests: Requests, journal: Journal | None) -> None:
        self.requests = requests
        self.journal = journal
        self.reader = ReplyReader(requests, None if journal is None else journal.path)
        self._commits = None if journal is None else GroupCommit(journal)

    def find(
        self, question: Question, request: Request | None = None, *, with_errors: bool = False
    ) -> Reply | None:
        """Look a question up.

        Args:
            question: what is wanted.
            request: its request, where that has been made already.
            with_errors: also recall that it failed; those who can ask again need not know.
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
        """Look for an answer that another process may have written meanwhile, or a failure."""
        entry = self.journal.find(request.key) if self.journal is not None else None
        if entry is not None and entry.kind == "ok":
            try:
                parse_completion(entry.response)
            except UnfinishedError as exc:
                return replace(entry, kind=UNFINISHED, response=str(exc))
            except ValueError:
                pass  # whoever reads it says that the journal is damaged
        return entry

    async def keep(self, request: Request, question: Question, kind: str, response: str) -> Entry:
        """Write down what a request came to; returns when it is committed.

        Raises:
            OutputError: it could not be written; says where it is instead.
        """
        name = f"{request.key}/{UNREAD}" if kind == UNREAD else request.key
        entry = Entry(name, kind, response, str(question.record["id"]), question.sample)
        if self._commits is not None:
            await self._commits.add(entry)
        return entry

    async def close(self) -> None:
        """Write what is left, and close the journal.

        Raises:
            OutputError: what was written is not in its place any more.
        """
        if self.journal is not None and self._commits is not None:
            await self._commits.finish()
            await asyncio.to_thread(self.journal.close)
