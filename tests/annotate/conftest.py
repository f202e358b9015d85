"""A fixture server, and short ways to send records to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mitools.annotate.client.budget import Budget
from mitools.annotate.client.endpoint import Endpoint
from mitools.annotate.client.journal import Journal
from mitools.annotate.client.reply_store import ReplyStore
from mitools.annotate.client.requests import Requests
from mitools.annotate.client.teachers import ChatTeacher, OfflineTeacher
from mitools.annotate.options import AnnotateOptions
from mitools.annotate.protocol import Teacher
from mitools.annotate.run import AnnotationRun, OnFailure
from mitools.annotate.tally import Tally
from mitools.records import Record
from tests.server import KEY, FixtureServer


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@pytest.fixture
def server() -> Iterator[FixtureServer]:
    with FixtureServer() as running:
        yield running


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Wait next to nothing before a retry."""
    for module in ("endpoint", "pace"):
        monkeypatch.setattr(f"mitools.annotate.client.{module}.backoff", lambda _attempt: 0.01)


def sums(count: int, first: int = 10) -> list[Record]:
    """Word problems that the server answers correctly."""
    return [
        {
            "id": f"r{number}",
            "input": f"Add {first + number} and 7.",
            "label": f"{first + number + 7}",
            "task": "equation",
        }
        for number in range(count)
    ]


@dataclass
class Outcome:
    records: list[Record]
    tally: Tally

    @property
    def labels(self) -> list[str | None]:
        return [record["teacher"]["label"] for record in self.records]

    @property
    def kinds(self) -> list[str]:
        return [record["teacher"].get("error", {}).get("kind", "") for record in self.records]


def make_store(options: AnnotateOptions, journal: Path | None = None) -> ReplyStore:
    return ReplyStore(Requests(options), Journal(journal) if journal else None)


def asking(options: AnnotateOptions) -> ChatTeacher:
    """Make a teacher that keeps no journal."""
    store = make_store(options)
    return ChatTeacher(store, Endpoint(store.requests))


Annotate = Callable[..., Outcome]


@pytest.fixture
def annotate(server: FixtureServer) -> Annotate:
    """Annotate records at the server; all keywords but these are options of the stage."""

    def run(
        records: list[Record],
        journal: Path | None = None,
        budget: Budget | None = None,
        handle_failure: OnFailure | None = None,
        **given: Any,
    ) -> Outcome:
        basis = AnnotateOptions(
            model="fixture", base_url=server.url, concurrency=4, timeout_seconds=10
        )
        options = replace(basis, **given)
        kept = make_store(options, journal)
        teacher: Teacher = ChatTeacher(kept, Endpoint(kept.requests, budget))
        if options.is_offline:
            teacher = OfflineTeacher(kept)
        run = AnnotationRun(records, teacher, options, handle_failure=handle_failure)
        with run:
            return Outcome(list(run), run.tally)

    return run
