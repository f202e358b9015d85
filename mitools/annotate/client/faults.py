"""The faults of one request: what they are, and what a server's status means.

Four outcomes: the record is refused (:class:`RequestRejected`), the server is too busy
(:class:`Busy`), the fault may pass (:class:`Transient`), or every request would fail
(:class:`Fatal`). What may have been paid for says so (``is_maybe_billed``).
"""

from __future__ import annotations

import email.utils
import math
import re
import time
from collections.abc import Iterable, Mapping

from mitools.annotate.client.server_words import ServerWords, find_words, short_line

__all__ = [
    "Busy",
    "Fatal",
    "Fault",
    "Lost",
    "RequestRejected",
    "Secrets",
    "TooLarge",
    "Transient",
    "may_be_billed",
    "rejection_kind",
    "retry_after",
    "sort_in_body",
    "sort_status",
]


class Fault(Exception):
    """One failed request.

    Attributes:
        kind: one word for the record's ``teacher.error``.
        message: for people, without secrets, on one line.
        words: what the server said.
        is_unreachable: no connection was made at all.
        is_maybe_billed: the server may have done the work, though its answer did not arrive.
        body: of a success that is not an answer, as it came; None elsewhere.
    """

    body: str | None = None
    is_unreachable = False
    is_maybe_billed = False

    def __init__(self, kind: str, message: str, words: ServerWords | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.words = words or ServerWords()


class RequestRejected(Fault):
    """This request is refused; others may pass."""


class TooLarge(RequestRejected):
    """The response is larger than it may be; the tokens in it may have to be paid."""

    is_maybe_billed = True


class Transient(Fault):
    """It may pass by itself."""


class Lost(Transient):
    """It may pass by itself, but what was asked for may have to be paid."""

    is_maybe_billed = True


class Busy(Fault):
    """The server asks everyone to wait.

    Attributes:
        wait_seconds: how long; None where it did not say.
        is_rate_limit: whether it is about the number of requests, not about this one.
    """

    def __init__(
        self, message: str, wait_seconds: float | None, *, is_rate_limit: bool, words: ServerWords
    ) -> None:
        super().__init__("rate_limit" if is_rate_limit else "server_error", message, words)
        self.wait_seconds = wait_seconds
        self.is_rate_limit = is_rate_limit


class Fatal(Fault):
    """Every further request would fail in the same way.

    Attributes:
        status: of the response; 0 where there was none.
        is_refusal: key, quota or permission.
    """

    def __init__(
        self,
        message: str,
        words: ServerWords | None = None,
        *,
        status: int = 0,
        is_refusal: bool = False,
    ) -> None:
        super().__init__("refused", message, words)
        self.status = status
        self.is_refusal = is_refusal


class Secrets:
    """What must not appear in a message."""

    def __init__(self, values: Iterable[str]) -> None:
        """Take the secrets; very short ones would blot out ordinary words."""
        self._values = sorted({value for value in values if len(value) > 4}, key=len, reverse=True)

    def hide(self, text: str) -> str:
        """Put a text on one bounded line, without the secrets."""
        for value in self._values:
            text = text.replace(value, "[key]")
        return short_line(re.sub(r"\bsk-[\w*-]{4,}", "[key]", text))


def sort_status(
    status: int, reason: str, headers: Mapping[str, str], body: str, secrets: Secrets
) -> Fault:
    """Sort a response that is not a success."""
    words = find_words(body)
    message = f"{status}: {secrets.hide(words.text or reason or 'no reason given')}"
    if _is_refusal(status, words) and not _is_about_one_record(words, message):
        return Fatal(message, words, status=status, is_refusal=True)
    wait = retry_after(headers)
    if status == 429:
        return Busy(message, wait, is_rate_limit=True, words=words)
    if status in (404, 405) or words.code == "model_not_found":
        return Fatal(message, words, status=status)
    if status < 400 or status in (408, 409, 425) or status >= 500:
        if wait is not None:
            return Busy(message, wait, is_rate_limit=False, words=words)
        return Transient("server_error", message, words)
    return RequestRejected(rejection_kind(words.code, message), message, words)


def sort_in_body(why: str, words: ServerWords, secrets: Secrets) -> Fault:
    """Sort a success whose body is not an answer, such as an error in a response of status 200."""
    message = f"the server sent no completion: {secrets.hide(why)}"
    if _QUOTA in (words.code, words.kind) or words.code in _KEY_CODES:
        return Fatal(message, words, is_refusal=True)
    return Lost("server_error", message, words)


_QUOTA = "insufficient_quota"
_KEY_CODES = ("invalid_api_key", "account_deactivated", "billing_not_active")


def _is_refusal(status: int, words: ServerWords) -> bool:
    is_by_code = _QUOTA in (words.code, words.kind) or words.code in _KEY_CODES
    return status in (401, 402, 403) or is_by_code


def _is_about_one_record(words: ServerWords, message: str) -> bool:
    """Tell a moderated input, for which gateways answer 403, from a refused account."""
    return rejection_kind(words.code, message) == "content_filter"


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
    "content_filter": (
        "content_filter",
        "content management policy",
        "content_policy",
        "input was flagged",
        "requires moderation",
    ),
    "context_length": ("context_length", "context length", "maximum context", "too many tokens"),
}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read ``Retry-After`` in seconds: a number or a date; and the milliseconds of OpenAI.

    None where there is none, or where it is not a finite time from now on.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None:
        return milliseconds / 1000
    value = headers.get("retry-after", "")
    seconds = _number(value.strip().removesuffix("s"))
    return _seconds_until(value) if seconds is None else seconds


def _number(text: str) -> float | None:
    """Read a decimal number; float() would also take "inf", "nan" and "1_0"."""
    if not re.fullmatch(r"\d{1,300}(?:\.\d{1,300})?", text.strip(), re.ASCII):
        return None
    found = float(text)
    return found if math.isfinite(found) else None


def _seconds_until(date: str) -> float | None:
    try:
        parsed = email.utils.parsedate_tz(date[:100])
        return None if parsed is None else max(0.0, email.utils.mktime_tz(parsed) - time.time())
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
