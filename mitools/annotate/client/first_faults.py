"""Detection of requests that all fail alike: a fault of settings or endpoint, not of records."""

from __future__ import annotations

import re

from mitools.annotate.client.faults import Fault
from mitools.annotate.client.requests import Request

__all__ = ["MOST_LATER", "FirstFaults"]

# The text of a record causes these, and the longest records may come first.
_OF_ONE_RECORD = ("content_filter", "context_length", "refusal")
_MOST_SORTS = 100
MOST_LATER = 100
"""Different requests in a row that fail alike, at which a run stops that got answers before."""

_VARYING = re.compile(r"\"[^\"]*\"|'[^']*'|`[^`]*`|\S*\d\S*")


class FirstFaults:
    """Counts different requests that fail alike with no answer in between."""

    def __init__(self, most: int | None) -> None:
        """Start to count.

        Args:
            most: the number at which a run should stop in which nothing was answered; None to count
                nothing. After an answer it is :data:`MOST_LATER`, as records that the server
                refuses may stand together.
        """
        self._most = most
        self._requests: dict[tuple[str, ...], set[int]] = {}  # by sort of fault

    def answered(self) -> None:
        """Start again: a request was answered, so the faults before it are those of records."""
        self.recalled()
        self._requests.clear()

    def recalled(self) -> None:
        """Note that an earlier run got an answer."""
        if self._most is not None:
            self._most = MOST_LATER

    def add(self, request: Request, fault: Fault) -> int:
        """Count a failed request.

        Returns:
            How many failed alike, if the run should stop for that; else 0.
        """
        if self._most is None or fault.kind in _OF_ONE_RECORD:
            return 0
        sort = _sort(fault)
        if sort not in self._requests and len(self._requests) == _MOST_SORTS:
            return 0
        alike = self._requests.setdefault(sort, set())
        alike.add(hash(request.content))  # samples of one record count once
        return len(alike) if len(alike) >= self._most else 0


def _sort(fault: Fault) -> tuple[str, ...]:
    """Return the common part of faults of one sort, without numbers and quoted names."""
    words = fault.words
    return (fault.kind, words.code, words.param, _VARYING.sub("…", fault.message))
