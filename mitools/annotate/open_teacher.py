"""Open a teacher, its journal and its budget from the options of the stage.

All of them are opened before the first record is read, so a missing key, a wrong URL or a damaged
journal is found at the start.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from mitools.annotate.batch import import_results
from mitools.annotate.client.budget import Budget
from mitools.annotate.client.journal import Journal
from mitools.annotate.client.reply_store import ReplyStore, journal_place
from mitools.annotate.client.requests import Requests
from mitools.annotate.loop_thread import LoopThread
from mitools.annotate.notices import Notices
from mitools.annotate.options import AnnotateOptions
from mitools.annotate.protocol import Teacher
from mitools.errors import SourceError
from mitools.records import Record

if TYPE_CHECKING:
    from mitools.annotate.batch_flights import OnWaiting
    from mitools.annotate.batch_rounds import BatchTeacher

__all__ = ["OpenTeacher", "open_teacher"]


@dataclass(frozen=True)
class OpenTeacher:
    """An open teacher.

    Attributes:
        teacher: answers questions.
        journal: keeps its responses; None if there is no journal.
        budget: counts its cost; None if the price of a token is unknown.
        batches: the teacher itself, if it is asked in batches.
    """

    teacher: Teacher
    journal: Journal | None = None
    budget: Budget | None = None
    batches: BatchTeacher | None = None

    def first_asked(
        self, records: Iterable[Record], on_waiting: OnWaiting | None = None
    ) -> Iterable[Record]:
        """Return the records of a run; if they are asked in batches, that is done before the first.

        Args:
            records: with ids.
            on_waiting: receives the progress of the batches.
        """
        return records if self.batches is None else self.batches.answering(records, on_waiting)


@contextlib.contextmanager
def open_teacher(options: AnnotateOptions, notices: Notices | None = None) -> Iterator[OpenTeacher]:
    """Open the teacher that the options describe; on exit, close it and its journal.

    A caller that asks it in an event loop should close it in that loop; otherwise it is closed
    here.

    Args:
        options: of the stage.
        notices: receive warnings, and pauses that the server asks for.

    Raises:
        UsageError: the options do not go together.
        SourceError: the journal, the completions or a file of the prompt cannot be read.
        OutputError: the journal cannot be made or written.
        DataError: a few-shot example, a completion or a batch result is invalid.
        TeacherError: the URL is not that of an endpoint.
        TeacherRefusedError: there is no API key.
    """
    options.check()
    notices = notices or Notices()
    if not options.has_endpoint:
        opened = OpenTeacher(_replaying(options))
    elif options.answers_from_journal:
        opened = _offline(options, notices)
    elif options.in_batches:
        opened = _batching(options, notices)
    else:
        opened = _asking(options, notices)
    try:
        yield opened
    finally:
        with LoopThread() as loop:
            loop.wait_for(opened.teacher.close())


def _replaying(options: AnnotateOptions) -> Teacher:
    from mitools.annotate.replay import DemoTeacher, FieldTeacher, ReplayTeacher

    if options.teacher == "demo":
        return DemoTeacher(options.seed, options.error_rate)
    model = options.model or "replay"
    if options.replay_file is None:
        return FieldTeacher(model)
    return ReplayTeacher(options.replay_file, model)


def _offline(options: AnnotateOptions, notices: Notices) -> OpenTeacher:
    from mitools.annotate.client.teachers import OfflineTeacher

    requests = Requests(options)
    place = journal_place(options)
    if options.is_offline and not options.from_batch and not place.exists():
        hint = "check --journal and -m, or leave out --offline to ask"
        raise SourceError(f"no journal at {place}", hint=hint)
    journal = Journal(place, is_read_only=not options.from_batch)
    if options.from_batch:
        _import_batch(options.from_batch, journal, notices)
    # Some requests of a batch may have failed, but a journal that is replayed must be complete.
    must_know = not options.from_batch
    return OpenTeacher(OfflineTeacher(ReplyStore(requests, journal), must_know=must_know), journal)


def _asking(options: AnnotateOptions, notices: Notices) -> OpenTeacher:
    from mitools.annotate.client.endpoint import Endpoint
    from mitools.annotate.client.teachers import ChatTeacher

    requests, budget = _prepared(options, notices)
    endpoint = Endpoint(requests, budget, notices)
    journal = Journal(journal_place(options)) if options.keeps_journal else None
    return OpenTeacher(ChatTeacher(ReplyStore(requests, journal), endpoint), journal, budget)


def _batching(options: AnnotateOptions, notices: Notices) -> OpenTeacher:
    from mitools.annotate.batch_rounds import BatchTeacher
    from mitools.annotate.client.batch_api import BatchApi

    requests, budget = _prepared(options, notices)
    api = BatchApi(requests)
    journal = Journal(journal_place(options))
    teacher = BatchTeacher(ReplyStore(requests, journal), journal, api, budget, notices)
    return OpenTeacher(teacher, journal, budget, teacher)


def _prepared(options: AnnotateOptions, notices: Notices) -> tuple[Requests, Budget | None]:
    requests = Requests(options)
    if options.samples > 1 and (cause := _cause_of_equal_samples(requests.settings)):
        notices.warn(f"{cause} all samples of a record are alike")
    if options.price is None:
        return requests, None
    return requests, Budget(options.price, options.max_cost, options.keeps_journal)


def _cause_of_equal_samples(settings: Mapping[str, Any]) -> str:
    """Say which field of a request makes a server answer each sample alike; empty if none does."""
    if settings.get("temperature") == 0:
        return "at temperature 0"
    return "with one seed" if settings.get("seed") is not None else ""


def _import_batch(paths: tuple[str, ...], journal: Journal, notices: Notices) -> None:
    try:
        imported = import_results(paths, journal)
    except BaseException:
        journal.close()
        raise
    notices.note(f"{imported.answers:,} answers and {imported.failures:,} failures from the batch")
