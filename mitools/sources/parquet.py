"""Parquet files as rows; only the columns that are used are read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mitools.errors import SourceError
from mitools.records import Row
from mitools.sources.arrow import batch_rows, checked_classes, first_line
from mitools.sources.opening import Seekable, close_seekable, open_seekable, shown_name
from mitools.sources.options import LoadOptions
from mitools.sources.part import Classes, Part

__all__ = ["open_parquet"]

_ROWS_AT_ONCE = 1024


def open_parquet(path: str, options: LoadOptions) -> Part:
    """Open a Parquet file as one part of a source; only the columns that are used are read.

    Raises:
        SourceError: it is missing, is not Parquet, or names a column twice.
    """
    import pyarrow.parquet as pq

    name = shown_name(path)
    source = open_seekable(path, "parquet")
    try:
        schema = pq.read_schema(source)
    except Exception as exc:  # of the library: ArrowException, OSError, ValueError, …
        close_seekable(source)
        message = f"{name} is not a Parquet file ({first_line(exc)})"
        raise SourceError(message, hint="check that it is complete") from exc
    classes = checked_classes(schema, name)
    columns = options.columns(schema.names)
    rows = _rows(source, name, columns, classes)
    return Part(name, rows, classes, columns=tuple(schema.names))


def _rows(source: Seekable, name: str, columns: Sequence[str], classes: Classes) -> Iterator[Row]:
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(source) as file:
            for batch in file.iter_batches(batch_size=_ROWS_AT_ONCE, columns=list(columns)):
                yield from batch_rows(batch, name, number, classes)
                number += batch.num_rows
    except (ArithmeticError, LookupError, OSError, ValueError, TypeError) as exc:  # Arrow's, too
        message = f"cannot read {name} after row {number:,}: {first_line(exc)}"
        raise SourceError(message, hint="check that it is complete") from exc
    finally:
        close_seekable(source)
