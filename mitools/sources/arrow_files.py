"""Arrow files as rows: those of ``datasets`` and its cache, and Feather files.

A folder that ``Dataset.save_to_disk`` wrote holds such files; a list in it says which.
"""

from __future__ import annotations

import contextlib
import json
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

from mitools.errors import SourceError
from mitools.records import Row
from mitools.sources.arrow import batch_rows, checked_classes, first_line
from mitools.sources.opening import Seekable, close_seekable, open_seekable, shown_name
from mitools.sources.options import LoadOptions
from mitools.sources.part import Classes, Part
from mitools.sources.recognition import ARROW_MAGIC
from mitools.sources.splits import usual_splits

__all__ = ["is_saved", "open_arrow", "open_saved"]

_ROWS_AT_ONCE = 1024
_STATE = "state.json"
_SPLITS = "dataset_dict.json"
_ERRORS = (ArithmeticError, LookupError, OSError, ValueError, TypeError)  # Arrow's are among them


def open_arrow(path: str, options: LoadOptions) -> Part:
    """Open an Arrow file, or a stream of Arrow in a file, as one part of a source.

    Raises:
        SourceError: it is missing, is not Arrow, or names a column twice.
    """
    name = shown_name(path)
    source = open_seekable(path, "arrow")
    try:
        with _reading(source) as batches:
            schema = next(batches)
    except _ERRORS as exc:
        close_seekable(source)
        message = f"{name} is not an Arrow file ({first_line(exc)})"
        raise SourceError(message, hint="check that it is complete") from exc
    classes = checked_classes(schema, name)
    columns = options.columns(schema.names)
    rows = _rows(source, name, columns, classes)
    return Part(name, rows, classes, columns=tuple(schema.names))


@contextlib.contextmanager
def _reading(source: Seekable) -> Iterator[Iterator[Any]]:
    """Open a source; gives its schema, then its batches."""
    import pyarrow as pa

    with pa.memory_map(source) if isinstance(source, str) else _again(source) as file:
        head = file.read(len(ARROW_MAGIC))
        file.seek(0)
        if bytes(head) == ARROW_MAGIC:
            reader = pa.ipc.open_file(file)
            batches = (reader.get_batch(place) for place in range(reader.num_record_batches))
        else:
            reader = pa.ipc.open_stream(file)
            batches = iter(reader)
        yield _schema_first(reader.schema, batches)


def _again(source: IO[bytes]) -> Any:
    """Open a temporary copy from its start; closing it does not close the copy."""
    import pyarrow as pa

    source.seek(0)
    return pa.PythonFile(os.fdopen(os.dup(source.fileno()), "rb"))


def _schema_first(schema: Any, batches: Iterator[Any]) -> Iterator[Any]:
    yield schema
    yield from batches


def _rows(source: Seekable, name: str, columns: Sequence[str], classes: Classes) -> Iterator[Row]:
    number = 0
    try:
        with _reading(source) as batches:
            next(batches)  # the schema
            for batch in batches:
                batch.validate(full=True)  # nothing else checks the offsets in a file
                for start in range(0, batch.num_rows, _ROWS_AT_ONCE):
                    piece = batch.select(list(columns)).slice(start, _ROWS_AT_ONCE)
                    yield from batch_rows(piece, name, number, classes)
                    number += piece.num_rows
    except _ERRORS as exc:
        message = f"cannot read {name} after row {number:,}: {first_line(exc)}"
        raise SourceError(message, hint="check that it is complete") from exc
    finally:
        close_seekable(source)


def is_saved(path: str) -> bool:
    """Tell whether a path is a folder that ``save_to_disk`` wrote."""
    return any((Path(path) / name).is_file() for name in (_STATE, _SPLITS))


def open_saved(path: str, options: LoadOptions) -> Iterator[Part]:
    """Open the files of such a folder one after another, split by split.

    Raises:
        SourceError: its lists are damaged, or a file is.
    """
    folder = Path(path)
    if not (folder / _SPLITS).is_file():
        yield from _files_of(folder, options, None)
        return
    for split, usual in usual_splits(_names(folder / _SPLITS, "splits")):
        yield from _files_of(folder / split, options, usual)


def _files_of(folder: Path, options: LoadOptions, split: str | None) -> Iterator[Part]:
    for file in _names(folder / _STATE, "_data_files"):
        part = open_arrow(str(folder / file), options)
        yield replace(part, split=split)


def _names(path: Path, field: str) -> list[str]:
    """Read the names of files, or splits, that a list of ``save_to_disk`` holds."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))[field]
        names = [value if field == "splits" else value["filename"] for value in values]
        if not all(isinstance(name, str) and name == Path(name).name for name in names):
            raise ValueError("a name in it leaves the folder")
    except (OSError, LookupError, TypeError, ValueError, RecursionError) as exc:
        message = f"{path} is not a list that save_to_disk wrote ({first_line(exc)})"
        files = f"{shlex.quote(str(path.parent))}/*.arrow"
        hint = f'save the data set again, or name its files: "mitools load {files}"'
        raise SourceError(message, hint=hint) from exc
    return names
