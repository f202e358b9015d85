"""The faults of one request, sorted by HTTP status and error message.

Four kinds: the request is refused (:class:`RequestRejected`), the server is too busy
(:class:`Busy`), the fault may pass (:class:`Transient`), or every request would fail
(:class:`Fatal`). ``is_maybe_billed`` tells whether the request may have been billed.
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
    "rejection_kind",
    "retry_after",
    "sort_in_body",
    "sort_status",
]


class Fault(Exception):
    """One failed request.

    Attributes:
        kind: one word for the record's ``teacher.error``.
        message: one line for people, without secrets.
        words: the server's error message.
        is_unreachable: whether no connection was made.
        is_maybe_billed: whether the server may bill it, although no answer arrived.
        body: raw body of a success that is not an answer; else None.
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
    """This request is refused; others may succeed."""


class TooLarge(RequestRejected):
    """The response is larger than allowed; its tokens may be billed."""

    is_maybe_billed = True


class Transient(Fault):
    """A retry may succeed."""


class Lost(Transient):
    """A retry may succeed, but the request may be billed."""

    is_maybe_billed = True


class Busy(Fault):
    """The server asks for a pause.

    Attributes:
        wait_seconds: its length; None if the server did not say.
        is_rate_limit: whether it is about the rate of requests, not about this one.
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
        status: HTTP status; 0 without a response.
        is_refusal: whether it is about key, quota or permission.
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
    """Texts that must not appear in a message."""

    def __init__(self, values: Iterable[str]) -> None:
        """Take the secrets; very short ones are ignored, as they would match ordinary words."""
        self._values = sorted({value for value in values if len(value) > 4}, key=len, reverse=True)

    def hide(self, text: str) -> str:
        """Make one line of bounded length, without the secrets."""
        return short_line(re.sub(r"\bsk-[\w*-]{4,}", "[key]", self.mask(text)))

    def mask(self, text: str) -> str:
        """Replace the secrets in a text."""
        for value in self._values:
            text = text.replace(value, "[key]")
        return text


def sort_status(
    status: int, reason: str, headers: Mapping[str, str], body: str, secrets: Secrets
) -> Fault:
    """Sort a response that is not a success, with ``is_maybe_billed``."""
    words = find_words(body)
    message = f"{status}: {secrets.hide(words.text or reason or 'no reason given')}"
    return _sort(status, message, headers, words)


def sort_in_body(
    why: str, words: ServerWords, headers: Mapping[str, str], secrets: Secrets, *, is_begun: bool
) -> Fault:
    """Sort a success whose body is not an answer, such as an error with status 200.

    Args:
        why: what is wrong with the body.
        words: the error message in it. Gateways give the status that it would have had as its code.
        headers: of the response.
        secrets: not to be shown.
        is_begun: whether the model has begun to answer, so that its tokens may be billed.
    """
    if _STATUS.fullmatch(words.code):
        message = f"{words.code}, within a success: {secrets.hide(words.text or why)}"
        fault = _sort(int(words.code), message, headers, words)
        fault.is_maybe_billed = fault.is_maybe_billed or is_begun
        return fault
    message = f"the server sent no completion: {secrets.hide(why)}"
    if _is_refusal(0, words):
        return Fatal(message, words, is_refusal=True)
    if "rate_limit" in f"{words.code} {words.kind}" and not is_begun:
        return Busy(message, retry_after(headers), is_rate_limit=True, words=words)
    return Lost("server_error", message, words)


def _sort(status: int, message: str, headers: Mapping[str, str], words: ServerWords) -> Fault:
    fault = _by_status(status, message, headers, words)
    fault.is_maybe_billed = _may_be_billed(status, fault)
    return fault


def _by_status(status: int, message: str, headers: Mapping[str, str], words: ServerWords) -> Fault:
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
    return RequestRejected(rejection_kind(f"{words.code} {words.kind}", message), message, words)


_STATUS = re.compile(r"[45]\d\d", re.ASCII)
_QUOTA = "insufficient_quota"
_KEY_CODES = (
    *("invalid_api_key", "account_deactivated", "billing_not_active"),
    *("billing_hard_limit_reached", "insufficient_user_quota"),
)
# What providers say when an account can pay for no request, with status 400, 412 or 429 as well.
_UNPAID = re.compile(
    r"\bcredit balance\b|\b(?:out of|insufficient|not enough|no more|used all available) credits?\b"
    r"|\binsufficient (?:account )?(?:balance|funds|credit)\b|\bspecified api usage limits?\b"
    r"|\b(?:spend|spending|billing|billing hard) (?:limit|cap)\b"
    r"|\b(?:account|organization|team|project|workspace|subscription)\b.{0,60}?\b(?:is|was|been)"
    r" (?:suspended|deactivated|disabled|overdue|past due)\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'|`[^`]*`")  # may be the text of a record


def _is_refusal(status: int, words: ServerWords) -> bool:
    is_by_code = _QUOTA in (words.code, words.kind) or words.code in _KEY_CODES
    if status in (401, 402, 403) or is_by_code:
        return True
    return status < 500 and _UNPAID.search(_QUOTED.sub("", words.text)) is not None


def _is_about_one_record(words: ServerWords, message: str) -> bool:
    """Tell whether the input was moderated, for which gateways also answer 403."""
    return rejection_kind(f"{words.code} {words.kind}", message) == "content_filter"


def _may_be_billed(status: int, fault: Fault) -> bool:
    """Tell whether a request with this response may be billed.

    A gateway may time out with 502 or 504 while the model behind it continues, and a prompt that a
    content filter reads is billed. A response 429 or a malformed request is not.
    """
    return status >= 500 or status == 408 or fault.kind == "content_filter"


def rejection_kind(code: str, message: str) -> str:
    """Name the reason for which a request was refused.

    Args:
        code: the server's code of the error, and its type.
        message: what the server says.
    """
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
    "context_length": (
        *("context_length", "context length", "maximum context", "too many tokens"),
        *("exceed_context", "context size", "context window", "maximum model length"),
        *("prompt is too long", "input is too long", "prompt too long"),
    ),
}


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Read ``Retry-After``, as a number or a date, or OpenAI's ``retry-after-ms``, in seconds.

    None if there is none, or if it is not a finite time.
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
    value = float(text)
    return value if math.isfinite(value) else None


def _seconds_until(date: str) -> float | None:
    try:
        parsed = email.utils.parsedate_tz(date[:100])
        return None if parsed is None else max(0.0, email.utils.mktime_tz(parsed) - time.time())
    except (ValueError, OverflowError, TypeError, IndexError):
        return None
