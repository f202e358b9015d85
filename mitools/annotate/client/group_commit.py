"""Group commit: entries that arrive while one commit is written go into the next one together."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from mitools.annotate.client.journal import Entry, Journal
from mitools.errors import MitoolsError

__all__ = ["GroupCommit"]


class GroupCommit:
    """Writes entries to a journal, one group after the other, off the event loop's thread.

    Belongs to one event loop. What was added is written, even if nobody waits for it any more.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._group: list[Entry] = []
        self._written: asyncio.Future[None] | None = None  # of the group that gathers
        self._writing: asyncio.Future[None] | None = None  # of the group before it

    async def add(self, entry: Entry) -> None:
        """Write an entry; returns when it is committed.

        Raises:
            OutputError: it could not be written; says where it is instead.
        """
        self._group.append(entry)
        if self._written is None:
            self._written = asyncio.get_running_loop().create_future()
        written = self._written
        if self._writing is None:
            self._begin()
        await asyncio.shield(written)

    async def finish(self) -> None:
        """Wait until all that was added is written."""
        while self._writing is not None:
            await asyncio.wait([self._writing])

    def _begin(self) -> None:
        """Write the group that has gathered, and after it the next."""
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
                written.exception()  # all who waited may have been cancelled
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
