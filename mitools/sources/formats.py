"""Local files as rows: the format of a file, by its ending or by the options."""

from __future__ import annotations

import os
from pathlib import Path

from mitools.errors import SourceError, UsageError
from mitools.files import STDIN, open_input
from mitools.sources.arrow_files import open_arrow
from mitools.sources.delimited import csv_rows
from mitools.sources.json_text import json_rows, line_rows
from mitools.sources.opening import shown_name
from mitools.sources.options import FORMATS, LoadOptions
from mitools.sources.parquet import open_parquet
from mitools.sources.part import Part
from mitools.sources.recognition import check_content

__all__ = ["DELIMITED", "ENDINGS", "format_of", "known_format", "open_file"]

_BY_ENDING = {
    "": "jsonl",  # stdin, and /dev/fd/63
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "tsv",
    ".parquet": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
}

DELIMITED = ("csv", "tsv")

ENDINGS = tuple(sorted(filter(None, _BY_ENDING)))


def open_file(path: str, options: LoadOptions | None = None) -> Part:
    """Open a local file as one part of a source; ``-`` is stdin, JSON Lines by default.

    Raises:
        SourceError: neither ending nor options give its format, or it is not readable.
    """
    options = options or LoadOptions()
    kind = format_of(path, options)
    if kind is None:
        raise _unknown(path)
    for flag, value in (
        ("delimiter", options.delimiter),
        ("columns", options.column_names),
        ("no-quotes", not options.quotes),
    ):
        if value and kind not in DELIMITED:
            raise UsageError(f"--{flag} is for CSV, not for {kind}", hint="leave it out")
    if kind in ("parquet", "arrow"):
        if options.encoding:
            raise UsageError(f"--encoding is for texts, not for {kind}", hint="leave it out")
        return open_parquet(path, options) if kind == "parquet" else open_arrow(path, options)
    name = shown_name(path)
    if kind == "jsonl":
        return Part(name, line_rows(path, options.encoding, options.bounds))
    if kind == "json":
        return Part(name, json_rows(path, options))
    delimiter = options.separator or ("\t" if kind == "tsv" else ",")
    is_given = options.separator is not None
    return Part(name, csv_rows(path, delimiter, options, is_given=is_given))


def format_of(path: str, options: LoadOptions) -> str | None:
    """Return the format of a file, by the options or its ending; None if neither tells."""
    return options.format or ("csv" if options.delimiter else _BY_ENDING.get(_ending(path)))


def known_format(path: str) -> str | None:
    """Return the format that the ending of a file tells; None if it tells none."""
    return _BY_ENDING.get(_ending(path)) if _ending(path) else None


def _ending(path: str) -> str:
    name = Path(path).name.lower()
    for packed in (".gz", ".zst"):
        name = name.removesuffix(packed)
    return Path(name).suffix


def _unknown(path: str) -> SourceError:
    """Make the error of a file with an unknown ending, by its content if that is known."""
    if path != STDIN and (os.path.isfile(path) or not os.path.exists(path)):
        with open_input(path) as stream:
            check_content(stream.read(2**13), path, "")
    hint = f"name its format: --format {'|'.join(FORMATS)}"
    return SourceError(f'the ending of "{path}" is not one of a known format', hint=hint)
