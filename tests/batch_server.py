"""A server with a Batch API on loopback: files, batches that take a while, results in any part.

    with BatchServer() as server:
        server.looks = 2
        ... annotate --batch at server.url ...
        assert len(server.batches) == 1

It answers by the fields of OpenAI's API (https://platform.openai.com/docs/api-reference/batch).
"""

from __future__ import annotations

import contextlib
import email
import email.policy
import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any

from tests.server import complete, solve

Row = dict[str, Any]


@dataclass
class Batch:
    """One batch.

    Attributes:
        requests: its lines.
        looks: how often it was asked about.
    """

    name: str
    file: str
    requests: list[Row]
    status: str = "in_progress"
    looks: int = 0
    answers: list[Row] = field(default_factory=list)
    failures: list[Row] = field(default_factory=list)
    errors: Row | None = None

    @property
    def questions(self) -> list[str]:
        return [row["body"]["messages"][-1]["content"] for row in self.requests]


def answered(row: Row, text: str | None = None, **body: Any) -> Row:
    """Answer one line of a batch."""
    question = row["body"]["messages"][-1]["content"]
    completion = complete(text or solve(question), row["body"]["model"]) | body
    response = {"status_code": 200, "request_id": "x", "body": completion}
    return {"id": "x", "custom_id": row["custom_id"], "response": response, "error": None}


def failed(row: Row, status: int = 400, message: str = "maximum context") -> Row:
    """Refuse one line of a batch."""
    response = {"status_code": status, "body": {"error": {"message": message}}}
    return {"id": "x", "custom_id": row["custom_id"], "response": response, "error": None}


class BatchServer:
    """The server.

    Attributes:
        looks: how often a batch is asked about before it ends.
        end: gives a batch its results and its last status.
        most_requests: of one batch; larger ones fail as OpenAI's do for the limit of an account.
        refusals: by the start of the method and path, status and body of the next such calls.
        losses: likewise, what is answered to calls that are done all the same: status and body, the
            seconds of a delay, or None for a connection that is closed.
        retry_after: the header of that name in answers with a status of 400 or above.
        calls: method and path of all calls.
        bearer: the Authorization header of the last one.
    """

    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}
        self.batches: list[Batch] = []
        self.looks = 1
        self.end: Callable[[Batch], None] = complete_all
        self.most_requests: int | None = None
        self.refusals: dict[str, list[tuple[int, Any]]] = {}
        self.losses: dict[str, list[tuple[int, Any] | float | None]] = {}
        self.retry_after: str | None = None
        self.calls: list[str] = []
        self.bearer = ""
        self.has_list = True
        self._lock = threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}/v1"

    @property
    def requests(self) -> list[Row]:
        """All lines of all batches."""
        return [row for batch in self.batches for row in batch.requests]

    def __enter__(self) -> BatchServer:
        self._thread.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._http.shutdown()
        self._http.server_close()

    def count(self, call: str) -> int:
        return sum(one.startswith(call) for one in self.calls)

    def wait_for(self, call: str, seconds: float = 20.0) -> None:
        """Wait until a call has come."""
        deadline = time.monotonic() + seconds
        while not self.count(call):
            assert time.monotonic() < deadline, f"no {call} within {seconds:g} s"
            time.sleep(0.01)

    def handle(self, method: str, path: str, body: bytes, kind: str) -> tuple[int, Any] | None:
        """Answer a call; None closes the connection."""
        call = f"{method} {path}"
        with self._lock:
            self.calls.append(call)
            for start, refusals in self.refusals.items():
                if call.startswith(start) and refusals:
                    return refusals.pop(0)
            answer = self._route(call, path, body, kind)
            place = next(
                (place for start, place in self.losses.items() if call.startswith(start)), []
            )
            instead = place.pop(0) if place else answer
        if isinstance(instead, float):
            time.sleep(instead)
            return answer
        return instead

    def _route(self, call: str, path: str, body: bytes, kind: str) -> tuple[int, Any]:
        parts = path.partition("?")[0].split("/")[2:]
        if call == "POST /v1/files":
            name = f"file-{len(self.files)}"
            self.files[name] = _upload(body, kind)
            return 200, {"id": name, "object": "file", "purpose": "batch"}
        if call == "POST /v1/batches":
            return 200, self._shown(self._make(json.loads(body)))
        if parts == ["batches"] and self.has_list:
            listed = [self._shown(batch) for batch in reversed(self.batches)]
            return 200, {"object": "list", "data": listed, "has_more": False}
        if parts[0] == "batches" and len(parts) == 2:
            batch = next((batch for batch in self.batches if batch.name == parts[1]), None)
            if batch is None:
                return 404, {"error": {"message": f"No such batch: {parts[1]}"}}
            batch.looks += 1
            if batch.status == "in_progress" and batch.looks >= self.looks:
                self.end(batch)
            return 200, self._shown(batch)
        if parts[0] == "files" and parts[2:] == ["content"]:
            return 200, self.files[parts[1]]
        return 404, {"error": {"message": f"unknown path {path}"}}

    def _make(self, wanted: Row) -> Batch:
        assert wanted["endpoint"] == "/v1/chat/completions"
        assert wanted["completion_window"] == "24h"
        file = wanted["input_file_id"]
        rows = [json.loads(line) for line in self.files[file].splitlines()]
        batch = Batch(f"batch_{len(self.batches)}", file, rows)
        self.batches.append(batch)
        if self.most_requests is not None and len(rows) > self.most_requests:
            batch.status = "failed"
            error = {"code": "token_limit_exceeded", "message": "Enqueued token limit reached."}
            batch.errors = {"object": "list", "data": [error]}
        return batch

    def _shown(self, batch: Batch) -> Row:
        shown: Row = {"id": batch.name, "object": "batch", "status": batch.status}
        shown |= {"input_file_id": batch.file, "errors": batch.errors}
        counts = {"total": len(batch.requests), "completed": len(batch.answers)}
        shown["request_counts"] = counts | {"failed": len(batch.failures)}
        for name, rows in (("output", batch.answers), ("error", batch.failures)):
            shown[f"{name}_file_id"] = None
            if rows and batch.status != "in_progress":
                file = f"{name}-{batch.name}"
                self.files[file] = "".join(json.dumps(row) + "\n" for row in rows).encode()
                shown[f"{name}_file_id"] = file
        return shown


def complete_all(batch: Batch) -> None:
    """Answer every request of a batch, in another order."""
    batch.answers = [answered(row) for row in reversed(batch.requests)]
    batch.status = "completed"


def _upload(body: bytes, kind: str) -> bytes:
    """Take the file out of a form; its purpose must be stated."""
    head = f"Content-Type: {kind}\r\n\r\n".encode()
    form = email.message_from_bytes(head + body, policy=email.policy.HTTP)
    parts = {part.get_param("name", header="content-disposition"): part for part in form.walk()}
    assert parts["purpose"].get_content().strip() == "batch"
    content = parts["file"].get_payload(decode=True)
    assert isinstance(content, bytes)
    return content


def _handler(server: BatchServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *_args: Any) -> None:
            pass

        def _serve(self) -> None:
            server.bearer = self.headers.get("Authorization", "")
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            kind = self.headers.get("Content-Type", "")
            handled = server.handle(self.command, self.path, body, kind)
            if handled is None:
                self.close_connection = True
                return
            status, answer = handled
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            with contextlib.suppress(OSError):
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                if status >= 400 and server.retry_after is not None:
                    self.send_header("Retry-After", server.retry_after)
                self.end_headers()
                self.wfile.write(content)

        do_GET = do_POST = _serve

    return Handler
