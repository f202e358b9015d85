"""Parquet files as rows; a cell that Python cannot hold is a fault of its row alone."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import IO, Any

from mitools.errors import InvalidFieldError, SourceError, Where
from mitools.files import STDIN, input_errors, open_input
from mitools.records import Record, Row
from mitools.sources.opening import FileOptions, shown_name
from mitools.sources.part import Classes, Part, table_row
from mitools.sources.recognition import PARQUET_MAGIC, check_content

__all__ = ["batch_rows", "open_parquet"]

_ROWS_AT_ONCE = 1024


def open_parquet(path: str, options: FileOptions) -> Part:
    """Open a Parquet file as one part of a source; only the columns that are used are read.

    Raises:
        SourceError: it is missing, is not Parquet, or names a column twice.
    """
    import pyarrow.parquet as pq

    name = shown_name(path)
    source = _seekable(path, name)
    try:
        schema = pq.read_schema(source)
    except Exception as exc:  # of the library: ArrowException, OSError, ValueError, …
        _close(source)
        message = f"{name} is not a Parquet file ({_first_line(exc)})"
        raise SourceError(message, hint="check that it is complete") from exc
    doubled = [one for one in schema.names if schema.names.count(one) > 1]
    if doubled:
        message = f'{name} names the column "{doubled[0]}" twice'
        raise SourceError(message, hint="give each column a name of its own")
    classes = _classes(schema, name)
    columns = options.columns(schema.names)
    return Part(name, _rows(source, name, columns, classes), classes)


def _seekable(path: str, name: str) -> str | IO[bytes]:
    """Give what can be read from its end: the file, or a copy of what comes through a pipe."""
    if path != STDIN and Path(path).suffix not in (".gz", ".zst") and not Path(path).is_fifo():
        with open_input(path) as stream, input_errors(name):
            head = stream.read(512)
        if not head.startswith(PARQUET_MAGIC):
            check_content(head, name, "parquet")
        return path
    copy = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the last row)
    with open_input(path) as stream, input_errors(name):
        shutil.copyfileobj(stream, copy)
    copy.seek(0)
    return copy


def _rows(
    source: str | IO[bytes], name: str, columns: Sequence[str], classes: Classes
) -> Iterator[Row]:
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(source) as file:
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=list(columns)):
                yield from batch_rows(batch, name, number, classes)
                number += batch.num_rows
    except (ArithmeticError, LookupError, OSError, ValueError, TypeError) as exc:  # Arrow's, too
        message = f"cannot read {name} after row {number:,}: {_first_line(exc)}"
        raise SourceError(message, hint="check that it is complete") from exc
    finally:
        _close(source)


def _close(source: str | IO[bytes]) -> None:
    if not isinstance(source, str):
        source.close()


def batch_rows(batch: Any, name: str, before: int, classes: Classes) -> Iterator[Row]:
    """Give the rows of a batch or table of Arrow, counted on from those before it."""
    try:
        converted = batch.to_pylist()
    except Exception:  # one cell is enough, and the library raises what Python does
        converted = None
    for index in range(batch.num_rows):
        where = Where(name, before + index + 1)
        if converted is not None:
            yield table_row(converted[index], where, classes)
        else:
            row = batch.slice(index, 1)
            yield _row_by_cell(row, where, classes)


def _row_by_cell(row: Any, where: Where, classes: Classes) -> Row:
    """Make a row of a batch of one row, cell by cell."""
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
        # Python has no year above 9999 and no nanoseconds; Arrow writes them.
        text = str(scalar.cast(pa.string()).as_py())
        if text.startswith("<"):  # "<value out of range: …>"
            raise
        return text.replace(" ", "T", 1)


def _unreadable(field: Any, where: Where, cause: Exception) -> InvalidFieldError:
    message = f'field "{field.name}" holds a value of type {field.type} that cannot be read'
    hint = f'leave the column out: "--drop-fields {field.name}"'
    error = InvalidFieldError(f"{message} ({_first_line(cause)})", where=where, hint=hint)
    error.__cause__ = cause
    return error


def _first_line(exc: Exception) -> str:
    lines = str(exc).splitlines()
    return lines[0][:200] if lines else type(exc).__name__


def _classes(schema: Any, name: str) -> Classes:
    """Read the names of classes that ``datasets`` leaves in a file's metadata."""
    if b"huggingface" not in (schema.metadata or {}):
        return {}
    from mitools.sources.hub import class_names

    try:
        return class_names(schema)
    except Exception as exc:  # of the library, on metadata that are not its own
        message = f"{name} holds damaged metadata of Hugging Face ({_first_line(exc)})"
        raise SourceError(message, hint="write the file again without them") from exc
