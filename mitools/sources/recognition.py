"""The content of a file by its first bytes, and what to type if it is not readable.

Checks magic numbers and byte order marks; opens no file.
"""

from __future__ import annotations

import shlex
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE, BOM_UTF32_BE, BOM_UTF32_LE

from mitools.errors import SourceError

__all__ = ["ARROW_MAGIC", "PARQUET_MAGIC", "check_content", "encoding_of", "is_binary"]

PARQUET_MAGIC = b"PAR1"
ARROW_MAGIC = b"ARROW1"

_TABLES = {"parquet": PARQUET_MAGIC, "arrow": ARROW_MAGIC}

# A command that unpacks to stdout, and the ending that lets mitools unpack it.
_PACKED = {
    b"\x1f\x8b": ("packed with gzip", "gzip -dc", ".gz"),
    b"\x28\xb5\x2f\xfd": ("packed with zstd", "zstd -dc", ".zst"),
    b"BZh": ("packed with bzip2", "bzip2 -dc", ""),
    b"\xfd7zXZ\x00": ("packed with xz", "xz -dc", ""),
    b"\x04\x22\x4d\x18": ("packed with lz4", "lz4 -dc", ""),
}
_SAVE_AS_CSV = "save it as CSV, in UTF-8"
_OTHERS = {
    b"PK\x03\x04": ("a zip archive", "unpack it first, and load the file inside"),
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": ("an old Excel or Office file", _SAVE_AS_CSV),
    b"7z\xbc\xaf\x27\x1c": ("a 7z archive", "unpack it first"),
    b"Rar!": ("a rar archive", "unpack it first"),
    b"%PDF": ("a PDF file", "extract its texts to CSV or JSON Lines"),
    b"SQLite format 3": ("an SQLite database", 'write the table as CSV: "sqlite3 -csv -header"'),
    b"Obj\x01": ("an Avro file", "write it as Parquet"),
    b"ORC": ("an ORC file", "write it as Parquet"),
    b"\x89HDF": ("an HDF5 file", "write it as CSV or Parquet"),
    b"\x93NUMPY": ("a NumPy file", "write it as CSV or Parquet"),
    b"version https://git-lfs": ("a pointer of Git LFS, not the data", 'fetch it: "git lfs pull"'),
}
_CONTROLS = bytes(set(range(32)) - set(b"\t\n\f\r\x1b"))
_MOST_CONTROLS = 0.02
_WORKBOOK_SIGNS = (b"[Content_Types].xml", b"xl/", b"_rels/.rels")
_MARKS = {  # UTF-32 first, as its mark starts with that of UTF-16
    BOM_UTF32_LE: "utf-32",
    BOM_UTF32_BE: "utf-32",
    BOM_UTF16_LE: "utf-16",
    BOM_UTF16_BE: "utf-16",
}


def encoding_of(head: bytes) -> str | None:
    """Return the encoding by a byte order mark or null bytes; None without either."""
    for mark, name in _MARKS.items():
        if head.startswith(mark):
            return name
    # Without a mark: in mostly ASCII texts, every other byte is null.
    even, odd = head[: len(head) // 2 * 2 : 2], head[1::2]
    if len(head) >= 4 and odd.count(0) > 0.4 * len(odd) and not even.count(0):
        return "utf-16-le"
    if len(head) >= 4 and even.count(0) > 0.4 * len(even) and not odd.count(0):
        return "utf-16-be"
    return None


def check_content(head: bytes, name: str, kind: str, encoding: str | None = None) -> None:
    """Refuse content that is not text, and name it.

    Args:
        head: the first bytes, unpacked by the file's ending.
        name: of the file, in messages.
        kind: the format that it is read as; ``""`` if unknown.
        encoding: the encoding in the options.

    Raises:
        SourceError: it is packed, an archive, a workbook, a database, a page or in UTF-16.
    """
    for magic, (what, unpack, ending) in _PACKED.items():
        if head.startswith(magic):
            raise SourceError(f"{name} is {what}", hint=_unpack_hint(name, unpack, ending, kind))
    if head.startswith(b"PK\x03\x04") and any(sign in head for sign in _WORKBOOK_SIGNS):
        raise SourceError(f"{name} is an Excel workbook", hint=_SAVE_AS_CSV)
    for magic, (what, hint) in _OTHERS.items():
        if head.startswith(magic):
            raise SourceError(f"{name} is {what}", hint=hint)
    if head[257:262] == b"ustar":
        raise SourceError(f"{name} is a tar archive", hint="unpack it first")
    start = head.removeprefix(BOM_UTF8).lstrip()[:15].lower()
    if start.startswith((b"<!doctype html", b"<html")):
        hint = "download the file again: a page is often the result of a failed download"
        raise SourceError(f"{name} is an HTML page", hint=hint)
    for table, magic in _TABLES.items():
        if head.startswith(magic):
            if kind == table:
                return
            shown = "a Parquet" if table == "parquet" else "an Arrow"
            raise SourceError(f"{name} is {shown} file", hint=f'add "--format {table}"')
    if kind == "arrow":  # a stream of Arrow has no mark
        return
    actual = encoding_of(head)
    if actual and encoding is None:
        shown = "UTF-" + actual.removeprefix("utf-")[:2]
        raise SourceError(f"{name} is a {shown} file", hint=f'add "--encoding {actual}"')
    if kind != "parquet" and encoding is None and is_binary(head):
        raise SourceError(
            f"{name} holds binary data, not a text", hint="check that it is the right file"
        )


def _unpack_hint(name: str, unpack: str, ending: str, kind: str) -> str:
    chosen = f" --format {kind}" if kind else " --format FORMAT"
    if name == "<stdin>":
        return f'unpack it first: "{unpack} | mitools load -{chosen}"'
    rename = f'rename it to "{name}{ending}", or ' if ending else ""
    return f'{rename}unpack it: "{unpack} < {shlex.quote(name)} | mitools load -{chosen}"'


def is_binary(head: bytes) -> bool:
    """Tell whether bytes are binary: texts have hardly any control characters."""
    return len(head) - len(head.translate(None, _CONTROLS)) > _MOST_CONTROLS * len(head)
