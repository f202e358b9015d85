"""Compressed bodies: unpacked, up to their bounds."""

from __future__ import annotations

import asyncio
import gzip
import random
import zlib

import aiohttp
import httpx2
import pytest

from mitools.annotate.client.packed_body import unpacked
from tests.annotate.raw import http
from tests.server import RawServer

TEXT = b"12 cows and 7 more are 19 cows. " * 400
NOISE = random.Random(0).randbytes(50_000)


def read(content: bytes, coding: str, most: int) -> bytes:
    async def ask(url: str) -> bytes:
        async with (
            aiohttp.ClientSession(auto_decompress=False) as session,
            session.get(url) as answered,
        ):
            return await unpacked(answered, most, "gzip, deflate")

    with RawServer(http(content, headers={"Content-Encoding": coding})) as raw:
        return asyncio.run(ask(raw.url))


@pytest.mark.parametrize(
    ("coding", "content"),
    [
        ("gzip", gzip.compress(TEXT)),
        ("GZIP", gzip.compress(TEXT)),
        ("deflate", zlib.compress(TEXT)),
        ("deflate", zlib.compress(TEXT, wbits=-zlib.MAX_WBITS)),
        ("identity", TEXT),
    ],
)
def test_requested_encodings_are_unpacked(coding: str, content: bytes) -> None:
    assert read(content, coding, 1 << 20) == TEXT


def test_no_more_than_the_bound_is_unpacked() -> None:
    assert read(gzip.compress(TEXT), "gzip", 100) == TEXT[:100]


def test_a_packed_body_may_not_be_larger_than_the_unpacked_one() -> None:
    padded = b"".join(gzip.compress(b"") for _ in range(2000))  # 40,000 bytes of nothing
    with pytest.raises(httpx2.DecodingError, match="larger than the unpacked one may be"):
        read(padded, "gzip", 1000)


@pytest.mark.parametrize("coding", ["br", "zstd", "gzip, gzip", "compress"])
def test_other_encodings_and_chains_are_refused(coding: str) -> None:
    with pytest.raises(httpx2.DecodingError, match="cannot unpack"):
        read(gzip.compress(NOISE), coding, 1 << 20)
