"""The URL of an endpoint: parsed, checked, and shown without its secrets. No network access."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit, urlunsplit

from mitools.annotate.client.server_words import short_line
from mitools.errors import TeacherError

__all__ = ["CHAT_PATH", "COMPLETIONS_PATH", "BaseUrl"]

CHAT_PATH = "/chat/completions"
COMPLETIONS_PATH = "/completions"

_HINT = 'write it as "http://HOST:PORT/v1"'
_SECRET_NAMES = ("key", "token", "secret", "password", "sig", "signature", "code")


@dataclass(frozen=True, slots=True)
class BaseUrl:
    """Where requests go.

    Attributes:
        root: scheme, host, port and path, without a trailing slash; holds no secret.
        query: the text after ``?`` in each request, such as ``api-version=2024-10-21``.
        user: of a login in the URL; None if there is none.
        password: of that login.
        host: in lower case.
    """

    root: str
    query: str = ""
    user: str | None = None
    password: str = ""
    host: str = ""

    @classmethod
    def parse(cls, text: str) -> BaseUrl:
        """Parse a URL; ``/chat/completions`` at its end is dropped.

        Raises:
            TeacherError: it is not the URL of an HTTP server; the message holds no secret.
        """
        typed = text.strip()
        if re.search(r"[\s\x00-\x1f\x7f]", typed):
            raise _refused(typed, "is not the URL of an HTTP server: there is a space in it")
        try:
            parts = urlsplit(typed)
            host, _ = parts.hostname or "", parts.port
        except ValueError as exc:  # a port that is not a number, brackets that do not close
            raise _refused(typed, f"is not the URL of an HTTP server: {_reason(exc)}") from exc
        _check(typed, parts, host)
        address = parts.netloc.rpartition("@")[2]
        path = parts.path.rstrip("/").removesuffix(CHAT_PATH).rstrip("/")
        return cls(
            root=urlunsplit((parts.scheme, address, path, "", "")),
            query=parts.query,
            user=None if parts.username is None else unquote(parts.username),
            password=unquote(parts.password or ""),
            host=host,
        )

    def at(self, path: str) -> str:
        """Return the full URL of a path below the root."""
        return f"{self.root}{path}?{self.query}" if self.query else f"{self.root}{path}"

    @property
    def identity(self) -> str:
        """The identity of the endpoint in request keys: root, and query without its secrets."""
        pairs = parse_qsl(self.query, keep_blank_values=True)
        public = [(name, value) for name, value in pairs if not _is_secret(name)]
        return f"{self.root}?{urlencode(public)}" if public else self.root

    @property
    def secrets(self) -> list[str]:
        """Parts of the URL that must not be shown."""
        pairs = parse_qsl(self.query, keep_blank_values=True)
        return [self.password, *(value for name, value in pairs if _is_secret(name))]


def _check(typed: str, parts: SplitResult, host: str) -> None:
    if parts.scheme not in ("http", "https") or not host:
        missing = "" if "://" in typed else ': "http://" or "https://" is missing'
        raise _refused(typed, f"is not the URL of an HTTP server{missing}")
    if parts.fragment or "@" in parts.path + parts.query:
        sign = "#" if parts.fragment else "@"
        why = f'there is a "{sign}" behind the host; in a password write it as %{ord(sign):X}'
        raise _refused(typed, f"cannot be an endpoint: {why}")
    try:
        if ":" not in host:  # an IPv6 address has no labels
            host.rstrip(".").encode("idna")
    except UnicodeError as exc:
        raise _refused(
            typed, "is not the URL of an HTTP server: no host can have this name"
        ) from exc


def _reason(exc: ValueError) -> str:
    return "its port is not a number up to 65535" if "ort" in str(exc) else "check its brackets"


def _refused(typed: str, why: str) -> TeacherError:
    return TeacherError(f'"{_shown(typed)}" {why}', hint=_HINT)


def _shown(typed: str) -> str:
    """Drop login, query and fragment, even if the text cannot be parsed as a URL."""
    scheme, separator, rest = typed.rpartition("://") if "://" in typed else ("", "", typed)
    rest = re.split(r"[?#]", rest.rpartition("@")[2], maxsplit=1)[0]
    return short_line(f"{scheme}{separator}{rest}", 200)


def _is_secret(name: str) -> bool:
    return any(part in _SECRET_NAMES for part in re.split(r"[^a-z]+", name.lower())) or (
        name.lower().endswith(("key", "token"))
    )
