"""A chat server that answers every request after a fixed time, as cheaply as Python can.

One process, one event loop, HTTP/1.1 with keep-alive, read and written by hand: what a client is
measured against must not be what is measured. It tells the time of its first request, that of its
last answer, and the most requests at once, at ``GET /stats``.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from dataclasses import dataclass

TEXT = (
    "There were 12 cows in the field, and then 7 more came to it. So there are 12 + 7 = 19 cows "
    "in all. The answer is (12 + 7)."
)
ANSWER = json.dumps(
    {
        "id": "chatcmpl-latency",
        "object": "chat.completion",
        "created": 1,
        "model": "latency",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": TEXT},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 210, "completion_tokens": 40, "total_tokens": 250},
    }
).encode()


def _response(body: bytes) -> bytes:
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


@dataclass
class Stats:
    """What happened since the server began."""

    calls: int = 0
    at_once: int = 0
    most_at_once: int = 0
    first: float = 0.0
    last: float = 0.0


class _Connection(asyncio.Protocol):
    def __init__(self, stats: Stats, latency: float) -> None:
        self._stats = stats
        self._latency = latency
        self._received = b""
        self._response = _response(ANSWER)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].lower()
            place = head.find(b"content-length:")
            size = int(head[place + 15 :].split(b"\r\n", 1)[0]) if place >= 0 else 0
            if len(self._received) < end + 4 + size:
                return
            self._received = self._received[end + 4 + size :]
            if head.startswith(b"get /stats"):
                self._transport.write(_response(json.dumps(vars(self._stats)).encode()))
            else:
                self._begin()

    def _begin(self) -> None:
        stats = self._stats
        stats.first = stats.first or time.monotonic()
        stats.calls += 1
        stats.at_once += 1
        stats.most_at_once = max(stats.most_at_once, stats.at_once)
        if self._latency:
            asyncio.get_running_loop().call_later(self._latency, self._finish)
        else:
            self._finish()

    def _finish(self) -> None:
        self._stats.at_once -= 1
        self._stats.last = time.monotonic()
        self._transport.write(self._response)


async def serve(latency: float) -> None:
    """Serve on a free port of loopback, which is the first line of stdout."""
    stats = Stats()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: _Connection(stats, latency), "127.0.0.1", 0, backlog=4096
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(serve(float(sys.argv[1])))
