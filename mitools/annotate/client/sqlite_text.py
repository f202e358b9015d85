"""Texts as SQLite values: a text with a lone surrogate is not UTF-8, and is stored as bytes."""

from __future__ import annotations

__all__ = ["from_sqlite", "to_sqlite"]


def to_sqlite(text: str) -> str | bytes:
    """Return a text unchanged, or as bytes if SQLite would refuse it."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def from_sqlite(value: str | bytes) -> str:
    """Undo :func:`to_sqlite`."""
    return value.decode("utf-8", "surrogatepass") if isinstance(value, bytes) else value
