"""A fixture server, and short ways to send records to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mitools.annotate import AnnotationRun, RunOptions, Tally, Teacher
from mitools.annotate.client.budget import Budget
from mitools.annotate.client.endpoint import Endpoint
from mitools.annotate.client.journal import Journal
from mitools.annotate.client.kept_replies import KeptReplies
from mitools.annotate.client.requests import ChatOptions, Requests
from mitools.annotate.client.teachers import ChatTeacher, OfflineTeacher
from mitools.annotate.prompt import Prompts, PromptSource
from mitools.annotate.strategy import Strategy
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


def remember(
    options: ChatOptions, journal: Path | None = None, source: PromptSource | None = None
) -> KeptReplies:
    requests = Requests(options, Prompts(source or PromptSource()))
    return KeptReplies(requests, Journal(journal) if journal else None)


def asking(options: ChatOptions) -> ChatTeacher:
    """Make a teacher that keeps no journal."""
    memory = remember(options)
    return ChatTeacher(memory, Endpoint(memory.requests))


Annotate = Callable[..., Outcome]


@pytest.fixture
def annotate(server: FixtureServer) -> Annotate:
    """Annotate records at the server; options go where they belong, by name."""

    def run(
        records: list[Record],
        journal: Path | None = None,
        budget: Budget | None = None,
        **options: Any,
    ) -> Outcome:
        chat = ChatOptions("fixture", server.url, concurrency=4, timeout_seconds=10)
        chat_names = chat.__dataclass_fields__.keys() & options.keys()
        chat = replace(chat, **{name: options.pop(name) for name in chat_names})
        names = Strategy.__dataclass_fields__.keys() & options.keys()
        options["strategy"] = Strategy(**{name: options.pop(name) for name in names})
        memory = remember(chat, journal, options.pop("prompts", PromptSource()))
        teacher: Teacher = ChatTeacher(memory, Endpoint(memory.requests, budget))
        if options.pop("is_offline", False):
            teacher = OfflineTeacher(memory)
        settings = RunOptions(concurrency=chat.concurrency, **options)
        with AnnotationRun(records, teacher, settings) as running:
            return Outcome(list(running), running.tally)

    return run
