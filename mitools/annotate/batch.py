"""Batches: write requests to a file for a batch service, and read its results.

The lines have the format of the OpenAI Batch API, which ``vllm run-batch`` also reads
(https://platform.openai.com/docs/api-reference/batch/request-input). ``custom_id`` is the request's
key, so results can enter the journal in any order, and from part of a batch that expired.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from typing import IO, Any

from mitools.annotate.client.completion import (
    NoCompletionError,
    UnfinishedError,
    parse_completion,
)
from mitools.annotate.client.faults import Secrets, rejection_kind, sort_in_body, sort_status
from mitools.annotate.client.journal import IN_BATCH, UNREAD, Entry, Journal
from mitools.annotate.client.reply_store import ReplyStore, open_reply_store
from mitools.annotate.client.requests import Request
from mitools.annotate.client.server_words import words_in
from mitools.annotate.conversation import Conversation
from mitools.annotate.options import AnnotateOptions
from mitools.annotate.strategy import Strategy, converse
from mitools.errors import InvalidFieldError, UsageError, Where
from mitools.gold import with_label_sets
from mitools.lines import line_rows
from mitools.records import Record
from mitools.tasks import task_of

__all__ = [
    "MOST_BYTES",
    "MOST_REQUESTS",
    "Emitted",
    "Imported",
    "Result",
    "batch_line",
    "emit_batch",
    "emit_requests",
    "import_results",
]

# OpenAI's limits for one file.
MOST_REQUESTS = 50_000
MOST_BYTES = 200_000_000

_GROUP = 1000
_NO_SECRETS = Secrets(())
_HINT = 'give the output file of a batch that "--emit-batch" wrote'


@dataclass
class Emitted:
    """Counts of what was written.

    Attributes:
        rows: records read.
        answered: records that are complete.
        requests: lines written, each request once.
        size: bytes written.
        at_work: those of them that are in a batch already.
        batch: the first such batch.
    """

    rows: int = 0
    answered: int = 0
    requests: int = 0
    size: int = 0
    at_work: int = 0
    batch: str = ""

    def lines(self) -> list[str]:
        """Sum up what was written."""
        lines = [
            f"{self.rows:,} records: {self.answered:,} answered already, {self.requests:,} requests"
        ]
        if not self.requests:
            lines.append("nothing is left to ask: run it again without --emit-batch")
        return lines

    def warnings(self) -> Iterator[str]:
        """Yield warnings: requests that are paid for twice, a file that is too large for OpenAI."""
        if self.at_work:
            yield (
                f"{self.at_work:,} of the requests are in {self.batch} already and would be paid "
                "for again: to take its answers, type --batch in place of --emit-batch"
            )
        if self.requests > MOST_REQUESTS or self.size > MOST_BYTES:
            limits = f"{MOST_REQUESTS:,} requests and {MOST_BYTES // 1_000_000} MB"
            yield f'OpenAI accepts {limits} per file; split it with "split -l {MOST_REQUESTS}"'


def emit_batch(records: Iterable[Record], options: AnnotateOptions, out: IO[str]) -> Emitted:
    """Write the requests of a run with these options, without those that the journal answers.

    Raises:
        UsageError: the teacher is not one behind an endpoint, or no model is named.
        SourceError: the journal or a file of the prompt cannot be read.
        DataError: a record is not valid.
    """
    options.check_values()
    options.check_endpoint("emit_batch")
    if options.in_batches:
        raise UsageError("--emit-batch writes requests, and --batch sends them", hint="use one")
    options.check_batch_scoring()
    with open_reply_store(options) as store:
        labelled = with_label_sets(islice(records, options.limit), options.task)
        return emit_requests(labelled, store, Strategy.of(options), options.task, out)


def emit_requests(
    records: Iterable[Record],
    store: ReplyStore,
    strategy: Strategy,
    task: str | None,
    out: IO[str],
) -> Emitted:
    """Write the next requests of each record.

    If a strategy asks again, depending on the first answers, that takes a second batch: import the
    results and emit again.
    """
    done = Emitted()
    seen: set[bytes] = set()
    for record in records:
        done.rows += 1
        dialogue = converse(record, task_of(record, task), strategy, resamples=1)
        conversation = Conversation(dialogue, store.find)
        done.answered += conversation.answered is not None
        for question in conversation.open:
            request = store.requests.make(question)
            name = bytes.fromhex(request.key[:32])  # half of it is still unique
            if name not in seen:
                seen.add(name)
                entry = store.find_entry(request)
                if entry is not None and entry.kind == IN_BATCH:
                    done.at_work += 1
                    done.batch = done.batch or entry.response
                line = batch_line(request)
                out.write(line.decode())
                done.requests += 1
                done.size += len(line)
    return done


def batch_line(request: Request) -> bytes:
    """Write a request as a line of a batch, in UTF-8."""
    line = {
        "custom_id": request.key,
        "method": "POST",
        "url": f"/v1{request.path}",
        "body": request.body,
    }
    return json.dumps(line, ensure_ascii=False).encode() + b"\n"


@dataclass
class Imported:
    """Counts of results: answers, and failed requests."""

    answers: int = 0
    failures: int = 0


@dataclass(frozen=True, slots=True)
class Result:
    """The result of one request of a batch.

    Attributes:
        entry: its entry in the journal.
        body: JSON of a success that is not an answer; None for other results.
        is_maybe_billed: whether a failed request may be billed.
    """

    entry: Entry
    body: str | None = None
    is_maybe_billed: bool = False

    @property
    def is_answer(self) -> bool:
        return self.entry.kind == "ok"

    def entries(self) -> Iterator[Entry]:
        """Yield what the journal keeps, as of a response to a single request."""
        if self.body is not None:
            yield Entry(f"{self.entry.key}/{UNREAD}", UNREAD, self.body)
        yield self.entry


def import_results(
    paths: Iterable[str], journal: Journal, take: Callable[[Result], bool] | None = None
) -> Imported:
    """Write the results of a batch to the journal; a failure never replaces an answer.

    Args:
        paths: files of results.
        journal: takes them.
        take: decides which results are taken; without it, all are.

    Raises:
        SourceError: a file cannot be read.
        DataError: a line is not a result of such a batch.
        OutputError: the journal cannot be written.
    """
    done = Imported()
    group: list[Entry] = []
    for path in paths:
        for row in line_rows(path):
            result = _result(row.parse(), row.where)
            if take is not None and not take(result):
                continue
            done.answers += result.is_answer
            done.failures += not result.is_answer
            group += result.entries()
            if len(group) >= _GROUP:
                journal.write(group)
                group = []
    journal.write(group)
    return done


def _result(row: Record, where: Where) -> Result:
    key = row.get("custom_id")
    if not isinstance(key, str) or not re.fullmatch(r"[0-9a-f]{64}", key):
        message = f'field "custom_id" is not a key of a request: {str(key)[:80]}'
        raise InvalidFieldError(message, where=where, hint=_HINT)
    response = row.get("response")
    response = response if isinstance(response, Mapping) else {}
    body, status = response.get("body"), response.get("status_code")
    if isinstance(body, Mapping) and (status is None or _is_success(status)):
        return _success(key, json.dumps(body, ensure_ascii=False))
    return _failure(key, status, body, row.get("error"))


def _is_success(status: Any) -> bool:
    return type(status) is int and 200 <= status < 300


def _success(key: str, raw: str) -> Result:
    try:
        parse_completion(raw)
    except NoCompletionError as exc:
        why, is_begun = str(exc), isinstance(exc, UnfinishedError)
        fault = sort_in_body(why, exc.words, {}, _NO_SECRETS, is_begun=is_begun)
        entry = Entry(key, "server_error", f"the batch holds no completion: {why}")
        return Result(entry, raw, fault.is_maybe_billed)
    return Result(Entry(key, "ok", raw))


def _failure(key: str, status: Any, body: Any, error: Any) -> Result:
    """Make the result of a failed request; services report the reason in different fields."""
    part = next((part for part in (body, error) if words_in(part).text), None)
    reason = words_in(part)
    code, message = reason.code, reason.text or "no reason given"
    kind = rejection_kind(code, message)
    if "expired" in code:
        kind = "expired"
    elif status == 429:
        kind = "rate_limit"
    elif kind == "bad_request" and not (isinstance(status, int) and 400 <= status < 500):
        kind = "server_error"
    entry = Entry(key, kind, f"{status or 'batch'}: {message}")
    if _is_success(status):
        raw = None if body is None else json.dumps(body, ensure_ascii=False)
        return Result(entry, raw, is_maybe_billed=True)
    is_maybe_billed = kind == "content_filter"
    if type(status) is int:
        fault = sort_status(status, "", {}, json.dumps(part), _NO_SECRETS)
        is_maybe_billed = is_maybe_billed or fault.is_maybe_billed
    return Result(entry, is_maybe_billed=is_maybe_billed)
