"""Parquet files as rows; only the columns that are used are read."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from mitools.errors import SourceError
from mitools.files import STDIN, input_errors, open_input
from mitools.records import Row
from mitools.sources.arrow import batch_rows, class_names, first_line
from mitools.sources.opening import shown_name
from mitools.sources.options import LoadOptions
from mitools.sources.part import Classes, Part
from mitools.sources.recognition import PARQUET_MAGIC, check_content

__all__ = ["open_parquet"]

_ROWS_AT_ONCE = 1024


def open_parquet(path: str, options: LoadOptions) -> Part:
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
        message = f"{name} is not a Parquet file ({first_line(exc)})"
        raise SourceError(message, hint="check that it is complete") from exc
    doubled = [column for column in schema.names if schema.names.count(column) > 1]
    if doubled:
        message = f'{name} names the column "{doubled[0]}" twice'
        raise SourceError(message, hint="give each column a unique name")
    classes = _classes(schema, name)
    columns = options.columns(schema.names)
    return Part(name, _rows(source, name, columns, classes), classes)


def _seekable(path: str, name: str) -> str | IO[bytes]:
    """Return a seekable source: the path, or a temporary copy of a pipe or packed file."""
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
        message = f"cannot read {name} after row {number:,}: {first_line(exc)}"
        raise SourceError(message, hint="check that it is complete") from exc
    finally:
        _close(source)


def _close(source: str | IO[bytes]) -> None:
    if not isinstance(source, str):
        source.close()


def _classes(schema: Any, name: str) -> Classes:
    """Read the class names that ``datasets`` writes to a file's metadata."""
    if b"huggingface" not in (schema.metadata or {}):
        return {}
    try:
        return class_names(schema)
    except Exception as exc:  # of the library, for invalid metadata
        message = f"{name} holds damaged metadata of Hugging Face ({first_line(exc)})"
        raise SourceError(message, hint="write the file again without the metadata") from exc
