"""Local files as rows: JSON Lines, JSON, CSV, TSV and Parquet, told apart by their endings."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from mitools.errors import DataError, MalformedLineError, SourceError, Where
from mitools.files import STDIN, input_errors, open_input
from mitools.records import Record, Row, line_rows, parse_line
from mitools.sources.part import Part, table_row

__all__ = ["ENDINGS", "open_file"]

_MAX_CELL_CHARACTERS = 2**24


def open_file(path: str) -> Part:
    """Open a local file as one part of a source; ``-`` is JSON Lines on stdin.

    Raises:
        SourceError: the ending says nothing, or the file cannot be read.
    """
    ending = _ending(path)
    if ending == ".parquet":
        return _parquet_part(path)
    if ending not in _ROWS:
        known = ", ".join(ENDINGS)
        hint = f'rename it to end in one of {known}, or "mitools load - < {path}" for JSON Lines'
        raise SourceError(f'cannot tell what "{path}" holds by its ending', hint=hint)
    return Part("<stdin>" if path == STDIN else path, _ROWS[ending](path))


def _ending(path: str) -> str:
    name = Path(path).name.lower()
    for packed in (".gz", ".zst"):
        name = name.removesuffix(packed)
    return Path(name).suffix  # "" for stdin, and for /dev/fd/63


def _bad_row(error: DataError, where: Where, text: str) -> Row:
    def fail() -> Record:
        raise error

    return Row(where, fail, partial(str, text))


# JSON


def _json_rows(path: str) -> Iterator[Row]:
    """Read a list of objects; or JSON Lines, which often go by this ending too."""
    with open_input(path) as stream, input_errors(path):
        first = next((line for line in stream if line.strip(b"\xef\xbb\xbf \t\r\n")), b"")
        if not first.lstrip(b"\xef\xbb\xbf \t").startswith(b"[") and _is_json(first):
            text = ""
        else:
            text = first.decode("utf-8-sig", "replace") + stream.read().decode("utf-8", "replace")
    if text.lstrip().startswith("["):
        yield from _array_rows(text, path)
    else:
        _refuse_single_object(text, path)
        yield from line_rows(path)


def _is_json(text: bytes) -> bool:
    try:
        json.loads(text.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return False
    return True


def _array_rows(text: str, path: str) -> Iterator[Row]:
    decoder = json.JSONDecoder()
    position, line = text.index("[") + 1, 1
    while True:
        start = position
        while text[position : position + 1] in _BETWEEN:
            position += 1
        line += text.count("\n", start, position)
        where = Where(path, line)
        if text.startswith("]", position):
            return
        try:
            _, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as exc:
            reason = exc.msg if isinstance(exc, json.JSONDecodeError) else str(exc)
            message = f"not valid JSON from here on ({reason})"
            raise SourceError(message, where=where, hint="check that the file is complete") from exc
        item = text[position:end]
        yield Row(where, partial(parse_line, item, where), partial(str, item))
        line += item.count("\n")
        position = end


_BETWEEN = frozenset(" \t\r\n,")


def _refuse_single_object(text: str, path: str) -> None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return  # then it is JSON Lines, and the line at fault is named
    if isinstance(value, dict):
        lists = [name for name, inner in value.items() if isinstance(inner, list)]
        name = lists[0] if lists else "FIELD"
        hint = f"pick the list in it: \"jq -c '.{name}[]' {path} | mitools load -\""
        raise SourceError(f"{path} holds one object, not a list of objects", hint=hint)


# CSV and TSV


def _csv_rows(path: str, delimiter: str) -> Iterator[Row]:
    csv.field_size_limit(_MAX_CELL_CHARACTERS)
    with open_input(path) as stream:
        lines = _Lines(stream, path)
        reader = csv.reader(lines, delimiter=delimiter, strict=True)
        try:
            header = _checked_header(next(reader, []), path)
        except csv.Error as exc:
            raise SourceError(f"cannot read the header of {path}: {exc}") from exc
        while True:
            where = lines.begin_row()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as exc:
                hint = 'write a quote inside quotes twice (""), and put quotes around a line break'
                error: DataError = MalformedLineError(str(exc), where=where, hint=hint)
                error.__cause__ = exc
                yield _bad_row(error, where, lines.row_text())
            except DataError as exc:
                yield _bad_row(exc, where, lines.row_text())
            else:
                if cells:
                    yield _csv_row(header, cells, where, lines.row_text())


class _Lines:
    """The lines of a file as text, remembering those of the current row.

    No generator: it must go on after the error of a line that is not UTF-8.
    """

    def __init__(self, stream: Iterable[bytes], path: str) -> None:
        self._stream = iter(stream)
        self._path = path
        self._number = 0
        self._row: list[bytes] = []

    def begin_row(self) -> Where:
        self._row.clear()
        return Where(self._path, self._number + 1)

    def row_text(self) -> str:
        return b"".join(self._row).decode("utf-8", "replace").rstrip("\r\n")

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        with input_errors(self._path):
            raw = next(self._stream)
        self._number += 1
        self._row.append(raw)
        try:
            return raw.decode("utf-8-sig" if self._number == 1 else "utf-8")
        except UnicodeDecodeError as exc:
            hint = f'convert the file: "iconv -f LATIN1 -t UTF-8 {self._path}"'
            where = Where(self._path, self._number)
            raise MalformedLineError("not UTF-8", where=where, hint=hint) from exc


def _csv_row(header: list[str], cells: list[str], where: Where, text: str) -> Row:
    if len(cells) != len(header):
        message = f"{len(cells)} cells where the header names {len(header)}"
        hint = "put quotes around a cell that holds the separator"
        return _bad_row(MalformedLineError(message, where=where, hint=hint), where, text)
    values = {name: cell or None for name, cell in zip(header, cells, strict=True)}
    return Row(where, partial(dict, values), partial(str, text))


def _checked_header(header: list[str], path: str) -> list[str]:
    names = [name.strip() for name in header]
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        problem = f'names "{doubled[0]}" twice' if doubled[0] else "has columns without a name"
        raise SourceError(f"the header of {path} {problem}", hint="mend its first line")
    return names


# Parquet


def _parquet_part(path: str) -> Part:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with open_input(path):  # a missing file is reported in the words of the other formats
        pass
    try:
        schema = pq.read_schema(path)
    except (pa.ArrowException, OSError) as exc:
        message = f"{path} is no Parquet file ({str(exc).splitlines()[0]})"
        raise SourceError(message, hint="check that it is complete") from exc
    classes = _classes(schema)
    return Part(path, _parquet_rows(path, classes), classes)


def _parquet_rows(path: str, classes: dict[str, tuple[str, ...]]) -> Iterator[Row]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024):
                for values in batch.to_pylist():
                    number += 1
                    yield table_row(values, Where(path, number), classes)
    except (pa.ArrowException, OSError) as exc:
        message = f"cannot read {path}: {str(exc).splitlines()[0]}"
        raise SourceError(message, hint="check that it is complete") from exc


def _classes(schema: Any) -> dict[str, tuple[str, ...]]:
    """Read the names of classes that ``datasets`` leaves in a file's metadata."""
    if b"huggingface" not in (schema.metadata or {}):
        return {}
    from mitools.sources.hub import class_names

    return class_names(schema)


_ROWS: dict[str, Callable[[str], Iterator[Row]]] = {
    "": line_rows,
    ".jsonl": line_rows,
    ".ndjson": line_rows,
    ".json": _json_rows,
    ".csv": partial(_csv_rows, delimiter=","),
    ".tsv": partial(_csv_rows, delimiter="\t"),
}

ENDINGS = tuple(sorted([*filter(None, _ROWS), ".parquet"]))
