"""A fixture server, and short ways to send records to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from mitools.annotate import Run, RunOptions, Tally
from mitools.annotate.chat import ChatOptions, ChatTeacher
from mitools.annotate.journal import Journal
from mitools.annotate.prompt import Prompts, PromptSource
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
    for module in ("chat", "pace"):
        monkeypatch.setattr(f"mitools.annotate.{module}.backoff", lambda _attempt: 0.01)


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


Annotate = Callable[..., Outcome]


@pytest.fixture
def annotate(server: FixtureServer) -> Annotate:
    """Annotate records at the server; options go where they belong, by name."""

    def run(records: list[Record], journal: Path | None = None, **options: Any) -> Outcome:
        chat = ChatOptions("fixture", server.url, concurrency=4, timeout_seconds=10)
        chat_names = chat.__dataclass_fields__.keys() & options.keys()
        chat = replace(chat, **{name: options.pop(name) for name in chat_names})
        prompts = Prompts(options.pop("prompts", PromptSource()))
        teacher = ChatTeacher(chat, prompts, Journal(journal) if journal else None)
        settings = RunOptions(concurrency=chat.concurrency, **options)
        with Run(records, teacher, settings) as running:
            return Outcome(list(running), running.tally)

    return run
