"""Sorting what can go wrong with one request, and saying it without giving a key away.

Four outcomes: the record is refused (:class:`Rejected`), the server is too busy (:class:`Busy`),
the fault may pass (:class:`Transient`), or every request would fail (:class:`Fatal`).
"""

from __future__ import annotations

import email.utils
import json
import re
import socket
import ssl
import time
from collections.abc import Iterator, Mapping
from typing import Any

import httpx2

__all__ = [
    "Busy",
    "Fatal",
    "Fault",
    "Lost",
    "Rejected",
    "Secrets",
    "Transient",
    "explain",
    "explain_status",
    "may_be_billed",
    "rejection_kind",
]

_NO_ROUTE = (ConnectionRefusedError, socket.gaierror, ssl.SSLError)
_UNREACHABLE_ERRNO = (101, 111, 113)  # network unreachable, refused, no route to host


class Fault(Exception):
    """One failed request.

    Attributes:
        kind: one word for the record's ``teacher.error``.
        message: for people, without secrets.
        is_unreachable: no connection was made at all.
        is_maybe_billed: the server may have done the work, though its answer did not arrive.
    """

    is_unreachable = False
    is_maybe_billed = False

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message


class Rejected(Fault):
    """This request is refused; others may pass."""


class Transient(Fault):
    """It may pass by itself."""


class Lost(Transient):
    """It may pass by itself, but what was asked for may have to be paid."""

    is_maybe_billed = True


class Busy(Fault):
    """The server asks everyone to wait.

    Attributes:
        wait_seconds: how long; None where it did not say.
    """

    def __init__(self, message: str, wait_seconds: float | None) -> None:
        super().__init__("rate_limit", message)
        self.wait_seconds = wait_seconds


class Fatal(Fault):
    """Every further request would fail in the same way.

    Attributes:
        is_refusal: key, quota or permission.
        hint: what to type next.
    """

    def __init__(self, message: str, hint: str, *, is_refusal: bool) -> None:
        super().__init__("refused", message)
        self.hint = hint
        self.is_refusal = is_refusal


class Secrets:
    """What must not appear in a message."""

    def __init__(self, key: str, url: str, shown_url: str) -> None:
        self._key = key if len(key) > 5 else ""
        self._url = url.rstrip("/")
        self._shown_url = shown_url

    def hide(self, text: str) -> str:
        if self._key:
            text = text.replace(self._key, "[key]")
        text = text.replace(self._url, self._shown_url)
        return " ".join(re.sub(r"\bsk-[\w*-]{4,}", "[key]", text).split())[:400]


def explain(exc: httpx2.HTTPError, secrets: Secrets) -> Fault:
    """Sort a fault of the way there and back."""
    causes = list(_causes(exc))
    for cause in causes:
        if isinstance(cause, ssl.SSLError):
            hint = "check --base-url, and the certificates of this machine"
            return Fatal(secrets.hide(str(cause)), hint, is_refusal=False)
    # The innermost says what happened; what wraps it differs by transport.
    reasons = (_reason(cause) for cause in reversed(causes) if isinstance(cause, OSError))
    reason = next(reasons, "")
    if any(_is_unreachable(cause) for cause in causes):
        fault = Transient("unreachable", secrets.hide(reason or "connection failed"))
        fault.is_unreachable = True
        return fault
    last = secrets.hide(reason or str(causes[-1]) or type(causes[-1]).__name__)
    return Lost("connection", f"the connection broke: {last}")


def explain_status(response: httpx2.Response, secrets: Secrets) -> Fault:
    """Sort an answer that is no success."""
    status = response.status_code
    error = _error_in(response.text)
    code, kind = (str(error.get(name) or "") for name in ("code", "type"))
    said = _said(error) or response.reason_phrase or "no reason given"
    message = f"{status}: {secrets.hide(said)}"
    wait = _wait_seconds(response.headers)
    if status in (401, 402, 403) or "insufficient_quota" in (code, kind):
        hint = "check OPENAI_API_KEY, and the account's credit and permissions"
        return Fatal(message, hint, is_refusal=True)
    if status == 429:
        return Busy(message, wait)
    if status in (404, 405):
        return Fatal(message, "check --base-url and -m", is_refusal=False)
    if status in (408, 409, 425) or status >= 500:
        return Busy(message, wait) if wait is not None else Transient("server_error", message)
    return Rejected(rejection_kind(code, message), message)


def may_be_billed(status: int, fault: Fault) -> bool:
    """Tell whether a server that answers so may have done the work, and charge for it.

    A gateway gives up with 502 or 504 while the model behind it goes on, and a prompt is paid for
    that a content filter reads. Nobody charges for 429, or for a request that is malformed.
    """
    return status >= 500 or status == 408 or fault.kind == "content_filter"


def rejection_kind(code: str, message: str) -> str:
    """Name the reason for which a record was refused."""
    for kind, words in _REJECTIONS.items():
        if any(word in code or word in message.lower() for word in words):
            return kind
    return "bad_request"


_REJECTIONS = {
    "content_filter": ("content_filter", "content management policy", "content_policy"),
    "context_length": ("context_length", "context length", "maximum context", "too many tokens"),
}


def _error_in(text: str) -> Mapping[str, Any]:
    """Find what the server says of the error, which comes in several shapes."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return {"message": re.sub(r"<[^>]*>", " ", text)}
    if not isinstance(body, Mapping):
        return {"message": body}
    inner = body.get("error")
    return inner if isinstance(inner, Mapping) else body


def _said(error: Mapping[str, Any]) -> str:
    words = (error.get(name) for name in ("message", "detail", "error"))
    return next((word.strip() for word in words if isinstance(word, str) and word.strip()), "")


def _wait_seconds(headers: Mapping[str, str]) -> float | None:
    """Read ``Retry-After``: seconds or a date; and the milliseconds that OpenAI also sends."""
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return max(0.0, float(milliseconds) / 1000)
    except ValueError:
        pass
    value = headers.get("retry-after")
    if not value:
        return None
    try:
        return max(0.0, float(value))
    except ValueError:
        pass
    parsed = email.utils.parsedate_tz(value)
    if parsed is None:
        return None
    return max(0.0, email.utils.mktime_tz(parsed) - time.time())


def _causes(exc: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = exc
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def _is_unreachable(cause: BaseException) -> bool:
    # aiohttp wraps the reason; the SDK's transport then calls it a time-out.
    is_named = type(cause).__name__.startswith(("ClientConnectorError", "ClientConnectorDNSError"))
    errno = getattr(cause, "errno", None)
    return is_named or isinstance(cause, _NO_ROUTE) or errno in _UNREACHABLE_ERRNO


def _reason(cause: OSError) -> str:
    inner = getattr(cause, "os_error", cause)
    if isinstance(inner, ConnectionRefusedError):
        return "connection refused"
    if isinstance(inner, socket.gaierror):
        return "no such host"
    return inner.strerror or str(inner)
