"""Replies from the journal: found by question, kept by key, and read as what they were."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from mitools.annotate.client.journal import Journal
from mitools.annotate.client.reply_store import ReplyStore, journal_place, open_reply_store
from mitools.annotate.client.requests import Requests
from mitools.annotate.options import AnnotateOptions
from mitools.annotate.protocol import Question
from mitools.errors import SourceError, UsageError
from mitools.tasks import task_named
from tests.annotate.conftest import sums
from tests.server import complete

QUESTION = Question(sums(1)[0], task_named("equation"))


def options(tmp_path: Path, **given: object) -> AnnotateOptions:
    where = {"model": "m", "base_url": "http://h/v1", "journal": str(tmp_path / "j")}
    return AnnotateOptions(**{**where, **given})  # type: ignore[arg-type]


def keep(place: Path, kind: str, response: str) -> None:
    store = ReplyStore(Requests(options(place)), Journal(place / "j"))

    async def write() -> None:
        await store.keep(store.requests.make(QUESTION), QUESTION, kind, response)
        await store.close()

    asyncio.run(write())


def test_an_answer_is_found_again_with_its_prompt_and_model(tmp_path: Path) -> None:
    keep(tmp_path, "ok", json.dumps(complete("The answer is 17.", "m-2026")))
    with open_reply_store(options(tmp_path)) as store:
        reply = store.find(QUESTION)
        assert reply is not None
        assert (reply.text, reply.model, reply.is_recalled) == ("The answer is 17.", "m-2026", True)
        assert reply.prompt == store.requests.prompt_hash(QUESTION)
        other = Question(QUESTION.record, QUESTION.task, sample=1)
        assert store.find(other) is None


def test_a_failure_is_found_only_where_it_is_wanted(tmp_path: Path) -> None:
    keep(tmp_path, "timeout", "no answer within 1 s")
    with open_reply_store(options(tmp_path)) as store:
        assert store.find(QUESTION) is None
        reply = store.find(QUESTION, with_errors=True)
        assert reply is not None
        assert reply.problem is not None
        assert (reply.problem.kind, reply.model) == ("timeout", "m")
        entry = store.find_entry(store.requests.make(QUESTION))
        assert entry is not None
        assert (entry.kind, entry.record) == ("timeout", "r0")


def test_a_generation_that_broke_off_is_asked_again(tmp_path: Path) -> None:
    body = complete("The answer is 1", "m")
    body["choices"][0]["finish_reason"] = "error"
    keep(tmp_path, "ok", json.dumps(body))
    with open_reply_store(options(tmp_path)) as store:
        assert store.find(QUESTION) is None
        entry = store.find_entry(store.requests.make(QUESTION))
        assert entry is not None
        assert entry.kind == "unfinished"


def test_an_answer_that_is_not_readable_any_more_means_a_damaged_journal(tmp_path: Path) -> None:
    keep(tmp_path, "ok", "{")
    with (
        open_reply_store(options(tmp_path)) as store,
        pytest.raises(SourceError, match=r"j is damaged: the response [0-9a-f]{12}… is unreadable"),
    ):
        store.find(QUESTION)


def test_a_journal_that_is_missing_or_unwanted_is_not_made(tmp_path: Path) -> None:
    with open_reply_store(options(tmp_path)) as store:
        assert store.find(QUESTION) is None
    assert not (tmp_path / "j").exists()
    keep(tmp_path, "ok", json.dumps(complete("The answer is 17.", "m")))
    with open_reply_store(options(tmp_path, keeps_journal=False)) as store:
        assert store.journal is None
        assert store.find(QUESTION) is None


def test_the_place_of_the_journal_depends_on_the_model(tmp_path: Path) -> None:
    assert journal_place(options(tmp_path)) == tmp_path / "j"
    by_model = journal_place(AnnotateOptions(model="org/m"))
    assert by_model.name == "org-m.sqlite3"
    with pytest.raises(UsageError, match="no teacher model"):
        journal_place(AnnotateOptions())
