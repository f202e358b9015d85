"""Arrow tables as rows, and the class names in their schemas; for Parquet, Arrow files and the Hub.

A cell that Python cannot represent is an error of its row only.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from mitools.errors import InvalidFieldError, SourceError, Where
from mitools.records import Record, Row
from mitools.sources.part import Classes, table_row

__all__ = ["batch_rows", "checked_classes", "first_line", "names_of_features"]


def batch_rows(batch: Any, name: str, before: int, classes: Classes) -> Iterator[Row]:
    """Yield the rows of an Arrow batch or table; ``before`` is the number of rows before it."""
    try:
        converted = batch.to_pylist()
    except Exception:  # of the library, or of Python's own types
        converted = None
    for index in range(batch.num_rows):
        where = Where(name, before + index + 1)
        if converted is not None:
            yield table_row(converted[index], where, classes)
        else:
            row = batch.slice(index, 1)
            yield _row_by_cell(row, where, classes)


def _row_by_cell(row: Any, where: Where, classes: Classes) -> Row:
    """Make a row of a batch with one row, cell by cell."""
    values: Record = {}
    error: InvalidFieldError | None = None
    for place, field in enumerate(row.schema):
        try:
            values[field.name] = _cell(row.column(place)[0])
        except Exception as exc:  # of the library, or of Python's own types
            values[field.name] = None
            error = error or _unreadable(field, where, exc)
    made = table_row(values, where, classes)
    return made if error is None else Row(where, partial(_fail, error), made.line)


def _fail(error: InvalidFieldError) -> Record:
    raise error


def _cell(scalar: Any) -> Any:
    import pyarrow as pa

    try:
        return scalar.as_py()
    except Exception:
        if not pa.types.is_temporal(scalar.type):
            raise
        # Python has no years above 9999 and no nanoseconds; Arrow formats them.
        text = str(scalar.cast(pa.string()).as_py())
        if text.startswith("<"):  # "<value out of range: …>"
            raise
        return text.replace(" ", "T", 1)


def _unreadable(field: Any, where: Where, cause: Exception) -> InvalidFieldError:
    message = f'field "{field.name}" holds a value of type {field.type} that cannot be read'
    hint = f'leave the column out: "--drop-fields {field.name}"'
    error = InvalidFieldError(f"{message} ({first_line(cause)})", where=where, hint=hint)
    error.__cause__ = cause
    return error


def first_line(exc: Exception) -> str:
    lines = str(exc).splitlines()
    return lines[0][:200] if lines else type(exc).__name__


def checked_classes(schema: Any, name: str) -> Classes:
    """Read the class names that ``datasets`` wrote into the schema of a file, by field.

    Raises:
        SourceError: a column stands there twice, or the names are damaged.
    """
    doubled = [column for column in schema.names if schema.names.count(column) > 1]
    if doubled:
        message = f'{name} names the column "{doubled[0]}" twice'
        raise SourceError(message, hint="give each column a unique name")
    if b"huggingface" not in (schema.metadata or {}):
        return {}
    import datasets

    try:
        return names_of_features(datasets.Features.from_arrow_schema(schema))
    except Exception as exc:  # of the library, for invalid metadata
        message = f"{name} holds damaged metadata of Hugging Face ({first_line(exc)})"
        raise SourceError(message, hint="write the file again without the metadata") from exc


def names_of_features(features: Any) -> dict[str, tuple[str, ...]]:
    """List the class names of columns of classes, and of columns of lists of them."""
    import datasets

    within = {name: getattr(feature, "feature", feature) for name, feature in features.items()}
    return {
        name: tuple(feature.names)
        for name, feature in within.items()
        if isinstance(feature, datasets.ClassLabel)
    }
