"""Responses of a chat server as bytes, to be damaged."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tests.server import complete


def body(text: str = "The answer is (10 + 7).") -> bytes:
    return json.dumps(complete(text, "raw")).encode()


def http(content: bytes, status: str = "200 OK", headers: Mapping[str, str] | None = None) -> bytes:
    """Write a response with the right length, unless the headers say otherwise."""
    fields = {"Content-Type": "application/json", "Content-Length": str(len(content))}
    fields |= {"Connection": "close", **(headers or {})}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode("latin-1") + content


def ok(text: str, status: str = "200 OK", error: str = "") -> bytes:
    """Write a right answer, or an error."""
    content = json.dumps({"error": {"message": error}}).encode() if error else body(text)
    return http(content, status)
