"""A local file as a stream of UTF-8 bytes; its first bytes are checked before it is read."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

from mitools.errors import MalformedLineError, SourceError, Where
from mitools.files import STDIN, input_errors, open_input
from mitools.sources.recognition import check_content

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

__all__ = ["Seekable", "Text", "close_seekable", "open_seekable", "open_text", "shown_name"]

Seekable = str | IO[bytes]
"""A path, or a temporary copy of what cannot be read twice."""

_HEAD_BYTES = 2**16
_PIECE_BYTES = 2**16


@dataclass(frozen=True)
class Text:
    """The lines of an open file.

    Attributes:
        name: its name in messages.
        head: the first bytes of those lines.
        stream: its bytes.
        encoding: of the bytes.
    """

    name: str
    head: bytes
    stream: IO[bytes]
    encoding: str

    def decoded(self, raw: bytes, number: int) -> str:
        """Decode one of its lines.

        Raises:
            MalformedLineError: it is not in the encoding.
        """
        try:
            if number == 1 and self.encoding == "utf-8":
                return raw.decode("utf-8-sig")
            return raw.decode(self.encoding)
        except UnicodeDecodeError as exc:
            message, hint = self._undecodable(exc.start)
            where = Where(self.name, number)
            raise MalformedLineError(message, where=where, hint=hint) from exc

    def decoded_rest(self, raw: bytes, number: int) -> str:
        """Decode its text from the start of a line on, without a byte-order mark.

        Raises:
            SourceError: it is not in the encoding.
        """
        try:
            return raw.decode(self.encoding).removeprefix("\ufeff")
        except UnicodeDecodeError as exc:
            begin = raw.rfind(b"\n", 0, exc.start) + 1
            message, hint = self._undecodable(exc.start - begin)
            where = Where(self.name, number + raw.count(b"\n", 0, begin))
            raise SourceError(message, where=where, hint=hint) from exc

    def _undecodable(self, place: int) -> tuple[str, str]:
        """Say what is wrong with the byte at a place of a line, and what to type."""
        other = "cp1252" if self.encoding == "utf-8" else "utf-8"
        hint = f'name the encoding of the file, such as "--encoding {other}"'
        return f"not {self.encoding.upper()} (byte {place + 1} of the line)", hint


def shown_name(path: str) -> str:
    return "<stdin>" if path == STDIN else path


@contextlib.contextmanager
def open_text(path: str, kind: str, encoding: str | None) -> Iterator[Text]:
    """Open a file of lines; refuse it if its first bytes show another kind of content.

    Raises:
        SourceError: it is missing, damaged, packed, in UTF-16, or not a text.
    """
    name = shown_name(path)
    _check_ending(path, name)
    with open_input(path) as opened, input_errors(name):
        raw = cast("io.RawIOBase", opened)
        stream = opened if hasattr(opened, "peek") else io.BufferedReader(raw)
        head = _peek(stream)
        check_content(head, name, kind, encoding)
        _check_line_ends(head, path, kind, encoding)
        if encoding is None or _keeps_line_ends(encoding):
            yield Text(name, head, stream, _plain_name(encoding))
        else:
            recoder = _Recoder(stream, encoding, name)
            recoded = io.BufferedReader(recoder, _PIECE_BYTES)
            yield Text(name, _peek(recoded), recoded, "utf-8")


def open_seekable(path: str, kind: str) -> Seekable:
    """Return a seekable source: the path, or a temporary copy of a pipe or packed file.

    Raises:
        SourceError: it is missing, or its first bytes show another kind of content.
    """
    name = shown_name(path)
    if (
        path != STDIN
        and Path(path).suffix.lower() not in (".gz", ".zst")
        and not Path(path).is_fifo()
    ):
        with open_input(path) as stream, input_errors(name):
            check_content(stream.read(512), name, kind)
        return path
    copy = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the last row)
    with open_input(path) as stream, input_errors(name):
        shutil.copyfileobj(stream, copy)
    copy.seek(0)
    return copy


def close_seekable(source: Seekable) -> None:
    if not isinstance(source, str):
        source.close()


def _peek(stream: object) -> bytes:
    return bytes(stream.peek(_HEAD_BYTES)[:_HEAD_BYTES])  # type: ignore[attr-defined]


def _plain_name(encoding: str | None) -> str:
    """Return the usual name of an encoding: ``utf-8`` for ``UTF8`` and None."""
    return codecs.lookup(encoding or "utf-8").name


def _keeps_line_ends(encoding: str) -> bool:
    """Tell whether the bytes can be split into lines before they are decoded."""
    return "\n".encode(encoding) == b"\n" and "a\n".encode(encoding) == b"a\n"


class _Recoder(io.RawIOBase):
    """Recode a stream of UTF-16 and similar encodings to UTF-8, in chunks."""

    def __init__(self, stream: IO[bytes], encoding: str, name: str) -> None:
        self._stream = stream
        self._decoder = codecs.getincrementaldecoder(encoding)()
        self._name = name
        self._lines = 1
        self._ready = b""
        self._is_at_end = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        while not self._ready and not self._is_at_end:
            self._advance()
        size = min(len(view), len(self._ready))
        view[:size] = self._ready[:size]
        self._ready = self._ready[size:]
        return size

    def _advance(self) -> None:
        packed = self._stream.read(_PIECE_BYTES)
        self._is_at_end = not packed
        try:
            text = self._decoder.decode(packed, final=self._is_at_end)
        except UnicodeError as exc:
            where = Where(self._name, self._lines)
            message = f"cannot decode the text near here ({exc})"
            hint = 'check that the file is complete, or name another "--encoding"'
            raise SourceError(message, where=where, hint=hint) from exc
        self._lines += text.count("\n")
        self._ready = text.encode("utf-8", "surrogatepass")


def _check_ending(path: str, name: str) -> None:
    """Refuse a file with the ending of a packed file and other content."""
    magic = {".gz": b"\x1f\x8b", ".zst": b"\x28\xb5\x2f\xfd"}.get(Path(path).suffix.lower())
    if magic is None or path == STDIN or not os.path.isfile(path):
        return
    with contextlib.suppress(OSError), open(path, "rb") as stream:  # open_input reports the error
        head = stream.read(len(magic))
        # 0x184D2A50 to 5F start a skippable zstd frame.
        is_skipped = head[:1] in b"PQRSTUVWXYZ[\\]^_" and head[1:] == b"\x2a\x4d\x18"
        if head and head != magic and not is_skipped:
            ending = Path(path).suffix
            hint = f'rename it to "{path.removesuffix(ending)}" if it is not packed at all'
            raise SourceError(f"{name} is not packed as its ending {ending} says", hint=hint)


def _check_line_ends(head: bytes, path: str, kind: str, encoding: str | None) -> None:
    """Refuse lines that end in a carriage return only, as on old Macs."""
    if encoding and not _keeps_line_ends(encoding):
        return
    body = head.rstrip(b"\r\n") if len(head) < _HEAD_BYTES else head
    if b"\r" in body and b"\n" not in head:
        name, chosen = shown_name(path), f" --format {kind}" if kind else ""
        source = "" if path == STDIN else f" < {shlex.quote(path)}"
        hint = f"rewrite them: \"tr '\\r' '\\n'{source} | mitools load -{chosen}\""
        raise SourceError(f"the lines of {name} end in a carriage return alone", hint=hint)
