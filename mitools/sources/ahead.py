"""Reads ahead in a source until the form of its labels is known, and no further."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass, field

from mitools.records import Row
from mitools.sources.labelling import MOST_HELD, Labelling
from mitools.sources.mapping import Mapper
from mitools.sources.options import LoadOptions
from mitools.sources.part import Part

__all__ = ["Ahead"]


@dataclass
class _Opened:
    """A part, with its rows that were read already."""

    part: Part
    mapper: Mapper
    rest: Iterator[Row]
    held: deque[Row] = field(default_factory=deque)

    def close(self) -> None:
        """Close the file behind the rows, if it is open."""
        close = getattr(self.rest, "close", None)
        if close is not None:
            close()


class Ahead:
    """Yields the parts of a source, each with its mapper and its rows.

    Rows are passed on at once, except those whose labels are ambiguous: these are held, across the
    ends of parts, until :class:`Labelling` is decided, at most :data:`MOST_HELD` of them.
    """

    def __init__(self, parts: Iterable[Part], options: LoadOptions) -> None:
        self._parts = iter(parts)
        self._options = options
        self._labelling = Labelling(options.label_is, options.label_likely)
        self._waiting: deque[_Opened] = deque()
        self._silent = 0  # rows that were no evidence; after many of them, stop looking

    def __iter__(self) -> Generator[tuple[Part, Mapper, Iterator[Row]], None, None]:
        opened: _Opened | None = None
        try:
            while (opened := self._next()) is not None:
                yield opened.part, opened.mapper, self._rows(opened)
                opened.close()
        finally:  # after an error as well, whose traceback would keep the files open
            for part in (opened, *self._waiting):
                if part is not None:
                    part.close()

    def _next(self) -> _Opened | None:
        return self._waiting.popleft() if self._waiting else self._open()

    def _open(self) -> _Opened | None:
        part = next(self._parts, None)
        if part is None:
            return None
        return _Opened(part, Mapper(self._options, part, self._labelling), iter(part.rows))

    def _rows(self, opened: _Opened) -> Iterator[Row]:
        while opened.held or (self._labelling.form is None and self._silent < MOST_HELD):
            if opened.held:
                yield opened.held.popleft()
                continue
            row = next(opened.rest, None)
            if row is None:
                return
            row, is_evidence = _weighed(row, opened.mapper)
            self._silent += not is_evidence
            if is_evidence and self._labelling.form is None:
                opened.held.append(row)
                self._look_further(opened)
                self._labelling.decide()
            else:
                yield row
        yield from opened.rest

    def _look_further(self, opened: _Opened) -> None:
        """Hold rows, also of the next parts, until the form is decided or enough rows are held."""
        count = 1
        current: _Opened | None = opened
        while current is not None:
            while count < MOST_HELD and self._labelling.form is None:
                row = next(current.rest, None)
                if row is None:
                    break
                current.held.append(_weighed(row, current.mapper)[0])
                if row.rest is not None:  # the next row would skip the rest of its line
                    return
                count += 1
            else:
                return
            current = self._open()
            if current is not None:
                self._waiting.append(current)


def _weighed(row: Row, mapper: Mapper) -> tuple[Row, bool]:
    """Take a row as evidence; returns the row, parsed, and whether it was evidence."""
    try:
        values = row.parse()
        is_evidence = mapper.weigh(values, row.where)
    except Exception:  # it is raised again where the row is let in
        return row, False
    return row._replace(parse=lambda: values), is_evidence
