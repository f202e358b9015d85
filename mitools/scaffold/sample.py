"""The first rows of a data file, column by column."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from mitools.errors import DataError, EmptyInputError
from mitools.scaffold.column import Column
from mitools.sources.load_records import open_named
from mitools.sources.options import LoadOptions
from mitools.sources.part import Classes
from mitools.sources.published import preset_for

__all__ = ["MOST_ROWS", "Sample", "read_sample"]

MOST_ROWS = 10_000
"""Rows that are read before a mapping is proposed."""

_MOST_CHARACTERS = 2**26
_MOST_COLUMNS = 1000


@dataclass
class Sample:
    """What the first rows of a file hold.

    Attributes:
        name: of the file, as messages call it.
        classes: the names behind the whole numbers of a column, where the file has them.
        rows: number of rows read.
        is_whole: whether the file has no more of them.
        columns: by name, in the order of the file.
        preset: the published data set that the first row is of; None if it is not known.
    """

    name: str
    classes: Classes
    rows: int = 0
    is_whole: bool = True
    columns: dict[str, Column] = field(default_factory=dict)
    preset: str | None = None

    def add(self, values: Mapping[str, Any]) -> None:
        """Count the values of one row."""
        if not self.rows:
            self.preset = preset_for(values)
        self.rows += 1
        for name, value in values.items():
            column = self.columns.get(name)
            if column is None:
                if len(self.columns) >= _MOST_COLUMNS:
                    continue
                column = self.columns[name] = Column(name)
            column.add(value)

    @property
    def characters(self) -> int:
        return sum(column.characters for column in self.columns.values())


def read_sample(path: str, options: LoadOptions) -> Sample:
    """Read the first rows of a file.

    Rows that cannot be read are passed over here: the trial of the proposal reports them.

    Args:
        options: how the file is read; its mapping is not used.

    Raises:
        SourceError: the file cannot be opened, or its format is not known.
        DataError: no row can be read.
    """
    part = open_named(path, options)
    sample = Sample(part.name, part.classes)
    problem: DataError | None = None
    rows = iter(part.rows)
    for row in islice(rows, MOST_ROWS):
        try:
            sample.add(row.parse())
        except DataError as exc:
            problem = problem or exc
        if sample.characters > _MOST_CHARACTERS:
            break
    sample.is_whole = next(rows, None) is None
    if not sample.rows:
        if problem is not None:
            raise problem
        raise EmptyInputError(f"{part.name}: no records", hint="check that it is complete")
    return sample
