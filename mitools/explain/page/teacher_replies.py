"""A teacher's stored replies, by record: what ``mitools annotate`` kept in its journal.

The journal holds the responses of the server, not the requests and no API key.
"""

from __future__ import annotations

import os
from collections import defaultdict
from typing import Any

from mitools.annotate.client.journal import Journal
from mitools.errors import SourceError

__all__ = ["MAX_REPLIES", "MAX_REPLY", "TeacherReplies"]

MAX_REPLY = 20_000
MAX_REPLIES = 16
"""Most characters of a reply, and most replies to one record; the rest is left out."""


class TeacherReplies:
    """The replies in a journal.

    Memory holds the key of each reply; the texts stay in the file.
    """

    def __init__(self, path: str) -> None:
        """Open a journal for reading.

        Raises:
            SourceError: the file does not exist, is damaged, or is not a journal.
        """
        if not os.path.isfile(path):
            raise SourceError(f"there is no journal at {path}", hint="check the path")
        self._journal = Journal(path, is_read_only=True)
        self._keys: defaultdict[str, list[str]] = defaultdict(list)
        for record, key in self._journal.keys_by_record():
            self._keys[record].append(key)

    def of(self, record_id: str) -> list[list[Any]]:
        """Return the replies to a record, each ``[sample, kind, text, characters left out]``."""
        found = []
        for key in self._keys.get(record_id, ())[:MAX_REPLIES]:
            entry = self._journal.find(key)
            if entry is not None:
                text = entry.response
                left = max(0, len(text) - MAX_REPLY)
                found.append([entry.sample, entry.kind, text[:MAX_REPLY], left])
        return sorted(found, key=lambda reply: reply[0])

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()
