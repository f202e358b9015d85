"""CSV and TSV as rows: a header, and the same number of cells in each row."""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from functools import partial

from mitools.bounds import Bounds
from mitools.errors import DataError, MalformedLineError, SourceError, Where
from mitools.lines import Row, cut_lines, too_long
from mitools.records import Record
from mitools.sources.opening import Text, open_text
from mitools.sources.options import LoadOptions

__all__ = ["csv_rows"]

_MAX_CELL_CHARACTERS = 2**24  # a cell with line breaks may be longer than a line
_ROWS_COMPARED = 20
_EXCEL_LINE = re.compile(r"\"?sep=(.)\"?")
_DELIMITERS = (",", "\t", ";", "|")


def csv_rows(path: str, delimiter: str, options: LoadOptions, *, is_given: bool) -> Iterator[Row]:
    """Read a table of text.

    Args:
        delimiter: between the cells of a row.
        options: gives encoding and bounds.
        is_given: whether the user named the delimiter; else a better one is suggested.

    Raises:
        SourceError: the header is not readable or names a column twice, or another delimiter fits.
    """
    # The option that allows longer lines allows cells of that length too.
    csv.field_size_limit(max(_MAX_CELL_CHARACTERS, options.bounds.line_bytes))
    with open_text(path, "tsv" if delimiter == "\t" else "csv", options.encoding) as text:
        if not is_given:
            _check_delimiter(text, delimiter, options)
        lines = _Lines(text, options.bounds)
        reader = _reader(lines, delimiter, options)
        header = list(options.column_names) or _read_header(reader, text.name)
        while True:
            where = lines.begin_row()
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as exc:
                error = _row_error(exc, where, lines.rows)
                error.__cause__ = exc
                lines.keep_first()
                reader = _reader(lines, delimiter, options)
                yield _bad_row(error, where, lines.row_text())
            except DataError as exc:
                yield _bad_row(exc, where, lines.row_text())
            else:
                if lines.rows > 1 and _are_rows(lines.row_text(), delimiter, len(header)):
                    lines.keep_first()
                    reader = _reader(lines, delimiter, options)
                    yield _bad_row(_no_quotes(where), where, lines.row_text())
                elif cells:
                    yield _csv_row(
                        header, cells, where, lines.row_text(), is_given=bool(options.column_names)
                    )


class _Lines:
    """The lines of a file as text, with those of the current row, which can be read again.

    Not a generator, as it must continue after a line that cannot be decoded.
    """

    def __init__(self, text: Text, bounds: Bounds) -> None:
        self._text = text
        self._stream = cut_lines(text.stream, bounds)
        self._bounds = bounds
        self._number = 0
        self._row: list[bytes] = []
        self._again: deque[bytes] = deque()

    @property
    def rows(self) -> int:
        """Number of lines of the current row."""
        return len(self._row)

    def begin_row(self) -> Where:
        self._row.clear()
        return Where(self._text.name, self._number + 1)

    def keep_first(self) -> None:
        """Read all lines of the current row but its first one again, as rows of their own."""
        self._again.extendleft(reversed(self._row[1:]))
        self._number -= len(self._row) - 1
        del self._row[1:]

    def row_text(self) -> str:
        raw = b"".join(self._row)
        return raw.decode(self._text.encoding, "replace").rstrip("\r\n")

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        raw, rest = (self._again.popleft(), None) if self._again else next(self._stream)
        self._number += 1
        self._row.append(raw)
        if rest is not None:  # skip it: an endless line must not fill the memory
            raise too_long(Where(self._text.name, self._number), self._bounds)
        return self._text.decoded(raw, self._number)


def _reader(
    lines: Iterator[str], delimiter: str, options: LoadOptions, *, is_strict: bool = True
) -> Iterator[list[str]]:
    if options.quotes:
        return csv.reader(lines, delimiter=delimiter, strict=is_strict)
    return csv.reader(lines, delimiter=delimiter, quoting=csv.QUOTE_NONE, strict=is_strict)


def _are_rows(text: str, delimiter: str, width: int) -> bool:
    """Tell whether the lines of a quoted row of TSV are rows themselves, without the quotes.

    Then quotes are characters like any other there: hardly a cell with line breaks has as many
    tabs in each of its lines. With commas, a text may.
    """
    lines = text.split("\n")
    return (
        delimiter == "\t"
        and width > 1
        and all(line.count(delimiter) == width - 1 for line in lines)
    )


def _no_quotes(where: Where) -> MalformedLineError:
    message = "a quote opens here and would enclose whole rows"
    hint = 'if quotes are characters like any other, add "--no-quotes"'
    return MalformedLineError(message, where=where, hint=hint)


def _row_error(error: csv.Error, where: Where, lines: int) -> MalformedLineError:
    if "unexpected end of data" in str(error):
        message = "a quote that opens in this row is never closed (unexpected end of data)"
        hint = 'close it, write "" for a quote, or add "--no-quotes"'
        return MalformedLineError(message, where=where, hint=hint)
    if "field larger" in str(error):
        message = f"a cell is longer than {csv.field_size_limit():,} characters"
        hint = 'close the quote that opens it, or raise the bound with "--max-line-bytes SIZE"'
        return MalformedLineError(message, where=where, hint=hint)
    if lines > 1 and "expected after" in str(error):
        message = (
            f"the quote that opens here ends {lines - 1:,} lines below, in the middle of a cell"
        )
        hint = 'write a quote inside quotes twice (""), or add "--no-quotes"'
        return MalformedLineError(f"{message} ({error})", where=where, hint=hint)
    hint = 'write a quote inside quotes twice (""), and put quotes around a line break'
    return MalformedLineError(str(error), where=where, hint=hint)


def _bad_row(error: DataError, where: Where, text: str) -> Row:
    def fail() -> Record:
        raise error

    return Row(where, fail, partial(str, text))


def _csv_row(
    header: list[str], cells: list[str], where: Where, text: str, *, is_given: bool
) -> Row:
    if len(cells) != len(header):
        source = "--columns names" if is_given else "the header has"
        message = f"{len(cells)} cells, but {source} {len(header)}"
        hint = "put quotes around a cell that holds the separator"
        return _bad_row(MalformedLineError(message, where=where, hint=hint), where, text)
    if "\0" in text:
        hint = "remove null bytes: \"tr -d '\\0' < FILE\""
        error = MalformedLineError("the row holds a null byte", where=where, hint=hint)
        return _bad_row(error, where, text)
    values = {name: cell or None for name, cell in zip(header, cells, strict=True)}
    return Row(where, partial(dict, values), partial(str, text))


def _read_header(reader: Iterator[list[str]], path: str) -> list[str]:
    try:
        names = [name.strip() for name in next(reader, [])]
    except csv.Error as exc:
        raise SourceError(f"cannot read the header of {path}: {exc}") from exc
    doubled = sorted({name for name in names if names.count(name) > 1})
    if doubled:
        places = ", ".join(str(place + 1) for place, name in enumerate(names) if name == doubled[0])
        problem = f'names "{doubled[0]}" twice' if doubled[0] else "has columns without a name"
        message = f"the header of {path} {problem} (columns {places})"
        hint = "give each column a unique name in the first line, or, without such a line, in "
        raise SourceError(message, hint=hint + f'"--columns {_letters(len(names))}"')
    return names


def _letters(count: int) -> str:
    """Name columns in a hint: ``A,B,C``."""
    shown = [chr(ord("A") + place) for place in range(min(count, 4))]
    return ",".join([*shown, "…"] if count > len(shown) else shown)


def _check_delimiter(text: Text, delimiter: str, options: LoadOptions) -> None:
    """Refuse a table whose rows have the same number of cells by another delimiter only."""
    lines = text.head.decode(text.encoding, "replace").removeprefix("\ufeff").split("\n")
    if named := _EXCEL_LINE.fullmatch(lines[0].strip("\r")):
        hint = f"remove it, and add --delimiter '{named[1]}'"
        raise SourceError(f"the first line of {text.name} is an instruction for Excel", hint=hint)
    whole = lines[:_ROWS_COMPARED]
    width = _width(whole, delimiter, options)
    for other in _DELIMITERS:
        if other != delimiter and _width(whole, other, options) > width:
            shown = "a tab" if other == "\t" else f'"{other}"'
            chosen = "--format tsv" if other == "\t" else f"--delimiter '{other}'"
            message = f"the columns of {text.name} are separated by {shown}, not by "
            message += "a tab" if delimiter == "\t" else f'"{delimiter}"'
            raise SourceError(message, hint=f"add {chosen}")


def _width(lines: list[str], delimiter: str, options: LoadOptions) -> int:
    """Count the columns by a delimiter; 1 if not every row has as many as the header."""
    try:
        rows = [row for row in _reader(iter(lines), delimiter, options, is_strict=False) if row]
    except csv.Error:
        return 1
    whole = rows[: max(1, len(rows) - 1)]  # the last one may be truncated
    return len(whole[0]) if whole and len({len(row) for row in whole}) == 1 else 1
