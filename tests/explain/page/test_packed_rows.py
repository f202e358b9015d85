"""Rows and lines on their way into a page."""

from __future__ import annotations

import base64
import gzip
import random

from mitools.explain.page.packed_rows import PackedRows


def unpacked(pieces: list[str]) -> list[str]:
    return gzip.decompress(base64.b64decode("".join(pieces))).decode().split("\n")[:-1]


def test_rows_and_lines_come_back_in_order() -> None:
    with PackedRows() as packed:
        for index in range(3):
            packed.add(f'{{"n":{index}}}', f'{{"id":"ä{index}"}}')
        assert packed.count == 3
        assert unpacked(list(packed.rows())) == ['{"n":0}', '{"n":1}', '{"n":2}']
        assert unpacked(list(packed.lines())) == ['{"id":"ä0"}', '{"id":"ä1"}', '{"id":"ä2"}']


def test_many_pieces_join_to_one_text_of_base64() -> None:
    rng = random.Random(0)
    lines = [rng.randbytes(600_000).hex() for _ in range(4)]
    with PackedRows() as packed:
        for line in lines:
            packed.add(line, "{}")
        pieces = list(packed.rows())
    assert len(pieces) > 2
    assert not any(piece.endswith("=") for piece in pieces[:-1])
    assert unpacked(pieces) == lines


def test_nothing_is_an_empty_text() -> None:
    with PackedRows() as packed:
        assert unpacked(list(packed.rows())) == []
