"""Detection of requests that all fail alike: a fault of the settings, not of the records."""

from __future__ import annotations

import re

from mitools.annotate.client.faults import Fault
from mitools.annotate.client.requests import Request

__all__ = ["FirstFaults"]

# The text of a record causes these, and the longest records may come first.
_OF_ONE_RECORD = ("content_filter", "context_length", "refusal")
_MOST_SORTS = 100
_VARYING = re.compile(r"\"[^\"]*\"|'[^']*'|`[^`]*`|\S*\d\S*")


class FirstFaults:
    """Counts different requests that failed alike, until one is answered.

    Attributes:
        most: the number at which the run should stop; None to count nothing.
    """

    def __init__(self, most: int | None) -> None:
        self.most = most
        self._requests: dict[tuple[str, ...], set[int]] = {}  # by sort of fault

    def answered(self) -> None:
        """Stop counting: a request was answered, so later faults are those of their records."""
        self.most = None
        self._requests.clear()

    def add(self, request: Request, fault: Fault) -> bool:
        """Count a failed request; returns whether enough of them failed alike."""
        if self.most is None or fault.kind in _OF_ONE_RECORD:
            return False
        sort = _sort(fault)
        if sort not in self._requests and len(self._requests) == _MOST_SORTS:
            return False
        alike = self._requests.setdefault(sort, set())
        alike.add(hash(request.content))  # samples of one record count once
        return len(alike) >= self.most


def _sort(fault: Fault) -> tuple[str, ...]:
    """Return the common part of faults of one sort, without numbers and quoted names."""
    words = fault.words
    return (fault.kind, words.code, words.param, _VARYING.sub("…", fault.message))
