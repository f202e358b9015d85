"""What was asked before: questions looked up in a journal, and what it says read as replies."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from mitools.annotate.client.completion import UnfinishedError, parse_completion, read_answer
from mitools.annotate.client.journal import Entry, Journal, default_place
from mitools.annotate.client.requests import Request, Requests
from mitools.annotate.options import AnnotateOptions
from mitools.annotate.protocol import Problem, Question, Reply
from mitools.errors import SourceError

__all__ = ["KeptReplies", "journal_place", "open_kept_replies"]

_UNFINISHED = "unfinished"


def journal_place(options: AnnotateOptions) -> Path:
    """Give the path of the journal, as named or by model."""
    return Path(options.journal or default_place(options.named_model()))


@contextlib.contextmanager
def open_kept_replies(options: AnnotateOptions) -> Iterator[KeptReplies]:
    """Open what the journal knows, for reading; a journal that is missing is not made.

    Raises:
        UsageError: no model is named.
        SourceError: the journal or a file of the prompt cannot be read.
    """
    requests = Requests(options)
    place = journal_place(options)
    if not options.keeps_journal or not place.exists():
        yield KeptReplies(requests, None)
        return
    with contextlib.closing(Journal(place, is_read_only=True)) as journal:
        yield KeptReplies(requests, journal)


class KeptReplies:
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
        reply = self.read(entry, question, is_recalled=True)
        is_unfinished = reply.problem is not None and reply.problem.kind == _UNFINISHED
        return None if is_unfinished and not with_errors else reply

    def find_entry(self, request: Request) -> Entry | None:
        """Look for an answer that another process may have written meanwhile, or a failure."""
        entry = self.journal.find(request.key) if self.journal is not None else None
        if entry is not None and entry.kind == "ok":
            try:
                parse_completion(entry.response)
            except UnfinishedError as exc:
                return replace(entry, kind=_UNFINISHED, response=str(exc))
            except ValueError:
                pass  # whoever reads it says that the journal is damaged
        return entry

    def read(self, entry: Entry, question: Question, *, is_recalled: bool = False) -> Reply:
        """Make a reply of an entry.

        Raises:
            SourceError: it could be read when it was stored, and cannot be now.
        """
        if entry.kind != "ok":
            failed = Reply(problem=Problem(entry.kind, entry.response))
            return self.finish(failed, question, is_recalled=is_recalled)
        try:
            answer = parse_completion(entry.response)
        except UnfinishedError as exc:  # kept as an answer by an older mitools
            return self.finish(Reply(problem=Problem(_UNFINISHED, str(exc))), question)
        except ValueError as exc:
            if isinstance(exc.__cause__, RecursionError):  # it was not, on a smaller stack
                deep = Reply(problem=Problem("server_error", str(exc)))
                return self.finish(deep, question, is_recalled=is_recalled)
            place = self.journal.path if self.journal else "journal"
            message = f"{place} is damaged: the response {entry.key[:12]}… is unreadable"
            raise SourceError(message, hint='go on with "--journal NEW"') from exc
        return self.interpret(answer, question, is_recalled=is_recalled)

    def interpret(
        self, answer: Mapping[str, Any], question: Question, *, is_recalled: bool = False
    ) -> Reply:
        """Read a chat completion; one that cannot be read is the fault of its own record."""
        try:
            reply = read_answer(answer)
        except Exception as exc:  # whatever a server sends, the other records go on
            message = f"the response cannot be read: {type(exc).__name__}: {exc}"[:400]
            reply = Reply(problem=Problem("server_error", message))
        return self.finish(reply, question, is_recalled=is_recalled)

    def finish(self, reply: Reply, question: Question, *, is_recalled: bool = False) -> Reply:
        """Add what the server's answer does not say itself."""
        prompt = self.requests.prompt_hash(question)
        model = reply.model or self.requests.model
        return replace(reply, prompt=prompt, model=model, is_recalled=is_recalled)
