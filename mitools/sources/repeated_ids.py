"""Notices ids that occur more than once: later stages tell records apart by them."""

from __future__ import annotations

__all__ = ["RepeatedIds"]

_MOST_WATCHED = 500_000
"""Ids that are remembered, at most; the memory of a long stream stays bounded."""


class RepeatedIds:
    """Counts records whose id an earlier record has.

    Attributes:
        count: number of such records.
        first: the first such id.
    """

    def __init__(self) -> None:
        self.count = 0
        self.first = ""
        self._seen: set[int] = set()

    def add(self, name: str) -> None:
        """Look at the id of one record."""
        key = hash(name)
        if key in self._seen:
            self.first = self.first or name
            self.count += 1
        elif len(self._seen) < _MOST_WATCHED:
            self._seen.add(key)

    def warning(self) -> str | None:
        """Return a warning; None if no id occurs twice."""
        if not self.count:
            return None
        records = "1 record has" if self.count == 1 else f"{self.count:,} records have"
        return (
            f'{records} the id of an earlier one, such as "{self.first}"; take ids from another '
            'field with "--map id=FIELD", or have them made: "--map id="'
        )
