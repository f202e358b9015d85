"""Attack annotate with malformed responses: a seeded fuzzer of bodies, headers and bytes.

A server on loopback answers each question with a response that is derived from the seed, the
question's number and the try: valid completions, such with fields replaced, removed or nested,
wrong headers and compressions, mutated bytes, cuts and noise. The run must end by itself, say
nothing of a traceback, and give each record an answer or a typed error.

    python tests/benchmarks/response_fuzz.py --rows 2000 --seed 0

Statuses that rightly end a run (401 to 403) are not sent.
"""

from __future__ import annotations

import asyncio
import copy
import gzip
import json
import random
import re
import resource
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any

import click

Response = tuple[bytes, bool]
"""What is sent, and whether the connection is closed behind it."""

NAMES = ("content", "message", "choices", "finish_reason", "error", "usage", "model", "detail")
SCALARS = (
    *(None, True, False, 0, -1, 1e308, float("nan"), float("inf"), 10**400, ""),
    *("x", "\ud83d", "\x00", "\x1b[2J", "\u202e", "<think>", "length", "error", "</think>" * 50),
)
STATUSES = (
    100,
    200,
    201,
    204,
    206,
    299,
    300,
    304,
    400,
    404,
    408,
    409,
    413,
    422,
    500,
    502,
    599,
    999,
)
HEADERS = (
    *("X Bad: 1", "X-Nul: a\x00b", f"X-Long: {'y' * 9000}", "Content-Type: a/b; charset=idna"),
    *("Content-Type: text/html", "Content-Encoding: br", "Content-Encoding: gzip, gzip, gzip"),
    *("Set-Cookie: a=b; expires=never", "Transfer-Encoding: chunked", "Content-Length: 3"),
    *("Content-Length: -1", "Content-Length: 99999999999", "Location: http://[bad", ": nameless"),
    *("Content-Encoding: gzip", "Content-Encoding: deflate", "Retry-After: x", "Connection: close"),
)


def completion(number: int) -> dict[str, Any]:
    """Write an answer that is right: the sum of ``number`` and 7."""
    message = {"role": "assistant", "content": f"So it is. The answer is {number + 7}."}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    return {"id": "c", "created": 1, "model": "fuzz", "choices": [choice], "usage": usage}


class Fuzzer:
    """Makes one response; everything it does follows from its name."""

    def __init__(self, name: str) -> None:
        self.chance = random.Random(name)

    def response(self, number: int) -> Response:
        """Make the response to a question."""
        make: Callable[[int], Response] = self.chance.choices(
            (self._valid, self._fields, self._text, self._headers, self._bytes, self._noise),
            weights=(2, 4, 2, 3, 3, 1),
        )[0]
        return make(number)

    def _valid(self, number: int) -> Response:
        return http(json.dumps(completion(number)).encode()), False

    def _fields(self, number: int) -> Response:
        """Replace, remove or wrap some fields of a completion."""
        value: Any = completion(number)
        for _ in range(self.chance.randint(1, 3)):
            value = self._changed(copy.deepcopy(value))
        return http(json.dumps(value).encode("utf-8", "surrogatepass"), self._status()), False

    def _changed(self, value: Any) -> Any:
        holders = list(_holders(value))
        if not holders or self.chance.random() < 0.05:
            return self._value(2)
        holder = self.chance.choice(holders)
        key = self.chance.choice(list(holder) if isinstance(holder, dict) else range(len(holder)))
        if self.chance.random() < 0.3:
            del holder[key]
        else:
            holder[key] = self._value(2)
        return value

    def _value(self, depth: int) -> Any:
        kind = self.chance.random()
        if depth and kind < 0.2:
            return {self.chance.choice(NAMES): self._value(depth - 1) for _ in range(2)}
        if depth and kind < 0.4:
            return [self._value(depth - 1) for _ in range(self.chance.randint(0, 3))]
        return self.chance.choice(SCALARS)

    def _text(self, number: int) -> Response:
        """Send a body that is not what was asked for."""
        answer = json.dumps(completion(number))
        bodies = (
            "[" * 100_000,
            '{"a":' * 50_000,
            f"\ufeff{answer}",
            f"data: {answer}\n\ndata: [DONE]\n\n",
            'data: {"error": {"message": "overloaded"}}\n\n',
            "<!DOCTYPE html><html><title>No</title><body>" + "<p" * 5000,
            json.dumps({"error": {"message": "x" * 10_000, "code": 10**30}}),
            json.dumps({"detail": [{"loc": ["body", 1], "msg": "required"}]}),
            answer + answer,
            answer[: self.chance.randrange(len(answer))],
            "",
            "x" * 2_000_000,
        )
        return http(self.chance.choice(bodies).encode(), self._status()), False

    def _headers(self, number: int) -> Response:
        """Add wrong headers, and compress now and then."""
        body = json.dumps(completion(number)).encode()
        lines = self.chance.choices(HEADERS, k=self.chance.randint(1, 2))
        if self.chance.random() < 0.3:
            packed = self.chance.choice((partial(gzip.compress, mtime=0), zlib.compress))
            body = packed(self.chance.choice((body, b" " * 20_000_000, b"")))
        return http(body, self._status(), lines), self.chance.random() < 0.7

    def _bytes(self, number: int) -> Response:
        """Change bytes anywhere, also in the head."""
        data = bytearray(http(json.dumps(completion(number)).encode()))
        for _ in range(self.chance.randint(1, 8)):
            place = self.chance.randrange(len(data))
            change = self.chance.randrange(4)
            if change == 0:
                data[place] = self.chance.randrange(256)
            elif change == 1:
                del data[place : place + self.chance.randint(1, 20)]
            elif change == 2:
                data[place:place] = data[place : place + 30] or b"\r\n\r\n"
            else:
                data[place:place] = self.chance.choice(
                    (b"\x00", b"\r\n", b"\xff", b'"', b"{", b":")
                )
            if not data:
                break
        if self.chance.random() < 0.3:
            del data[self.chance.randrange(len(data) + 1) :]
        return _harmless(bytes(data)), True

    def _noise(self, _number: int) -> Response:
        return _harmless(self.chance.randbytes(self.chance.randint(0, 3000))), True

    def _status(self) -> int:
        return 200 if self.chance.random() < 0.7 else self.chance.choice(STATUSES)


def _holders(value: Any) -> list[Any]:
    """Find every object and list with something in it."""
    found = [value] if isinstance(value, dict | list) and value else []
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return found + [holder for item in inner for holder in _holders(item)]


def _harmless(data: bytes) -> bytes:
    """Leave out a status that rightly ends a run."""
    return re.sub(rb"(HTTP/\S+ +)40[123]", rb"\g<1>400", data)


def http(body: bytes, status: int = 200, lines: list[str] | None = None) -> bytes:
    """Write a response."""
    head = [f"HTTP/1.1 {status} Status", *(lines or [])]
    named = {line.partition(":")[0].lower() for line in lines or []}
    if not named & {"content-length", "transfer-encoding"}:
        head.append(f"Content-Length: {len(body)}")
    return "\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body


class FuzzServer:
    """The server, in a thread of its own; a context manager."""

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.tries: Counter[int] = Counter()
        self.port = 0
        self._loop = asyncio.new_event_loop()
        self._is_ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def __enter__(self) -> FuzzServer:
        self._thread.start()
        self._is_ready.wait()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20, backlog=1024)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._is_ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                size = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
                body = await reader.readexactly(int(size[1]) if size else 0)
                data, is_last = self._answer(body)
                writer.write(data)
                await writer.drain()
                if is_last:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    def _answer(self, body: bytes) -> Response:
        if not body:  # the list of models
            return Fuzzer(f"{self.seed} models {self.tries.total()}").response(0)
        number = int(json.loads(body)["messages"][-1]["content"].split()[1])
        self.tries[number] += 1
        return Fuzzer(f"{self.seed} {number} {self.tries[number]}").response(number)


def question(number: int) -> dict[str, Any]:
    """Write a record that the server knows."""
    label = str(number + 7)
    return {"id": f"q{number}", "input": f"Add {number} and 7.", "label": label, "task": "equation"}


@click.command()
@click.option("--rows", default=2000, show_default=True)
@click.option("--seed", default=0, show_default=True)
@click.option("--concurrency", default=32, show_default=True)
def main(rows: int, seed: int, concurrency: int) -> None:
    """Annotate records at the fuzzing server, and check what comes out."""
    with tempfile.TemporaryDirectory() as name, FuzzServer(seed) as server:
        data = Path(name) / "data.jsonl"
        data.write_text("".join(json.dumps(question(number)) + "\n" for number in range(rows)))
        command = [sys.executable, "-m", "mitools", "annotate", "-m", "fuzz", "--base-url"]
        command += [server.url, "--journal", str(Path(name) / "j"), "--max-error-rate", "1"]
        command += ["--retries", "1", "--timeout", "5", "--max-response-bytes", "1M"]
        begin = time.monotonic()
        done = subprocess.run(
            [*command, "--concurrency", str(concurrency), str(data)], capture_output=True, text=True
        )
        seconds = time.monotonic() - begin
        records = [json.loads(line) for line in done.stdout.splitlines()]
        kinds = Counter(record["teacher"].get("error", {}).get("kind", "ok") for record in records)
        peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        click.echo(f"{rows} rows, {server.tries.total()} responses, {seconds:.1f} s, {peak:.0f} MB")
        click.echo(f"status {done.returncode}; " + ", ".join(f"{n} {k}" for k, n in kinds.items()))
        click.echo(done.stderr[-2000:])
        assert [record["id"] for record in records] == [f"q{number}" for number in range(rows)]
        for line in done.stderr.splitlines():
            assert line.startswith("mitools annotate: "), line
            assert "defect" not in line
        assert done.returncode == 0


if __name__ == "__main__":
    main()
