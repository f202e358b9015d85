"""A line that was put aside is kept to the byte."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.diverted import diverted_pieces, is_diverted, restored
from mitools.errors import MalformedLineError, Where
from mitools.records import Rejected

ERROR = MalformedLineError("not this", where=Where("a.jsonl", 7), hint="type that")


def diverted(line: str | bytes, *rest: bytes, error: MalformedLineError = ERROR) -> str:
    return "".join(diverted_pieces(Rejected(error, line, iter(rest) if rest else None)))


@given(st.binary())
def test_every_line_comes_back(line: bytes) -> None:
    kept = diverted(line)
    assert kept.count("\n") == 1
    assert kept.isascii()
    assert restored(kept) == line


@given(st.lists(st.binary(min_size=1), min_size=2))
def test_a_line_in_pieces_comes_back(pieces: list[bytes]) -> None:
    assert restored(diverted(*pieces)) == b"".join(pieces)


def test_text_stays_readable_and_the_place_is_there() -> None:
    kept = json.loads(diverted("größe".encode()))
    assert kept == {
        "error": "a.jsonl:7: not this; type that",
        "file": "a.jsonl",
        "line": 7,
        "text": "größe",
    }
    assert json.loads(diverted("a row"))["text"] == "a row"
    assert json.loads(diverted(b"caf\xe9"))["bytes"] == "Y2Fm6Q=="
    assert "file" not in json.loads(diverted("a", error=MalformedLineError("no place")))


def test_a_file_of_such_lines_is_known_by_its_first() -> None:
    assert is_diverted(diverted(b"\xff").encode())
    for line in (b"", b"{}", b'{"id": "error"}', b"error", b'{"errors": 1}'):
        assert not is_diverted(line)


@pytest.mark.parametrize("line", ["", "{}", "[]", '{"bytes": "!"}'])
def test_what_is_no_such_line_is_refused(line: str) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        restored(line)
