"""What was asked before: questions looked up in a journal, and what it says read as replies."""

from __future__ import annotations

from dataclasses import replace

from mitools.annotate.api import Problem, Question, Reply
from mitools.annotate.journal import Entry, Journal
from mitools.annotate.reply import read_completion
from mitools.annotate.requests import Request, Requests
from mitools.errors import SourceError

__all__ = ["Memory"]


class Memory:
    """A journal seen through the requests of one run; without a journal it knows nothing.

    Attributes:
        requests: what is asked, and under which names.
        journal: where answers are kept, if anywhere.
    """

    def __init__(self, requests: Requests, journal: Journal | None) -> None:
        self.requests = requests
        self.journal = journal

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
        return self.read(entry, question, is_recalled=True)

    def find_answer(self, request: Request) -> Entry | None:
        """Look for an answer that another process may have written meanwhile."""
        entry = self.journal.find(request.key) if self.journal is not None else None
        return entry if entry is not None and entry.kind == "ok" else None

    def read(self, entry: Entry, question: Question, *, is_recalled: bool = False) -> Reply:
        """Make a reply of an entry.

        Raises:
            SourceError: it could be read when it was stored, and cannot be now.
        """
        if entry.kind != "ok":
            failed = Reply(problem=Problem(entry.kind, entry.response))
            return self.finish(failed, question, is_recalled=is_recalled)
        try:
            reply = read_completion(entry.response)
        except ValueError as exc:
            place = self.journal.path if self.journal else "journal"
            message = f"{place} is damaged: the response {entry.key[:12]}… is unreadable"
            raise SourceError(message, hint='go on with "--journal NEW"') from exc
        return self.finish(reply, question, is_recalled=is_recalled)

    def finish(self, reply: Reply, question: Question, *, is_recalled: bool = False) -> Reply:
        """Add what the server's answer does not say itself."""
        prompt = self.requests.prompt_hash(question)
        model = reply.model or self.requests.options.model
        return replace(reply, prompt=prompt, model=model, is_recalled=is_recalled)
