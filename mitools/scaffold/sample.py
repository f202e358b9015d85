"""The first rows of a data file, column by column."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from mitools.errors import DataError, EmptyInputError, Where
from mitools.scaffold.column import Column
from mitools.sources.chat.answers import Answers
from mitools.sources.chat.forms import Form, Reading, form_of_first, rows_of
from mitools.sources.chat.report import ChatReport
from mitools.sources.formats import DELIMITED, format_of
from mitools.sources.load_records import open_sources, sources_in
from mitools.sources.options import LoadOptions
from mitools.sources.part import Classes, Part
from mitools.sources.published import CHAT, PRESETS, preset_for
from mitools.sources.splits import splits_by_name

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
        is_table: whether the first line names the columns.
        rows: number of rows read.
        is_whole: whether the file has no more of them.
        columns: by name, in the order of the file.
        splits: of the files of a folder, or of the parts of a data set; empty if not told.
        preset: the published data set that the first row is of; None if it is not known.
        chat: the form of the chat log that the first row is of; None if it is not one.
        answers: the labels that the answers of a chat log state, read as texts.
    """

    name: str
    classes: Classes
    is_table: bool = False
    rows: int = 0
    is_whole: bool = True
    columns: dict[str, Column] = field(default_factory=dict)
    splits: tuple[str, ...] = ()
    preset: str | None = None
    chat: Form | None = None
    answers: Column = field(default_factory=lambda: Column("answers"))

    def add(self, values: Mapping[str, Any]) -> None:
        """Count the values of one row."""
        if not self.rows:
            self._recognize(values)
        self.rows += 1
        if self.chat is not None:
            self._add_answers(values, self.chat)
        for name, value in values.items():
            column = self.columns.get(name)
            if column is None:
                if len(self.columns) >= _MOST_COLUMNS:
                    continue
                column = Column(name, classes=tuple(self.classes.get(name, ())))
                self.columns[name] = column
            column.add(value)

    def _recognize(self, values: Mapping[str, Any]) -> None:
        self.preset = preset_for(values)
        if self.preset is None or PRESETS[self.preset].is_chat:
            self.chat = form_of_first(values)
            self.preset = CHAT if self.chat is not None else None

    def _add_answers(self, values: Mapping[str, Any], form: Form) -> None:
        """Read the answers of a row as texts; the trial of the proposal reports what it is not."""
        where = Where(self.name)
        with contextlib.suppress(DataError):
            for row in rows_of(dict(values), form, where, Reading()):
                record = {"input": row["input"], "task": "text"}
                answered = Answers(ChatReport()).add(record, row.exchange, where)
                self.answers.add(answered["teacher"]["label"])

    @property
    def characters(self) -> int:
        return sum(column.characters for column in self.columns.values())


def read_sample(path: str, options: LoadOptions) -> Sample:
    """Read the first rows of a file; of a folder, those of its first file of training records.

    Rows that cannot be read are passed over here: the trial of the proposal reports them.

    Args:
        options: how the file is read; its mapping is not used.

    Raises:
        SourceError: the file cannot be opened, or its format is not known.
        DataError: no row can be read.
    """
    part, splits, has_more = _open(path, options)
    is_table = format_of(part.name, options) in DELIMITED
    sample = Sample(part.name, part.classes, is_table, splits=splits)
    problem: DataError | None = None
    rows = iter(part.rows)
    for row in islice(rows, MOST_ROWS):
        try:
            sample.add(row.parse())
        except DataError as exc:
            problem = problem or exc
        if sample.characters > _MOST_CHARACTERS:
            break
    sample.is_whole = next(rows, None) is None and not has_more
    if not sample.rows:
        if problem is not None:
            raise problem
        raise EmptyInputError(f"{part.name}: no records", hint="check that it is complete")
    return sample


def _open(path: str, options: LoadOptions) -> tuple[Part, tuple[str, ...], bool]:
    """Open the part that has training records, or the first one.

    Returns:
        The part, the splits of all parts, and whether there are others.
    """
    files = sources_in(path, options)
    splits = splits_by_name(files)
    first = next((file for file in files if splits.get(file) == "train"), files[0])
    parts = list(open_sources([first], options))  # several where save_to_disk wrote them
    part = next((one for one in parts if one.split == "train"), parts[0])
    told = {*splits.values(), *(one.split for one in parts)} - {None}
    return part, tuple(sorted(map(str, told))), len(files) + len(parts) > 2
