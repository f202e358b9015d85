"""Compressed bodies of responses, unpacked in pieces up to a bound. httpx2 unpacks them."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

import aiohttp
import httpx2

__all__ = ["unpacked"]

_PIECE_BYTES = 1 << 14  # read at a time


class _Pieces(httpx2.AsyncByteStream):
    """The body of a response of aiohttp, to be unpacked by httpx2."""

    def __init__(self, content: aiohttp.StreamReader) -> None:
        self._content = content

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for piece in self._content.iter_chunked(_PIECE_BYTES):
            yield piece


async def unpacked(answered: aiohttp.ClientResponse, most: int, accepted: str) -> bytes:
    """Read the first bytes of a compressed body, unpacked.

    Args:
        answered: the response; its body has not been read.
        most: number of bytes after which reading stops, and bound on the compressed bytes.
        accepted: the encodings that were requested, as in ``Accept-Encoding``.

    Raises:
        httpx2.DecodingError: it cannot be unpacked, or is larger than the unpacked one may be.
    """
    response = httpx2.Response(
        answered.status, headers=answered.raw_headers, stream=_Pieces(answered.content)
    )
    _check_codings(response, accepted)
    parts: list[bytes] = []
    size = 0
    async with contextlib.aclosing(response.aiter_bytes()) as pieces:
        async for piece in pieces:
            parts.append(piece)
            size += len(piece)
            if size >= most or response.num_bytes_downloaded > most:
                break
    if size < most < response.num_bytes_downloaded:  # a large packed body that unpacks to little
        raise httpx2.DecodingError("the packed body is larger than the unpacked one may be")
    return b"".join(parts)[:most]


def _check_codings(response: httpx2.Response, accepted: str) -> None:
    """Refuse encodings that were not requested, and chains, whose costs multiply.

    Raises:
        httpx2.DecodingError: the body cannot be unpacked.
    """
    listed = response.headers.get_list("content-encoding", split_commas=True)
    codings = [name.strip().lower() for name in listed]
    known = {"identity", "", *(name.strip().lower() for name in accepted.split(","))}
    if len(codings) > 1 or not known.issuperset(codings):
        raise httpx2.DecodingError(f"cannot unpack {', '.join(codings)}")
