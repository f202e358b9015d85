"""Reading and writing records as JSON Lines.

A record is one JSON object on one line and a plain ``dict`` in memory. Fields that the schema does
not know pass through untouched. Everything that turns bytes into records, or records into bytes,
is here or in :mod:`mitools.files`; nothing here knows a stage.
"""

from __future__ import annotations

import hashlib
import json
import math
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import IO, Any

import jsonlines

from mitools.errors import (
    DataError,
    EmptyInputError,
    MalformedLineError,
    MissingFieldError,
    Where,
)
from mitools.files import STDIN, input_errors, open_input
from mitools.schema import Record, get_path, json_type, validate

__all__ = [
    "Reader",
    "Record",
    "Rejected",
    "Row",
    "Writer",
    "content_id",
    "dump_line",
    "line_rows",
    "parse_line",
]


def content_id(record: Mapping[str, Any]) -> str:
    """Derive an id from what the example says: 16 hexadecimal digits, stable under reordering."""
    names = ("input", "label", "choices", "rationale", "group")
    content = {name: record[name] for name in names if record.get(name) is not None}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def _reject_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")


def _parse_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"{text} is too large a number")
    return value


_DECODER = json.JSONDecoder(parse_constant=_reject_constant, parse_float=_parse_float)
_ENCODER = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(", ", ": "))


def dump_line(record: Mapping[str, Any]) -> str:
    """Render a record as one line of JSON, without the newline.

    Lone surrogates, which UTF-8 cannot hold, stay escaped as they came.
    """
    text = _ENCODER.encode(record)
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError:
            return json.dumps(record, allow_nan=False)
    return text


def parse_line(text: str, where: Where | None = None) -> Record:
    """Parse one line into a record, without validating its fields.

    Raises:
        MalformedLineError: not JSON, not an object, or a NaN or infinity.
    """
    try:
        value = _DECODER.decode(text)
    except (ValueError, RecursionError) as exc:
        reason = exc.msg if isinstance(exc, json.JSONDecodeError) else str(exc)
        hint = 'mend the line, or go on without it: "--on-error skip" or "--on-error divert:FILE"'
        raise MalformedLineError(f"not valid JSON ({reason})", where=where, hint=hint) from exc
    if not isinstance(value, dict):
        message = f"a record must be an object, not {json_type(value)}"
        raise MalformedLineError(message, where=where, hint="put one JSON object on each line")
    return value


@dataclass(frozen=True)
class Rejected:
    """A line that was not passed on: what was wrong with it, and its text."""

    error: DataError
    text: str


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a file, or row of a table, on its way to become a record.

    Attributes:
        where: its place in the input.
        parse: gives the object in it, or raises :class:`DataError`.
        text: gives it as it came, for whoever has to mend it.
    """

    where: Where
    parse: Callable[[], Record]
    text: Callable[[], str]


@dataclass
class Reader:
    """Read records from files, one after the other; an empty list of files means stdin.

    Blank lines are passed over. Every record has been validated, has an ``id`` and holds each
    needed field with a value that is not null. Input without any such record raises
    :class:`EmptyInputError`.

    Attributes:
        needs: dotted paths that must be present; ``label|teacher.label`` means either.
        on_reject: called with each bad line; without it the first bad line raises.
        hints: what to type next when a needed field is missing, by its path.
        count: records delivered so far.
        rejected: bad lines so far.
    """

    paths: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    on_reject: Callable[[Rejected], None] | None = None
    hints: Mapping[str, str] = field(default_factory=dict)
    count: int = 0
    rejected: int = 0
    _derived: dict[str, int] = field(default_factory=dict, repr=False)

    def __iter__(self) -> Iterator[Record]:
        for path in self.paths or (STDIN,):
            yield from self.admit(line_rows(path))
        self.check_not_empty(self.paths or (STDIN,))

    def admit(
        self, rows: Iterable[Row], convert: Callable[[Record, Where], Record] | None = None
    ) -> Iterator[Record]:
        """Let in rows from anywhere under this reader's rules; count them and give them ids.

        Args:
            rows: lines of a file, or rows of a table.
            convert: makes a record of a row's object before it is validated, or raises
                :class:`DataError`.
        """
        for row in rows:
            try:
                record = row.parse()
                if convert is not None:
                    record = convert(record, row.where)
                validate(record, row.where)
                self._require(record, row.where)
            except DataError as exc:
                if self.on_reject is None:
                    raise
                self.rejected += 1
                self.on_reject(Rejected(exc, row.text()))
                continue
            if "id" not in record:
                record = {"id": self._derive_id(record), **record}
            self.count += 1
            yield record

    def check_not_empty(self, names: Iterable[str]) -> None:
        """Raise :class:`EmptyInputError` where none of these inputs held a record."""
        if not self.count:
            text = " ".join(map(_shown, names))
            lost = f"none of its {self.rejected:,} lines is usable"
            hint = "look at what the stage before it wrote"
            raise EmptyInputError(f"{text}: {lost if self.rejected else 'no records'}", hint=hint)

    def _require(self, record: Record, where: Where) -> None:
        for need in self.needs:
            if all(get_path(record, path) is None for path in need.split("|")):
                name = " or ".join(f'"{path}"' for path in need.split("|"))
                hint = self.hints.get(need, "")
                raise MissingFieldError(f"field {name} is missing", where=where, hint=hint)

    def _derive_id(self, record: Record) -> str:
        base = content_id(record)
        seen = self._derived.get(base, 0) + 1
        self._derived[base] = seen
        return base if seen == 1 else f"{base}-{seen}"


def line_rows(path: str) -> Iterator[Row]:
    """Give each line of a file of JSON Lines that is not blank; ``-`` is stdin.

    Raises:
        SourceError: the file is missing, or damaged.
    """
    name = _shown(path)
    with open_input(path) as stream, input_errors(name):
        for number, raw in enumerate(stream, start=1):
            if raw.removeprefix(BOM_UTF8).strip():
                where = Where(name, number)
                yield Row(where, partial(_parse_bytes, raw, where), partial(_as_text, raw))


def _parse_bytes(raw: bytes, where: Where) -> Record:
    return parse_line(_decode(raw, where), where)


def _as_text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace").rstrip("\n")


def _shown(path: str) -> str:
    return "<stdin>" if path == STDIN else path


def _decode(raw: bytes, where: Where) -> str:
    try:
        return raw.decode("utf-8-sig" if where.line == 1 else "utf-8")
    except UnicodeDecodeError as exc:
        hint = f'convert the file: "iconv -f LATIN1 -t UTF-8 {where.path}"'
        message = f"not UTF-8 (byte {exc.start + 1} of the line)"
        raise MalformedLineError(message, where=where, hint=hint) from exc


class Writer:
    """Write records to an open text stream, one a line, each flushed as soon as it is written."""

    def __init__(self, stream: IO[str], *, flush: bool = True) -> None:
        self.count = 0
        self._stream = stream
        self._flushes = flush
        self._writer = jsonlines.Writer(stream, dumps=dump_line)

    def write(self, record: Record) -> None:
        self.write_batch((record,))

    def write_all(self, records: Iterable[Record]) -> None:
        for record in records:
            self.write(record)

    def write_batch(self, records: Sequence[Record]) -> None:
        """Write records that are all there already, and flush once."""
        self._writer.write_all(records)
        self.count += len(records)
        if self._flushes:
            self._stream.flush()
