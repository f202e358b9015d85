"""A part of a source (a file, or one split of a Hub data set), and rows of JSON values."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from mitools.errors import Where
from mitools.records import Record, Row

__all__ = ["Classes", "Columns", "Part", "clean", "table_row"]

Classes = Mapping[str, tuple[str, ...]]
Columns = Callable[[Sequence[str]], list[str]]
"""Selects the columns of a table to read."""


@dataclass(frozen=True)
class Part:
    """Rows of one file or split, and their common properties.

    Attributes:
        name: its name in messages.
        classes: class names of fields of integers, or of lists of them, by field.
        split: the split of its records; None if unknown.
        likely_split: the split of its records that have none of their own.
        columns: names of all columns of a table, also of those that are not read; None where each
            row has all its fields.
    """

    name: str
    rows: Iterable[Row]
    classes: Classes = field(default_factory=dict)
    split: str | None = None
    likely_split: str | None = None
    columns: tuple[str, ...] | None = None


def table_row(values: Mapping[str, Any], where: Where, classes: Classes | None = None) -> Row:
    """Make a row of cells that are Python objects."""
    return Row(where, partial(_parse, values, classes or {}), partial(_as_text, values))


def _parse(values: Mapping[str, Any], classes: Classes) -> Record:
    record = {str(name): clean(value) for name, value in values.items()}
    for name, names in classes.items():
        value = record.get(name)
        if isinstance(value, int):
            record[name] = _class_name(value, names)
        elif isinstance(value, list):
            record[name] = [_class_name(item, names) for item in value]
    return record


def _class_name(value: Any, names: Sequence[str]) -> Any:
    """Return the name of a class; None for -1, which stands for "no label" on the Hub."""
    if not isinstance(value, int):
        return value
    return names[value] if 0 <= value < len(names) else None


def _as_text(values: Mapping[str, Any]) -> str:
    return json.dumps(clean(values), ensure_ascii=False)


def clean(value: Any) -> Any:
    """Turn a cell into a JSON value.

    NaN and infinity become null; bytes become text, or null if they are not UTF-8 (an image);
    dates become ISO 8601; decimals and other types become their ``str``.
    """
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(name): clean(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [clean(inner) for inner in value]
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return None
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    return str(value)
