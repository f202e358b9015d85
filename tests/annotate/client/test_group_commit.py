"""Group commit: what arrives together is written together, and a failure reaches all of it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from mitools.annotate.client.group_commit import GroupCommit
from mitools.annotate.client.journal import Entry, Journal
from mitools.errors import MitoolsError, OutputError


class SlowJournal(Journal):
    """Notes the groups that it is given; the first takes until it is let go."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.groups: list[list[str]] = []
        self.may_go_on = threading.Event()
        self.is_broken = False

    def write(self, entries: Iterable[Entry]) -> None:
        group = list(entries)
        self.groups.append([entry.key for entry in group])
        self.may_go_on.wait(5)
        if self.is_broken:
            raise OutputError("the disk is full")
        super().write(group)

    def rescue(self, entries: Sequence[Entry], reason: MitoolsError) -> OutputError:
        return OutputError(f"{reason.message}: {len(entries)} rescued")


def entry(number: int) -> Entry:
    return Entry(f"key{number}", "ok", "{}")


@pytest.fixture
def journal(tmp_path: Path) -> SlowJournal:
    return SlowJournal(tmp_path / "j")


def test_entries_that_arrive_during_a_commit_go_into_the_next_one(journal: SlowJournal) -> None:
    async def add_five() -> None:
        commits = GroupCommit(journal)
        adding = [asyncio.create_task(commits.add(entry(0)))]
        await asyncio.sleep(0.05)
        adding += [asyncio.create_task(commits.add(entry(number))) for number in range(1, 5)]
        await asyncio.sleep(0.05)
        assert not any(task.done() for task in adding)
        journal.may_go_on.set()
        await asyncio.gather(*adding)
        assert all(journal.find(f"key{number}") for number in range(5))

    asyncio.run(add_five())
    assert journal.groups == [["key0"], ["key1", "key2", "key3", "key4"]]
    journal.close()


def test_an_entry_is_written_although_its_task_was_cancelled(journal: SlowJournal) -> None:
    async def add_and_cancel() -> None:
        commits = GroupCommit(journal)
        first = asyncio.create_task(commits.add(entry(0)))
        await asyncio.sleep(0.05)
        second = asyncio.create_task(commits.add(entry(1)))
        await asyncio.sleep(0.05)
        first.cancel()
        second.cancel()
        journal.may_go_on.set()
        await commits.finish()

    asyncio.run(add_and_cancel())
    assert journal.find("key0")
    assert journal.find("key1")
    journal.close()


def test_all_entries_of_a_group_learn_that_it_failed(journal: SlowJournal) -> None:
    journal.is_broken = True
    journal.may_go_on.set()

    async def add_three() -> list[BaseException | None]:
        commits = GroupCommit(journal)
        adding = (commits.add(entry(number)) for number in range(3))
        return await asyncio.gather(*adding, return_exceptions=True)

    errors = [str(error) for error in asyncio.run(add_three())]
    # The first begins a commit of its own, the others wait for the next.
    assert errors[0] == "the disk is full: 1 rescued"
    assert errors[1:] == ["the disk is full: 2 rescued"] * 2
    journal.close()
