"""Lines of JSON as rows: limited in length, decoded, parsed strictly.

The checks that need one line only, and not the meaning of its fields, are here.
:mod:`mitools.records` decides what a record is.
"""

from __future__ import annotations

import json
import math
import shlex
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from functools import partial
from typing import IO, Any, NamedTuple

from mitools.bounds import DEFAULTS, Bounds
from mitools.errors import MalformedLineError, Where
from mitools.files import STDIN, input_errors, open_input
from mitools.schema import Record, json_type

__all__ = ["Row", "cut_lines", "is_blank", "line_rows", "long_row", "parse_line", "too_long"]

_PIECE_BYTES = 3 * 2**16  # a multiple of 3: base64 of the pieces is that of the whole

_OF_LOAD = (".csv", ".tsv", ".json", ".parquet", ".arrow", ".feather", ".xlsx")
"""Endings of data sets that are not JSON Lines."""

_PACKED = {b"\x1f\x8b": ("gzip", ".gz"), b"\x28\xb5\x2f\xfd": ("zstd", ".zst")}
"""The program that packed a file and its ending, by the first bytes."""

_STDIN_NAME = "<stdin>"

_CONTINUE = 'or continue without it: "--on-error skip" or "--on-error divert:FILE"'


class Row(NamedTuple):
    """One line of a file, or one row of a table, before it becomes a record.

    Attributes:
        where: its place in the input.
        parse: returns the object in it, or raises :class:`~mitools.errors.DataError`.
        line: returns it unchanged, without the line break; bytes if it came from bytes.
        rest: yields the bytes behind ``line``, if the line is longer than the bound, until the
            next row is taken; else None.
    """

    where: Where
    parse: Callable[[], Record]
    line: Callable[[], str | bytes]
    rest: Iterator[bytes] | None = None


def line_rows(path: str, bounds: Bounds = DEFAULTS) -> Iterator[Row]:
    """Yield each line of a JSON Lines file that is not blank; ``-`` is stdin.

    A line that is longer than the bound is never held in memory as a whole: it becomes a row that
    cannot be parsed, and its rest is skipped.

    Raises:
        SourceError: the file is missing, or damaged.
    """
    name = _STDIN_NAME if path == STDIN else path
    with open_input(path) as stream, input_errors(name):
        for number, (raw, rest) in enumerate(cut_lines(stream, bounds), start=1):
            where = Where(name, number)
            if rest is not None:
                yield long_row(raw, rest, where, bounds)
            elif not is_blank(raw):
                parse = partial(_parse_bytes, raw, where, bounds)
                yield Row(where, parse, partial(raw.removesuffix, b"\n"))


def cut_lines(
    stream: IO[bytes], bounds: Bounds = DEFAULTS
) -> Iterator[tuple[bytes, Iterator[bytes] | None]]:
    """Split a stream into lines without holding one that is longer than the bound.

    Yields:
        A line with its line break, and None; or the start of a line that is too long, and an
        iterator over its rest, usable until the next line is taken.
    """
    most = bounds.line_bytes + 1  # with its line break
    for raw in iter(partial(stream.readline, most), b""):
        if len(raw) < most or raw.endswith(b"\n"):
            yield raw, None
        else:
            rest = _rest_of_line(stream)
            yield raw, rest
            for _ in rest:  # skip what was not taken
                pass


def long_row(raw: bytes, rest: Iterator[bytes], where: Where, bounds: Bounds) -> Row:
    """Make a row of a line that is longer than the bound: it can only be diverted."""
    return Row(where, partial(_fail_as_too_long, where, bounds), partial(bytes, raw), rest)


def is_blank(raw: bytes) -> bool:
    """Return whether a line holds only white space or a byte order mark."""
    return raw.isspace() or (raw.startswith(BOM_UTF8) and not raw.removeprefix(BOM_UTF8).strip())


def _rest_of_line(stream: IO[bytes]) -> Iterator[bytes]:
    while piece := stream.readline(_PIECE_BYTES):
        yield piece.removesuffix(b"\n")
        if piece.endswith(b"\n"):
            return


def _fail_as_too_long(where: Where, bounds: Bounds) -> Record:
    raise too_long(where, bounds)


def too_long(where: Where, bounds: Bounds) -> MalformedLineError:
    hint = f'raise the bound with "--max-line-bytes SIZE", {_CONTINUE}'
    message = f"the line is longer than {bounds.line_bytes:,} bytes"
    return MalformedLineError(message, where=where, hint=hint)


def _parse_bytes(raw: bytes, where: Where, bounds: Bounds) -> Record:
    try:
        return _parse_text(raw, where, bounds)
    except MalformedLineError as exc:
        name = str(where.path).removesuffix(".gz").removesuffix(".zst").lower()
        if where.line == 1 and name.endswith(_OF_LOAD):
            command = f"mitools load {shlex.quote(where.path)}"
            exc.hint = f'turn it into records first: "{command}"'
        raise


def _parse_text(raw: bytes, where: Where, bounds: Bounds) -> Record:
    try:
        text = raw.decode("utf-8-sig" if where.line == 1 else "utf-8")
    except UnicodeDecodeError as exc:
        raise _not_text(raw, where, exc.start + 1) from exc
    return parse_line(text, where, bounds)


def _not_text(raw: bytes, where: Where, byte: int) -> MalformedLineError:
    for magic, (program, ending) in _PACKED.items():
        if where.line == 1 and raw.startswith(magic):
            message = f"the input is packed with {program}"
            hint = _unpack_hint(where.path, program, ending)
            return MalformedLineError(message, where=where, hint=hint)
    convert = "iconv -f LATIN1 -t UTF-8"
    hint = f'convert the file: "{convert} {shlex.quote(where.path)}"'
    if where.path == _STDIN_NAME:
        hint = f'convert the input: "{convert} | mitools …"'
    return MalformedLineError(f"not UTF-8 (byte {byte} of the line)", where=where, hint=hint)


def _unpack_hint(path: str, program: str, ending: str) -> str:
    if path == _STDIN_NAME:
        return f'unpack it first: "{program} -dc FILE | mitools …"'
    if path.lower().endswith((".gz", ".zst")):
        return "unpack it first: it was packed twice"
    # Without its ending, gzip takes a file from stdin only.
    command = f"{program} -dc < {shlex.quote(path)} | mitools …"
    return f'rename it to "{path}{ending}", or unpack it: "{command}"'


class _UnfitError(ValueError):
    """Valid JSON that a record may not hold."""


def _reject_constant(name: str) -> float:
    raise _UnfitError(f"{name} is not a JSON number")


def _parse_float(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise _UnfitError(f"{_short(text)} is too large a number")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in fields if names.count(name) > 1)
        raise _UnfitError(f"the key {_short(json.dumps(twice))} appears twice in one object")
    return fields


def _short(text: str, characters: int = 60) -> str:
    return text if len(text) <= characters else f"{text[: characters - 1]}…"


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_constant=_reject_constant, parse_float=_parse_float
)


# The part of the decoder that does not search for white space around the value.
_SCAN: Callable[[str, int], tuple[Any, int]] = _DECODER.scan_once  # type: ignore[attr-defined]


def _decode(text: str) -> Any:
    # Nearly every line is an object and a line break.
    if text.startswith("{"):
        try:
            value, end = _SCAN(text, 0)
        except StopIteration:
            pass  # the decoder raises the error with its message
        else:
            if text[end:] in ("", "\n", "\r\n"):
                return value
    return _DECODER.decode(text)


def parse_line(text: str, where: Where | None = None, bounds: Bounds = DEFAULTS) -> Record:
    """Parse one line into a record, without validating its fields.

    Raises:
        MalformedLineError: not JSON, not an object, a key that appears twice, a NaN or an infinity,
            nesting or a number beyond the bounds.
    """
    try:
        value = _decode(text)
    except (ValueError, RecursionError) as exc:
        raise _malformed(exc, where, bounds) from exc
    if not isinstance(value, dict):
        message = f"a record must be an object, not {json_type(value)}"
        raise MalformedLineError(message, where=where, hint="put one JSON object on each line")
    # Counting is fast, and nearly every line has fewer brackets than the limit has levels.
    if text.count("{") + text.count("[") > bounds.depth and _is_deeper(value, bounds.depth):
        raise _too_deep(where, bounds)
    return value


def _malformed(
    error: ValueError | RecursionError, where: Where | None, bounds: Bounds
) -> MalformedLineError:
    if isinstance(error, RecursionError):
        return _too_deep(where, bounds)
    hint = f"fix the line, {_CONTINUE}"
    if isinstance(error, json.JSONDecodeError | _UnfitError):
        reason = error.msg if isinstance(error, json.JSONDecodeError) else str(error)
        if reason.startswith("NaN "):
            hint = f'write null for it, as "jq -c . FILE" does, {_CONTINUE}'
    else:  # Python's own message names a Python function
        reason = "a number has too many digits"
        hint = f'raise the bound with "--max-digits N", {_CONTINUE}'
    return MalformedLineError(f"not valid JSON ({reason})", where=where, hint=hint)


def _too_deep(where: Where | None, bounds: Bounds) -> MalformedLineError:
    hint = f'raise the bound with "--max-depth N", {_CONTINUE}'
    message = f"nested deeper than {bounds.depth} levels"
    return MalformedLineError(message, where=where, hint=hint)


def _is_deeper(value: Any, levels: int) -> bool:
    """Return whether lists and objects are nested deeper than ``levels``."""
    level = [value]
    for _ in range(levels):
        inner = (one.values() if isinstance(one, dict) else one for one in level)
        level = [item for items in inner for item in items if isinstance(item, dict | list)]
        if not level:
            return False
    return True
