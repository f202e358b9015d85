"""The record: its schema, its validator, and reading and writing it as JSON Lines.

A record is one JSON object on one line and a plain ``dict`` in memory. Fields that the schema does
not know pass through untouched. Everything that turns bytes into records, or records into bytes,
is here or in :mod:`mitools.files`; nothing here knows a stage.
"""

from __future__ import annotations

import hashlib
import json
import math
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import IO, Any, Literal

import jsonlines

from mitools.errors import (
    DataError,
    EmptyInputError,
    InvalidFieldError,
    MalformedLineError,
    MissingFieldError,
    Where,
)
from mitools.files import STDIN, input_errors, open_input

__all__ = [
    "SCHEMA",
    "SPLITS",
    "TASKS",
    "Field",
    "Reader",
    "Record",
    "Rejected",
    "Row",
    "Writer",
    "content_id",
    "dump_line",
    "get_path",
    "json_schema",
    "line_rows",
    "parse_line",
    "validate",
]

Record = dict[str, Any]

SPLITS = ("train", "valid", "test")
TASKS = ("choice", "labels", "equation", "text")


@dataclass(frozen=True)
class Field:
    """One field of a record, or of an object inside it.

    Attributes:
        kind: the JSON type; ``strings`` is a list of strings, ``numbers`` an object of numbers.
        about: what it means, for people.
        writer: the stage that writes it.
        nullable: whether null is allowed.
        values: the only strings allowed, where they are few.
        fields: what an ``object``, or each element of ``objects``, may hold (and more).
    """

    name: str
    kind: Literal["string", "number", "boolean", "strings", "numbers", "object", "objects"]
    about: str
    writer: str = ""
    nullable: bool = False
    values: tuple[str, ...] = ()
    fields: tuple[Field, ...] = ()


_ERROR = Field("error", "object", "why there is no answer: kind and message", nullable=True)

_TEACHER = (
    Field("label", "string", "the teacher's answer", nullable=True),
    Field("rationale", "string", "why, in the teacher's words", nullable=True),
    Field("agrees", "boolean", "whether the label equals gold; null where unknown", nullable=True),
    Field("samples", "objects", "every answer drawn, in order"),
    Field("model", "string", "the model that answered"),
    Field("prompt", "string", "hash of the effective prompt"),
    Field("usage", "object", "tokens, as the server counted them", nullable=True),
    _ERROR,
)

_STUDENT = (
    Field("label", "string", "the student's answer", nullable=True),
    Field("rationale", "string", "why, in the student's words", nullable=True),
    Field("confidence", "number", "probability of the answer, 0 to 1", nullable=True),
    Field("choices", "numbers", "probability by choice; they add up to 1"),
    Field("in_set_mass", "number", "probability of the choices out of all texts", nullable=True),
    Field(
        "log_prob", "number", "natural log of the probability of the label's text", nullable=True
    ),
    Field(
        "decoded", "string", "the label that decoding gives beside scored choices", nullable=True
    ),
    Field(
        "label_truncated", "boolean", "whether the label ran into the length limit", nullable=True
    ),
    Field("rationale_truncated", "boolean", "whether the rationale ran into it", nullable=True),
    Field("model", "string", "the student that answered", nullable=True),
)

SCHEMA: tuple[Field, ...] = (
    Field("id", "string", "unique; derived from the content where missing", "load"),
    Field("input", "string", "what the student reads, without a task prefix", "load"),
    Field("label", "string", "gold answer; null where unknown", "load", nullable=True),
    Field("task", "string", "how labels are read and compared", "load", values=TASKS),
    Field("choices", "strings", "the possible answers of this example", "load", nullable=True),
    Field("rationale", "string", "a human rationale", "load", nullable=True),
    Field("group", "string", "records of one group stay in one split", "load", nullable=True),
    Field("teacher", "object", "the teacher's answer", "annotate", nullable=True, fields=_TEACHER),
    Field("split", "string", "which part it belongs to", "split", nullable=True, values=SPLITS),
    Field("student", "object", "the student's answer", "eval", nullable=True, fields=_STUDENT),
    Field("scores", "object", "verdicts on this record", "eval", nullable=True),
)


def json_schema() -> dict[str, Any]:
    """Render :data:`SCHEMA` as JSON Schema, draft 2020-12 (``mitools schema`` prints it)."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "mitools record",
        "type": "object",
        "properties": {item.name: _json_schema_of(item) for item in SCHEMA},
        "additionalProperties": True,
    }


def _json_schema_of(item: Field) -> dict[str, Any]:
    inner: dict[str, Any] = {"type": "object"}
    if item.fields:
        inner["properties"] = {sub.name: _json_schema_of(sub) for sub in item.fields}
    shapes: dict[str, dict[str, Any]] = {
        "strings": {"type": "array", "items": {"type": "string"}},
        "numbers": {"type": "object", "additionalProperties": {"type": "number"}},
        "object": inner,
        "objects": {"type": "array", "items": inner},
    }
    shape = shapes.get(item.kind, {"type": item.kind})
    if item.values:
        shape = {**shape, "enum": [*item.values, None] if item.nullable else list(item.values)}
    if item.nullable:
        shape = {**shape, "type": [shape["type"], "null"]}
    if item.writer:
        shape = {**shape, "x-written-by": item.writer}
    return {"description": item.about, **shape}


def validate(record: Record, where: Where | None = None) -> None:
    """Raise :class:`InvalidFieldError` where a known field has a wrong type or value."""
    _validate_fields(record, SCHEMA, "", where)


def _validate_fields(
    value: Mapping[str, Any], fields: tuple[Field, ...], prefix: str, where: Where | None
) -> None:
    for item in fields:
        if item.name not in value:
            continue
        found = value[item.name]
        if found is None and item.nullable:
            continue
        problem = _problem(found, item)
        if problem:
            raise InvalidFieldError(f'field "{prefix}{item.name}" {problem}', where=where)
        if item.fields:
            for inner in found if item.kind == "objects" else (found,):
                _validate_fields(inner, item.fields, f"{prefix}{item.name}.", where)


_CHECKS: dict[str, tuple[str, Callable[[Any], bool]]] = {
    "string": ("a string", lambda v: isinstance(v, str)),
    "number": ("a number", lambda v: _is_number(v)),
    "boolean": ("true or false", lambda v: isinstance(v, bool)),
    "strings": ("a list of strings", lambda v: _is_list_of(v, str)),
    "numbers": (
        "an object of numbers",
        lambda v: isinstance(v, dict) and all(map(_is_number, v.values())),
    ),
    "object": ("an object", lambda v: isinstance(v, dict)),
    "objects": ("a list of objects", lambda v: _is_list_of(v, dict)),
}


def _problem(value: Any, item: Field) -> str:
    name, is_ok = _CHECKS[item.kind]
    if not is_ok(value):
        return f"must be {name}{' or null' if item.nullable else ''}, not {_json_type(value)}"
    if item.values and value not in item.values:
        return f"must be one of {', '.join(item.values)}, not {json.dumps(value)}"
    return ""


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_list_of(value: Any, kind: type) -> bool:
    return isinstance(value, list) and all(isinstance(element, kind) for element in value)


def _json_type(value: Any) -> str:
    names: dict[type, str] = {
        type(None): "null",
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a string",
        list: "a list",
        dict: "an object",
    }
    return names.get(type(value), type(value).__name__)


def get_path(record: Mapping[str, Any], path: str) -> Any:
    """Look up a dotted path such as ``teacher.label``; None where any part of it is absent."""
    value: Any = record
    for name in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(name)
    return value


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
        message = f"a record must be an object, not {_json_type(value)}"
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
        self._writer = jsonlines.Writer(stream, dumps=dump_line, flush=flush)

    def write(self, record: Record) -> None:
        self._writer.write(record)
        self.count += 1

    def write_all(self, records: Iterable[Record]) -> None:
        for record in records:
            self.write(record)
