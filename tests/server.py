"""An OpenAI-compatible chat server on loopback: it counts and bills its calls, and fails by script.

    with FixtureServer() as server:
        server.script = [Act(status=429, headers={"Retry-After": "2"}), Act()]
        ... ask server.url ...
        assert len(server.calls) == 2

Each call takes the next act of ``script`` and, after those, ``default``. To try by hand:
``python tests/server.py --port 8000 --latency 0.2``, then
``mitools annotate -m fixture --base-url http://127.0.0.1:8000/v1 FILE``.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import re
import socket
import struct
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import IO, Any

KEY = "sk-fixture-0123456789"


@dataclass
class Act:
    """What the server does with one call.

    Attributes:
        text: content of the message; None lets the server solve the question.
        message: further fields of the message, such as ``reasoning``.
        status: HTTP status; other than 200 gives an error body.
        code: ``error.code`` of that body.
        delay: seconds before the answer.
        hang: never answer, but bill.
        reset: break the connection ``before`` the answer or in the ``middle`` of it.
        logprobs: the field of that name of the choice; None leaves it out.
        raw: these bytes as the body, whatever they are.
        error: the error body, where it is not the usual one.
        usage: what the body says of its cost, whatever that is.
        billed: what the call really costs, whatever its usage and status say; None charges the
            usage, and nothing for a status other than 200.
    """

    text: str | None = None
    message: dict[str, Any] = field(default_factory=dict)
    finish_reason: str = "stop"
    usage: Any = field(
        default_factory=lambda: {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    )
    status: int = 200
    code: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    delay: float = 0.0
    hang: bool = False
    reset: str = ""
    logprobs: Any = None
    raw: bytes | None = None
    error: Any = None
    billed: dict[str, int] | None = None


@dataclass
class Call:
    """One request: when it came and was done (``time.monotonic``), its body, headers and path."""

    at: float
    body: dict[str, Any]
    headers: dict[str, str]
    path: str = ""
    done_at: float = float("inf")

    @property
    def question(self) -> str:
        """The last user message."""
        return str(self.body["messages"][-1]["content"])


def solve(question: str) -> str:
    """Answer anything, always in the same way: the first choice, or the sum of two numbers."""
    if choice := re.search(r"\(a\) (.+)", question):
        return f"Only one fits. So the answer is (a) {choice[1]}."
    numbers = [*re.findall(r"\d+", question), "1", "2"]
    return f"There are {numbers[0]} and {numbers[1]}. The answer is ({numbers[0]} + {numbers[1]})."


def tokens(text: str) -> int:
    """Count tokens as a tokenizer of real size does: pieces of words, and signs."""
    return len(re.findall(r"\w{1,5}|[^\w\s]", text))


def true_usage(call: Call, text: str | None = None) -> dict[str, int]:
    """Count the tokens of a call and its answer; without a text, that of :func:`solve`."""
    read = sum(tokens(str(message["content"])) + 4 for message in call.body["messages"])
    written = tokens(solve(call.question) if text is None else text) + 1
    total = read + written
    return {"prompt_tokens": read, "completion_tokens": written, "total_tokens": total}


def complete(
    text: str, model: str, message: dict[str, Any] | None = None, finish_reason: str = "stop"
) -> dict[str, Any]:
    """Write a chat completion."""
    content = {"role": "assistant", "content": text, **(message or {})}
    choice = {"index": 0, "message": content, "finish_reason": finish_reason}
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
    head = {"id": "chatcmpl-fixture", "object": "chat.completion", "model": model}
    return {**head, "choices": [choice], "usage": usage}


def logprobs(*positions: Mapping[str, float], with_bytes: bool = True) -> dict[str, Any]:
    """Write the log-probabilities of a completion.

    Args:
        positions: for each token the probability of every text that is listed; the first is the
            one that was written.
        with_bytes: whether the bytes of each token are given, as OpenAI and vLLM do.
    """
    content = []
    for position in positions:
        listed = [_logprob(text, share, with_bytes=with_bytes) for text, share in position.items()]
        ordered = sorted(listed, key=lambda item: -item["logprob"])
        content.append({**listed[0], "top_logprobs": ordered})
    return {"content": content}


def _logprob(text: str, share: float, *, with_bytes: bool) -> dict[str, Any]:
    number = math.log(share) if share > 0 else -9999.0
    return {
        "token": text,
        "logprob": number,
        "bytes": list(text.encode()) if with_bytes else None,
    }


class FixtureServer:
    """The server; a context manager. Attributes may be changed while it runs."""

    def __init__(self, port: int = 0) -> None:
        self.calls: list[Call] = []
        self.script: list[Act] = []
        self.default = Act()
        self.act: Callable[[Call], Act] | None = None
        self.models: list[dict[str, Any]] | None = None  # the list; None has none
        self.look_delay = 0.0  # seconds before that list is sent
        self.looks = 0  # requests for the list
        self.most_at_once = 0
        self.billed = {"prompt_tokens": 0, "completion_tokens": 0}
        self.closing = threading.Event()
        self._at_once = 0
        self._lock = threading.Lock()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.fixture = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def __enter__(self) -> FixtureServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def begin(self, call: Call) -> Act:
        with self._lock:
            self.calls.append(call)
            self._at_once += 1
            self.most_at_once = max(self.most_at_once, self._at_once)
            if self.act is not None:
                act = self.act(call)
            else:
                act = self.script.pop(0) if self.script else self.default
            self._bill(act, call)
            return act

    def _bill(self, act: Act, call: Call) -> None:
        """Charge for whatever was worked on, whether or not the answer will arrive."""
        if act.billed is not None:
            for name in self.billed:
                self.billed[name] += act.billed[name]
            return
        if act.status != 200:
            return
        usage = act.usage or {"prompt_tokens": 10, "completion_tokens": 5}
        if act.hang or act.reset or act.raw is not None:  # as much as was asked for
            usage = {**usage, "completion_tokens": call.body.get("max_tokens", 5)}
        for name in self.billed:
            self.billed[name] += usage[name]

    def end(self) -> None:
        with self._lock:
            self._at_once -= 1


class RawServer:
    """A server that answers each request with given bytes, which need not be HTTP.

    The last answer is given again and again. ``requests`` holds what was asked, head and body;
    ``greeting`` is sent before anything is asked.
    """

    def __init__(self, *answers: bytes | Iterable[bytes], closes: bool = True) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []
        self.sent = 0
        self.greeting = b""
        self._closes = closes
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._thread = threading.Thread(target=self._listen, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}/v1"

    def __enter__(self) -> RawServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as stream, contextlib.suppress(OSError):
            connection.sendall(self.greeting)
            while request := _read_request(stream):
                self.requests.append(request)
                place = min(len(self.requests), len(self.answers)) - 1
                answer = self.answers[place]
                for part in [answer] if isinstance(answer, bytes) else answer:
                    connection.sendall(part)
                    self.sent += len(part)
                if self._closes:
                    return


def _read_request(stream: IO[bytes]) -> bytes:
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        line = stream.readline()
        if not line:
            return b""
        head += line
    size = re.search(rb"content-length: *(\d+)", head, re.IGNORECASE)
    return head + stream.read(int(size[1]) if size else 0)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 1024
    fixture: FixtureServer

    def handle_error(self, request: Any, client_address: Any) -> None:
        pass  # a client that went away is part of the tests


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def log_message(self, *args: Any) -> None:
        pass

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        body = json.loads(self.rfile.read(length))
        headers = {k.lower(): v for k, v in self.headers.items()}
        call = Call(time.monotonic(), body, headers, self.path)
        act = self.server.fixture.begin(call)
        try:
            self._perform(act, call)
        finally:
            call.done_at = time.monotonic()
            self.server.fixture.end()

    def do_GET(self) -> None:
        self.server.fixture.looks += 1
        self.server.fixture.closing.wait(self.server.fixture.look_delay)
        models = self.server.fixture.models
        status = 200 if models is not None and self.path.endswith("/models") else 404
        content = json.dumps({"object": "list", "data": models or []}).encode()
        head = f"HTTP/1.1 {status} Status\r\nContent-Length: {len(content)}\r\n\r\n"
        self.wfile.write(head.encode() + content)

    def _perform(self, act: Act, call: Call) -> None:
        if act.hang:
            self.server.fixture.closing.wait()
            self._break()
            return
        if act.delay:
            self.server.fixture.closing.wait(act.delay)
        if act.reset == "before":
            self._break()
            return
        content = _content(act, call) if act.raw is None else act.raw
        head = f"HTTP/1.1 {act.status} Status\r\nContent-Type: application/json\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in act.headers.items())
        head += f"Content-Length: {len(content)}\r\n\r\n"
        if act.reset == "middle":
            self.wfile.write(head.encode() + content[: len(content) // 2])
            self._break()
            return
        self.wfile.write(head.encode() + content)  # one write: no delayed acknowledgement

    def _break(self) -> None:
        """Reset the connection, as a crashing server does."""
        linger = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.close_connection = True


def _content(act: Act, call: Call) -> bytes:
    if act.error is not None:
        return act.error.encode() if isinstance(act.error, str) else json.dumps(act.error).encode()
    if act.status != 200:
        error = {"message": f"scripted {act.status} for key {KEY}", "code": act.code, "type": None}
        return json.dumps({"error": error}).encode()
    text = solve(call.question) if act.text is None else act.text
    answer = complete(text, call.body["model"], act.message, act.finish_reason)
    if act.logprobs is not None:
        answer["choices"][0]["logprobs"] = act.logprobs
    return json.dumps({**answer, "usage": act.usage}).encode()


def _serve() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--latency", type=float, default=0.0, help="seconds")
    given = parser.parse_args()
    with FixtureServer(given.port) as server:
        server.default = Act(delay=given.latency)
        sys.stderr.write(f"serving at {server.url}; ^C stops\n")
        for count in _counts(server):
            sys.stderr.write(f"{count} calls\n")


def _counts(server: FixtureServer) -> Iterator[int]:
    last = 0
    while True:
        try:
            time.sleep(1.0)
        except KeyboardInterrupt:
            return
        if len(server.calls) != last:
            last = len(server.calls)
            yield last


if __name__ == "__main__":
    _serve()
