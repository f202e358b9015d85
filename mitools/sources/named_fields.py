"""Notices fields that a user names to keep or to drop, and that no row has."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import replace
from functools import partial

from mitools.records import Record, Row
from mitools.sources.answers import shortened
from mitools.sources.options import LoadOptions
from mitools.sources.part import Part

__all__ = ["NamedFields"]

_MOST_NAMES = 10_000
"""Names of fields that are remembered, at most; a hostile file may have any number."""


class NamedFields:
    """Compares the names in ``keep_fields`` and ``drop_fields`` with the fields of a source."""

    def __init__(self, options: LoadOptions) -> None:
        self._named = {
            "--keep-fields": tuple(options.keep_fields or ()),
            "--drop-fields": tuple(options.drop_fields),
        }
        self._seen: dict[str, None] = {}

    def watch(self, part: Part) -> Part:
        """Note the fields of a part: its columns, or those of each row when it is read."""
        if not any(self._named.values()):
            return part
        if part.columns is not None:
            self._add(part.columns)
            return part
        return replace(part, rows=self._watched(part.rows))

    def _watched(self, rows: Iterable[Row]) -> Iterator[Row]:
        try:
            for row in rows:
                yield row._replace(parse=partial(self._parse, row.parse))
        finally:
            close = getattr(rows, "close", None)
            if close is not None:
                close()

    def _parse(self, parse: Callable[[], Record]) -> Record:
        values = parse()
        self._add(values)
        return values

    def _add(self, names: Collection[str]) -> None:
        if len(self._seen) < _MOST_NAMES:
            self._seen.update(dict.fromkeys(names))

    def warnings(self) -> Iterator[str]:
        """Yield a warning for each name that no row has had."""
        for option, names in self._named.items():
            for name in names:
                if self._seen and name not in self._seen:
                    close = difflib.get_close_matches(name, self._seen, n=1)
                    among = shortened(", ".join(self._seen), 200)
                    hint = f'did you mean "{close[0]}"?' if close else f"the fields are {among}"
                    yield f'no row has the field "{name}" of {option}; {hint}'
