"""Reading and writing records as JSON Lines.

A record is one JSON object on one line and a plain ``dict`` in memory. Fields that the schema does
not know pass through untouched. The code that turns bytes into records,
and records into bytes, is here and in :mod:`mitools.lines`; it does not depend on any stage.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import IO, Any

import jsonlines

from mitools.bounds import DEFAULTS, Bounds
from mitools.errors import (
    DataError,
    EmptyInputError,
    InvalidFieldError,
    MissingFieldError,
    MitoolsError,
    UsageError,
    Where,
)
from mitools.files import STDIN, STDOUT, atomic_output
from mitools.lines import Row, line_rows, parse_line
from mitools.schema import Record, get_path, validate

__all__ = [
    "Reader",
    "Record",
    "Reject",
    "Rejected",
    "Row",
    "Writer",
    "as_fault",
    "content_id",
    "count_records",
    "dump_line",
    "line_rows",
    "parse_line",
    "raise_fault",
    "read_records",
    "student_text",
    "write_records",
]


def content_id(record: Mapping[str, Any]) -> str:
    """Derive an id from the content of a record: 16 hexadecimal digits, the same in any order."""
    names = ("input", "label", "choices", "rationale", "group")
    content = {name: record[name] for name in names if record.get(name) is not None}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def student_text(record: Mapping[str, Any]) -> str:
    """Return what a student reads of a record, without a task prefix.

    It is the record's ``input`` and nothing else: what a student shall know of choices, a
    hypothesis or a context is put into the input by ``load``. Sent as the user message to a served
    student, it asks as ``eval`` does. Half a surrogate pair, which UTF-8 cannot hold, becomes a
    question mark.
    """
    text: str = record["input"]
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(", ", ": "))


def dump_line(record: Mapping[str, Any]) -> str:
    """Render a record as one line of JSON, without the newline.

    Lone surrogates, which UTF-8 cannot hold, stay escaped.
    """
    text = _ENCODER.encode(record)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return json.dumps(record, allow_nan=False)
    return text


class _Read(dict[str, Any]):
    """A record with its place in the input; a copy of it loses that.

    Attributes:
        where: its place in the input.
        row: the row it was made of; None if rejected lines are not kept.
    """

    __slots__ = ("row", "where")
    where: Where
    row: Row | None


@dataclass(frozen=True)
class Rejected:
    """A line that was rejected, and the error.

    Attributes:
        line: unchanged, without the line break; text if it did not come from bytes.
        rest: yields the bytes behind ``line``, if the line is longer than the bound.
    """

    error: DataError
    line: str | bytes
    rest: Iterator[bytes] | None = None

    @property
    def text(self) -> str:
        """The line as text; bytes that are not UTF-8 are replaced."""
        return self.line if isinstance(self.line, str) else self.line.decode("utf-8", "replace")


def as_fault(record: Record, error: Exception, where: Where | None = None) -> DataError:
    """Turn an error that a record caused into a :class:`DataError` with its place in the input.

    Raises:
        MitoolsError: ``error`` itself, if the record did not cause it.
    """
    where = where or getattr(record, "where", None)
    if isinstance(error, DataError):
        if error.where is None:
            error.where = where
        return error
    if isinstance(error, MitoolsError | OSError):
        raise error
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    hint = 'fix the record, or continue without it: "--on-error skip" or "--on-error divert:FILE"'
    name = f'record "{record["id"]}"' if where is None and "id" in record else "this record"
    fault = InvalidFieldError(f"{name} cannot be processed ({text})", where=where, hint=hint)
    fault.__cause__ = error
    return fault


Reject = Callable[[Record, Exception], None]
"""Handle a record whose processing failed: continue without it, or raise."""


def raise_fault(record: Record, error: Exception) -> None:
    """Raise for a record that failed, and name it."""
    raise as_fault(record, error) from error


@dataclass
class Reader:
    """Read records from files, one after the other; an empty list of files means stdin.

    Blank lines are skipped. Every record is valid, has an ``id`` and a value other than null in
    each needed field. Input without any such record raises
    :class:`EmptyInputError`.

    Attributes:
        needs: dotted paths that must be present; ``label|teacher.label`` means either.
        on_reject: called with each invalid line; without it the first one raises.
        hints: what to type next when a needed field is missing, by its path.
        bounds: limits on one line.
        count: records delivered so far.
        rejected: invalid lines so far.
    """

    paths: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    on_reject: Callable[[Rejected], None] | None = None
    hints: Mapping[str, str] = field(default_factory=dict)
    bounds: Bounds = DEFAULTS
    count: int = 0
    rejected: int = 0
    _derived: dict[str, int] = field(default_factory=dict, repr=False)
    _paths: dict[str, list[str]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._paths = {need: need.split("|") for need in self.needs}

    def __iter__(self) -> Iterator[Record]:
        for path in self.paths or (STDIN,):
            yield from self.admit(line_rows(path, self.bounds))
        self.check_not_empty(self.paths or (STDIN,))

    def admit(
        self, rows: Iterable[Row], convert: Callable[[Record, Where], Record] | None = None
    ) -> Iterator[Record]:
        """Turn rows of any source into records by this reader's rules; count them and add ids.

        Args:
            rows: lines of a file, or rows of a table.
            convert: makes a record of a row's object before it is validated, or raises
                :class:`DataError`.
        """
        for row in rows:
            try:
                record = self._made_of(row, convert)
            except DataError as exc:
                self._count_out(exc, row)
                continue
            self.count += 1
            yield record

    def admit_objects(self, records: Iterable[Record]) -> Iterator[Record]:
        """Turn records that a program made into records by this reader's rules.

        One that was read from a file keeps its place there.
        """
        return self.admit(
            Row(
                record.where if isinstance(record, _Read) else Where("record", number),
                partial(dict, record),
                partial(dump_line, record),
            )
            for number, record in enumerate(records, start=1)
        )

    def _made_of(self, row: Row, convert: Callable[[Record, Where], Record] | None) -> Record:
        where = row.where
        try:
            values = row.parse()
            if convert is not None:
                values = convert(values, where)
            validate(values, where)
            self._require(values, where)
            if "id" not in values:
                values = {"id": self._derive_id(values), **values}
        except DataError:
            raise
        except Exception as exc:  # any failure here is the fault of this line
            raise as_fault({}, exc, where) from exc
        record = _Read(values)
        record.where, record.row = where, row if self.on_reject else None
        return record

    def reject(self, record: Record, error: Exception) -> None:
        """Reject a record that was already delivered.

        Args:
            record: the object that this reader yielded, not a copy.
            error: the error that processing it raised.

        Raises:
            DataError: invalid lines stop the stage.
            MitoolsError, OSError: ``error`` itself, if the record did not cause it.
        """
        fault = as_fault(record, error)
        self.count -= 1
        row = getattr(record, "row", None)
        self._count_out(fault, row or Row(Where(""), dict, lambda: dump_line(record)))

    def _count_out(self, error: DataError, row: Row) -> None:
        if self.on_reject is None:
            raise error
        self.rejected += 1
        self.on_reject(Rejected(error, row.line(), row.rest))

    def check_not_empty(self, names: Iterable[str]) -> None:
        """Raise :class:`EmptyInputError` if none of these inputs held a record."""
        if not self.count:
            text = " ".join(map(_shown, names))
            lost = f"none of its {self.rejected:,} lines is usable"
            hint = "check the output of the previous stage"
            raise EmptyInputError(f"{text}: {lost if self.rejected else 'no records'}", hint=hint)

    def _require(self, record: Record, where: Where) -> None:
        for need, paths in self._paths.items():
            for path in paths:
                value = get_path(record, path) if "." in path else record.get(path)
                if value is not None:
                    break
            else:
                name = " or ".join(f'"{path}"' for path in paths)
                hint = self.hints.get(need, "")
                raise MissingFieldError(f"field {name} is missing", where=where, hint=hint)

    def _derive_id(self, record: Record) -> str:
        base = content_id(record)
        seen = self._derived.get(base, 0) + 1
        self._derived[base] = seen
        return base if seen == 1 else f"{base}-{seen}"


def _shown(path: str) -> str:
    return "<stdin>" if path == STDIN else path


_MAX_COUNTED_BYTES = 2**27


def count_records(
    paths: Iterable[str], wanted: Callable[[Record], bool] | None = None
) -> int | None:
    """Count the lines of files that may be records.

    Args:
        paths: JSON Lines files.
        wanted: selects the records to count; by default every line that is not blank counts.

    Returns:
        None if it would take long, or is not possible: a pipe, a packed or a large file.
    """
    names = list(paths)
    try:
        found = [os.stat(name) for name in names]
    except OSError:  # a pipe, or a missing file, which its reader reports
        return None
    is_plain = all(stat.S_ISREG(one.st_mode) for one in found)
    is_packed = any(name.endswith((".gz", ".zst")) for name in names)
    if not is_plain or is_packed or sum(one.st_size for one in found) > _MAX_COUNTED_BYTES:
        return None
    return sum(_is_wanted(row, wanted) for name in names for row in line_rows(name))


def _is_wanted(row: Row, wanted: Callable[[Record], bool] | None) -> bool:
    if wanted is None:
        return True
    try:
        return wanted(row.parse())
    except DataError:  # its reader reports it
        return False


class Writer:
    """Write records to an open text stream, one a line, each flushed as soon as it is written."""

    def __init__(self, stream: IO[str], *, flush: bool = True) -> None:
        self.count = 0
        self._stream = stream
        self._flushes = flush
        self._writer = jsonlines.Writer(stream, dumps=dump_line)

    def write(self, record: Record) -> None:
        self._writer.write(record)
        self.count += 1
        if self._flushes:
            self._stream.flush()

    def write_all(self, records: Iterable[Record]) -> None:
        for record in records:
            self.write(record)

    def write_batch(self, records: Sequence[Record]) -> None:
        """Write a batch of records, and flush once."""
        self._writer.write_all(records)
        self.count += len(records)
        if self._flushes:
            self._stream.flush()


def read_records(*paths: str | os.PathLike[str], needs: Iterable[str] = ()) -> Iterator[Record]:
    """Read the records of JSON Lines files, one file after the other.

    Args:
        paths: the files; ``.gz`` and ``.zst`` are unpacked, ``-`` is stdin.
        needs: fields that every record must have, as dotted paths; ``label|teacher.label`` means
            either.

    Yields:
        Validated records; one without an ``id`` gets one, derived from its content.

    Raises:
        UsageError: no file is named.
        SourceError: a file is missing or damaged.
        DataError: a line is not a record, a field is missing, or the input has no records.
    """
    if not paths:
        raise UsageError("no file to read", hint='name one; "-" is stdin')
    return iter(Reader(tuple(os.fspath(path) for path in paths), tuple(needs)))


def write_records(path: str | os.PathLike[str], records: Iterable[Record]) -> int:
    """Write records to a JSON Lines file, which appears when all of them are written.

    Args:
        path: the file; ``.gz`` and ``.zst`` are packed. It may be one that ``records`` are read
            from.

    Returns:
        How many records were written.

    Raises:
        UsageError: ``path`` is ``-``.
        OutputError: the file cannot be written.
    """
    if os.fspath(path) == STDOUT:
        raise UsageError("records can only be written to a file", hint="name one")
    with atomic_output(path) as stream:
        writer = Writer(stream, flush=False)
        writer.write_all(records)
    return writer.count
