"""JSON and JSON Lines as rows: objects in lists, one after another, or one per line."""

from __future__ import annotations

import itertools
import json
import re
import shlex
from collections.abc import Iterator
from functools import partial

from mitools.bounds import DEFAULTS, Bounds
from mitools.errors import SourceError, Where
from mitools.files import STDIN
from mitools.lines import Row, cut_lines, is_blank, long_row, parse_line
from mitools.records import Record
from mitools.sources.json_shape import command_for_list, command_for_rows
from mitools.sources.opening import Text, open_text
from mitools.sources.options import LoadOptions

__all__ = ["json_rows", "line_rows"]

_PIECE_BYTES = 2**20
_SPACE = b"\xef\xbb\xbf \t\r\n"
_GAP = re.compile(r"[ \t\r\n]*")
_BETWEEN = re.compile(r"[ \t\r\n,]*")


def line_rows(path: str, encoding: str | None = None, bounds: Bounds = DEFAULTS) -> Iterator[Row]:
    """Yield each line of a file of JSON Lines that is not blank; ``-`` is stdin.

    Raises:
        SourceError: the file is missing, damaged, or has another format.
    """
    with open_text(path, "jsonl", encoding) as text:
        _check_lines(text, path)
        yield from _rows_of_lines(text, enumerate(cut_lines(text.stream, bounds), 1), bounds)


NumberedLine = tuple[int, tuple[bytes, Iterator[bytes] | None]]
Lines = Iterator[NumberedLine]
FilledLines = Iterator[tuple[int, bytes, Iterator[bytes] | None]]


def _rows_of_lines(text: Text, lines: Lines, bounds: Bounds) -> Iterator[Row]:
    for number, (raw, rest) in lines:
        where = Where(text.name, number)
        if rest is not None:
            yield long_row(raw, rest, where, bounds)
        elif not is_blank(raw):
            parse = partial(_parse, text, raw, where, bounds)
            yield Row(where, parse, partial(raw.removesuffix, b"\n"))


def _parse(text: Text, raw: bytes, where: Where, bounds: Bounds) -> Record:
    return parse_line(text.decoded(raw, where.line or 1), where, bounds)


def _check_lines(text: Text, path: str) -> None:
    """Refuse a file without any line that can be an object."""
    head = text.head.decode(text.encoding, "replace")
    lines = [line.strip("\ufeff \t\r") for line in head.split("\n")]
    lines = [line for line in lines if line]
    if lines and lines[0].startswith("["):
        message = f"{text.name} holds a JSON list, not JSON Lines"
        raise SourceError(message, hint="add --format json")
    if lines and lines[0].startswith("{") and _continues_below(head.lstrip("\ufeff \t\r\n")):
        message = f"{text.name} holds objects of several lines each, not JSON Lines"
        raise SourceError(message, hint="add --format json")
    if not lines or any(line.startswith("{") for line in lines):
        return
    source = "" if path == STDIN else f" {shlex.quote(path)}"
    if len(lines) > 1 or path == STDIN:
        message = f"{text.name} is not JSON Lines: none of its first lines begins an object"
        hint = f'name its format: "mitools load{source} --format csv"'
        raise SourceError(message, hint=hint)


def _continues_below(head: str) -> bool:
    """Tell whether the object at the start of a text is valid, and ends on a line below."""
    if _is_json(head.partition("\n")[0].encode()):
        return False
    try:
        value, end = json.JSONDecoder().raw_decode(head)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and "\n" in head[:end]


def json_rows(path: str, options: LoadOptions) -> Iterator[Row]:
    """Read lists of objects, objects one after another, or JSON Lines in a .json file.

    Raises:
        SourceError: it is one object with the list in it, is not valid JSON, or is a list beyond
            the bound.
    """
    bounds = options.bounds
    with open_text(path, "json", options.encoding) as text:
        lines = enumerate(cut_lines(text.stream, bounds), start=1)
        filled = ((n, line, rest) for n, (line, rest) in lines if line.strip(_SPACE))
        number, first, rest = next(filled, (1, b"", None))
        is_list = first.lstrip(_SPACE).startswith(b"[")
        if not is_list and rest is None and _is_json(first):
            second = _next_unless_alone(first, filled, path)
            yield from _rows_of_lines(text, iter([(number, (first, None)), *second]), bounds)
            yield from _rows_of_lines(text, lines, bounds)
            return
        whole = _read_whole(first, rest or iter(()), text, options.max_json_bytes)
        content = text.decoded_rest(whole, number)
    if not is_list:
        _refuse_single_object(content, path)
    yield from _rows_of_values(content, text.name, number, bounds)


def _read_whole(first: bytes, rest: Iterator[bytes], text: Text, most: int) -> bytes:
    """Read a text to its end, up to a number of bytes."""
    pieces: list[bytes] = []
    size = 0
    behind = iter(partial(text.stream.read, _PIECE_BYTES), b"")
    for piece in itertools.chain([first], rest, behind):
        pieces.append(piece)
        size += len(piece)
        if size > most:
            hint = "convert it to JSON Lines with \"jq -c '.[]'\", or raise --max-json-bytes"
            raise SourceError(f"{text.name} is longer than {most:,} bytes", hint=hint)
    return b"".join(pieces)


def _next_unless_alone(first: bytes, lines: FilledLines, path: str) -> list[NumberedLine]:
    """Refuse a first line that holds all rows; looks at the next line only where it may.

    Raises:
        SourceError: the line is the only one, and holds rows.
    """
    value = json.loads(first.decode("utf-8-sig", "replace"))
    command = command_for_rows(value, path) if isinstance(value, dict) else None
    if command is None:
        return []
    second = next(lines, None)
    if second is None:
        raise _holds_rows(path, command)
    number, line, rest = second
    return [(number, (line, rest))]


def _holds_rows(path: str, command: str) -> SourceError:
    message = f"{path} holds one object, not a list of objects"
    return SourceError(message, hint=f"write its rows as JSON Lines: {command}")


def _is_json(raw: bytes) -> bool:
    try:
        json.loads(raw.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return False
    return True


def _rows_of_values(text: str, name: str, line: int, bounds: Bounds) -> Iterator[Row]:
    """Yield the objects of all lists in a text, and objects outside lists.

    Text after the end of a list is read too, or refused, so no record is lost.
    """
    decoder = json.JSONDecoder()
    position, is_in_list = 0, False
    while True:
        # Skip the gap before the next value, and count its lines.
        start = position
        gap = (_BETWEEN if is_in_list else _GAP).match(text, position)
        position = gap.end() if gap else position
        line += text.count("\n", start, position)
        where = Where(name, line)
        mark = text[position : position + 1]
        if not mark and not is_in_list:
            return
        if mark == ("]" if is_in_list else "["):
            is_in_list = not is_in_list
            position += 1
            continue
        if not is_in_list and mark != "{":
            message = "expected a list or an object here"
            raise SourceError(message, where=where, hint="remove it, or check the file")
        # Decode the object only to find its end; the row parses it under the usual bounds.
        try:
            _, end = decoder.raw_decode(text, position)
        except (ValueError, RecursionError) as exc:
            reason = exc.msg if isinstance(exc, json.JSONDecodeError) else str(exc)
            message = f"not valid JSON from here on ({reason})"
            raise SourceError(message, where=where, hint="check that the file is complete") from exc
        item = text[position:end]
        yield Row(where, partial(parse_line, item, where, bounds), partial(str, item))
        line += item.count("\n")
        position = end


def _refuse_single_object(text: str, path: str) -> None:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return  # there are several, or the invalid line is reported later
    command = command_for_rows(value, path) if isinstance(value, dict) else None
    if command is not None:
        raise _holds_rows(path, command)
    if isinstance(value, dict):
        lists = [name for name, inner in value.items() if isinstance(inner, list)]
        name = lists[0] if lists else "FIELD"
        hint = f'pick the list in it: "{command_for_list(name, path)} | mitools load -"'
        raise SourceError(f"{path} holds one object, not a list of objects", hint=hint)
