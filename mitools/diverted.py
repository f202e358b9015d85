"""Diverted lines: each is kept as one line of JSON that holds every byte of it.

A line that is UTF-8 is kept as ``text``, any other as ``bytes``, in base64. To get the lines back:

    jq -r 'select(.text).text' bad.jsonl
    jq -r 'select(.bytes).bytes' bad.jsonl | while read -r b; do base64 -d <<< "$b"; echo; done
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

from mitools.records import Rejected

__all__ = ["diverted_pieces", "is_diverted", "restored"]

_START = b'{"error": '
_PIECE_BYTES = 3 * 2**16  # a multiple of 3: base64 of the pieces is that of the whole


def diverted_pieces(bad: Rejected) -> Iterator[str]:
    """Yield the text of a rejected line, with a line break, without holding a long one twice."""
    where = bad.error.where
    place = {"file": where.path, "line": where.line} if where else {}
    head = json.dumps({"error": str(bad.error), **place})[:-1]
    text = _as_text(bad)
    if text is not None:
        yield f'{head}, "text": {json.dumps(text)}}}\n'
        return
    yield f'{head}, "bytes": "'
    yield from map(_base64, _rechunked(_all_bytes(bad)))
    yield '"}\n'


def _as_text(bad: Rejected) -> str | None:
    """Return the line as text; None if it is not UTF-8, or too long to be held."""
    if isinstance(bad.line, str):
        return bad.line
    try:
        return None if bad.rest is not None else bad.line.decode()
    except UnicodeDecodeError:
        return None


def _all_bytes(bad: Rejected) -> Iterator[bytes]:
    assert isinstance(bad.line, bytes)
    for start in range(0, len(bad.line), _PIECE_BYTES):
        yield bad.line[start : start + _PIECE_BYTES]
    yield from bad.rest or ()


def _rechunked(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the same bytes in pieces whose length is a multiple of 3, except the last."""
    held = b""
    for piece in pieces:
        held += piece
        whole = len(held) - len(held) % 3
        yield held[:whole]
        held = held[whole:]
    yield held


def _base64(piece: bytes) -> str:
    return base64.b64encode(piece).decode("ascii")


def restored(line: str) -> bytes:
    """Return the line that was diverted, without its line break.

    Raises:
        ValueError: this line is not one of :func:`diverted_pieces`.
    """
    kept = json.loads(line)
    if "text" in kept:
        return str(kept["text"]).encode()
    return base64.b64decode(kept["bytes"], validate=True)


def is_diverted(line: bytes) -> bool:
    """Return whether the first line of a file is a diverted line."""
    return line.startswith(_START)
