"""Group commit: entries that arrive during one commit are written together in the next."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mitools.annotate.client.journal import Entry, Journal
from mitools.errors import MitoolsError

__all__ = ["GroupCommit"]


class GroupCommit:
    """Writes entries to a journal in groups, outside the event loop's thread.

    Belongs to one event loop. An entry is written even if the task that added it is cancelled.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._group: list[Entry] = []
        self._written: asyncio.Future[None] | None = None  # of the group that is filling
        self._writing: asyncio.Future[None] | None = None  # of the group before it, being written

    async def add(self, entry: Entry) -> None:
        """Write an entry; returns when it is committed.

        Raises:
            OutputError: it could not be written; the hint names the rescue file.
        """
        self._group.append(entry)
        if self._written is None:
            self._written = asyncio.get_running_loop().create_future()
        written = self._written
        if self._writing is None:
            self._begin()
        await asyncio.shield(written)

    async def finish(self) -> None:
        """Wait until all entries are written."""
        while self._writing is not None:
            await asyncio.wait([self._writing])

    def _begin(self) -> None:
        """Write the current group, and after it the next."""
        group, written = self._group, self._written
        assert written is not None
        self._group, self._written = [], None

        def end(done: asyncio.Future[None]) -> None:
            self._writing = None
            exc = done.exception()
            if exc is None:
                written.set_result(None)
            else:
                written.set_exception(exc)
                written.exception()  # all waiting tasks may have been cancelled
            if self._group:
                self._begin()

        loop = asyncio.get_running_loop()
        self._writing = loop.run_in_executor(None, self._write, group)
        self._writing.add_done_callback(end)

    def _write(self, group: Sequence[Entry]) -> None:
        try:
            self._journal.write(group)
        except MitoolsError as exc:
            raise self._journal.rescue(group, exc) from exc
