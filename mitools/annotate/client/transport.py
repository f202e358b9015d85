"""HTTP transport: bytes out, a bounded response in, every error of the libraries sorted.

The openai package provides the account: its key and its headers. Its methods are not used, as they
build and read models and retry by themselves (openai/openai-python#1725). Requests go to aiohttp
directly: through the HTTP client of the openai package, which is httpx2 over aiohttp, each takes
two to three times the CPU time. httpx2 makes the TLS context and parses URLs.
"""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
import zlib
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
import httpx2

from mitools.annotate.client.account import account_headers, account_of, basic_login
from mitools.annotate.client.base_url import CHAT_PATH, BaseUrl
from mitools.annotate.client.faults import Fatal, Fault, Lost, Secrets, TooLarge, Transient
from mitools.annotate.client.open_files import allow_connections
from mitools.annotate.client.packed_body import unpacked
from mitools.annotate.client.proxies import proxy_for
from mitools.annotate.client.server_words import short_line
from mitools.annotate.options import AnnotateOptions
from mitools.errors import TeacherError

__all__ = ["Response", "Transport"]

_MOST_ERROR_BYTES = 1 << 18  # read of an error's body
_MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 307, 308)
_KEEPALIVE_SECONDS = 5.0  # that an idle connection is kept

# What the libraries raise for malformed responses, as found by fuzzing.
_LIBRARY_ERRORS = (
    httpx2.HTTPError,
    httpx2.InvalidURL,
    httpx2.StreamError,
    httpx2.CookieConflict,
    aiohttp.ClientError,
    aiohttp.http_exceptions.HttpProcessingError,
    OSError,
    EOFError,
    ValueError,
    LookupError,
    RecursionError,
    zlib.error,
)
_MALFORMED = (
    aiohttp.ClientResponseError,
    aiohttp.http_exceptions.HttpProcessingError,
    httpx2.DecodingError,
    httpx2.InvalidURL,
    ValueError,
    LookupError,
    zlib.error,
)
_NO_ROUTE = (ConnectionRefusedError, socket.gaierror)
_UNREACHABLE_ERRNO = (101, 111, 113)  # network unreachable, refused, no route to host
_TOO_MANY_ERRNO = (errno.EMFILE, errno.ENFILE)

# Decoders that take linear time; others, such as idna, do not, and are not needed.
_CHARSETS = ("iso-8859-1", "latin-1", "latin1", "windows-1252", "cp1252", "utf-16")


@dataclass(frozen=True, slots=True)
class Response:
    """A response; ``text`` is the unpacked body."""

    status: int
    reason: str
    headers: Mapping[str, str]
    text: str

    @property
    def is_success(self) -> bool:
        return 200 <= self.status < 300


class Transport:
    """Sends bytes to one endpoint."""

    def __init__(self, options: AnnotateOptions, url: BaseUrl) -> None:
        """Make the client; nothing is sent yet.

        Raises:
            TeacherRefusedError: there is no API key.
            TeacherError: a proxy or certificate in the environment is not usable.
        """
        self._url = url
        self._most_bytes = options.max_response_bytes
        self._pool_size = options.concurrency + 1  # the list of models delays no question
        self._session: aiohttp.ClientSession | None = None  # made in the event loop
        try:
            self._tls = httpx2.create_ssl_context()
            self._chat = _Target.of(url.at(CHAT_PATH))
            # Sends nothing; without it, the openai package makes one and reads certificates again.
            plain = httpx2.AsyncClient(verify=self._tls, trust_env=False)
        except (ValueError, OSError, ImportError, httpx2.InvalidURL) as exc:
            message = f"cannot make an HTTP client for {url.root}: {short_line(str(exc))}"
            hint = "check the variables HTTPS_PROXY, ALL_PROXY and SSL_CERT_FILE, and --base-url"
            raise TeacherError(message, hint=hint) from exc
        account = account_of(url, plain)
        self._headers = account_headers(account, url)
        self._headers["Accept-Encoding"] = plain.headers["accept-encoding"]
        login = self._headers["Authorization"].partition(" ")[2]
        self.secrets = Secrets([account.api_key, login, *url.secrets])

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()

    async def post(self, path: str, content: bytes, timeout_seconds: float) -> Response:
        """Send a body.

        Raises:
            Fault: there was no response, or none that can be read.
        """
        return await self._guarded("POST", path, content, self._most_bytes, timeout_seconds)

    async def get(self, path: str, most_bytes: int, timeout_seconds: float) -> Response:
        """Ask for something that is not a completion; raises as :meth:`post` does."""
        return await self._guarded("GET", path, b"", most_bytes, timeout_seconds)

    async def _guarded(
        self, method: str, path: str, content: bytes, most_bytes: int, timeout_seconds: float
    ) -> Response:
        """Turn whatever the libraries raise into a fault of this one request."""
        asyncio.get_running_loop().set_exception_handler(_report)
        try:
            async with asyncio.timeout(timeout_seconds):
                return await self._follow(method, path, content, most_bytes)
        except TimeoutError as exc:
            raise Lost("timeout", f"no answer within {timeout_seconds:g} s") from exc
        except _LIBRARY_ERRORS as exc:
            raise _sorted(exc, self.secrets) from exc

    async def _follow(self, method: str, path: str, content: bytes, most: int) -> Response:
        """Send, and follow redirects on the same host; a POST stays a POST."""
        if self._session is None:
            allow_connections(self._pool_size)
            self._session = _open_session(self._tls, self._pool_size)
        target = self._chat if path == CHAT_PATH else _Target.of(self._url.at(path))
        for _ in range(_MOST_REDIRECTS + 1):
            async with self._session.request(
                method,
                target.url,
                data=content or None,
                headers=self._headers | target.login,
                allow_redirects=False,
                proxy=target.proxy,
                proxy_headers=target.tunnel_login,
            ) as response:
                if response.status not in _REDIRECTS or "location" not in response.headers:
                    return await self._read(response, most)
                place = urljoin(target.url, _whole(response.headers["location"]))
            if not _may_follow(target.url, place):
                shown = self.secrets.hide(place)
                why = f"{response.status}: the server redirects to {shown}"
                raise Transient("server_error", f"{why}, which is another server")
            target = _Target.of(place)
        raise Transient("server_error", "the server redirects in a circle")

    async def _read(self, response: aiohttp.ClientResponse, most: int) -> Response:
        """Read and unpack a body in chunks, up to its bound."""
        is_success = 200 <= response.status < 300
        bound = most + 1 if is_success else _MOST_ERROR_BYTES
        if "content-encoding" in response.headers:
            body = await unpacked(response, bound, self._headers["Accept-Encoding"])
        else:
            body = await _take(response.content.iter_any(), bound)
        if is_success and len(body) > most:
            size = f"the response is larger than {_shown_size(most)}"
            raise TooLarge("too_large", f"{size}; raise --max-response-bytes to read it")
        charset = ""
        if "charset" in response.headers.get("content-type", ""):  # looking for one takes time
            charset = (response.charset or "").lower()
        text = body.decode(charset if charset in _CHARSETS else "utf-8", errors="replace")
        reason = _whole(response.reason or "")
        return Response(response.status, reason, response.headers, text.removeprefix("\ufeff"))


@dataclass(frozen=True, slots=True)
class _Target:
    """A URL to send to, and its proxy. Prepared once, as all questions go to the same URL.

    Attributes:
        url: normalized.
        proxy: URL of the proxy, without a login; None to ask directly.
        login: the proxy's login, as headers of a request that the proxy itself forwards.
        tunnel_login: the login as headers of the request for an encrypted tunnel.
    """

    url: str
    proxy: str | None = None
    login: dict[str, str] = field(default_factory=dict)
    tunnel_login: dict[str, str] | None = None

    @classmethod
    def of(cls, url: str) -> _Target:
        """Normalize a URL, and choose its proxy.

        Raises:
            ValueError: the proxy that the environment names is not an HTTP proxy.
            httpx2.InvalidURL: one of them is not a URL.
        """
        place = str(httpx2.URL(url))
        name = proxy_for(place)
        if name is None:
            return cls(place)
        proxy = httpx2.Proxy(name)
        if proxy.url.scheme not in ("http", "https"):
            raise ValueError(f"a proxy of the kind {proxy.url.scheme} cannot be used, only HTTP")
        login = {} if proxy.auth is None else {"Proxy-Authorization": basic_login(*proxy.auth)}
        is_tunnel = place.startswith("https:")  # the server behind it must not see the login
        return cls(place, str(proxy.url), {} if is_tunnel else login, login if is_tunnel else None)


def _open_session(tls: ssl.SSLContext, pool_size: int) -> aiohttp.ClientSession:
    # The default pool keeps 100 connections; more requests would wait for each other.
    connector = aiohttp.TCPConnector(limit=pool_size, ssl=tls, keepalive_timeout=_KEEPALIVE_SECONDS)
    return aiohttp.ClientSession(
        connector=connector,
        cookie_jar=aiohttp.DummyCookieJar(),  # accept no cookies
        auto_decompress=False,
        timeout=aiohttp.ClientTimeout(total=None),  # each request has one timeout around it
    )


def _whole(text: str) -> str:
    """Replace bytes of a header that are not UTF-8, which aiohttp keeps as lone surrogates."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8", "replace")


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Drop aiohttp's message on stderr about connections closed by the garbage collector.

    It comes after a malformed response, which is reported as a fault of its request.
    """
    if "client_connection" not in context and "client_response" not in context:
        loop.default_exception_handler(context)


async def _take(pieces: AsyncIterator[bytes], most: int) -> bytes:
    """Read the first bytes of a body."""
    parts: list[bytes] = []
    size = 0
    async for piece in pieces:
        parts.append(piece)
        size += len(piece)
        if size >= most:
            break
    return b"".join(parts)[:most]


def _may_follow(url: str, target: str) -> bool:
    """Allow redirects only to the same host, and not from HTTPS to HTTP."""
    old, new = urlsplit(url), urlsplit(target)
    is_kept = new.scheme == old.scheme or (old.scheme, new.scheme) == ("http", "https")
    return is_kept and new.hostname == old.hostname and new.username is None


def _shown_size(size: int) -> str:
    return f"{size / (1 << 20):g} MiB" if size >= 1 << 20 else f"{size:,} bytes"


def _sorted(exc: BaseException, secrets: Secrets) -> Fault:
    """Turn an error of a library into a fault."""
    causes = list(_causes(exc))
    for cause in causes:
        if _is_certificate(cause):
            return Fatal(secrets.hide(str(cause)))
    if any(_errno(cause) in _TOO_MANY_ERRNO for cause in causes):
        advice = 'lower --concurrency, or type "ulimit -n" with a larger number'
        return Transient("connection", f"this process has too many open files: {advice}")
    # The innermost cause tells what happened.
    reasons = (_reason(cause) for cause in reversed(causes) if isinstance(cause, OSError))
    reason = next(reasons, "")
    if any(_is_unreachable(cause) for cause in causes):
        fault = Transient("unreachable", secrets.hide(reason or "connection failed"))
        fault.is_unreachable = True
        return fault
    malformed = next((cause for cause in causes if isinstance(cause, _MALFORMED)), None)
    is_cut = any(isinstance(cause, aiohttp.http_exceptions.ContentLengthError) for cause in causes)
    if malformed is not None and not is_cut and not reason:
        text = getattr(malformed, "message", "") or str(malformed) or type(malformed).__name__
        return Lost("server_error", f"the server sent malformed HTTP: {secrets.hide(text)}")
    last = secrets.hide(reason or str(causes[-1]) or type(causes[-1]).__name__)
    return Lost("connection", f"the connection broke: {last}")


def _causes(exc: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = exc
    while current is not None:
        yield current
        current = current.__cause__ or current.__context__


def _is_certificate(cause: BaseException) -> bool:
    """Tell whether a certificate was refused, rather than an encrypted connection broken."""
    is_at_start = isinstance(cause, aiohttp.ClientConnectorSSLError)
    return is_at_start or isinstance(cause, ssl.SSLCertVerificationError)


def _is_unreachable(cause: BaseException) -> bool:
    is_named = isinstance(cause, aiohttp.ClientConnectorError)
    return is_named or isinstance(cause, _NO_ROUTE) or _errno(cause) in _UNREACHABLE_ERRNO


def _errno(cause: BaseException) -> int | None:
    return getattr(cause, "errno", None)


def _reason(cause: OSError) -> str:
    inner = getattr(cause, "os_error", cause)
    if isinstance(inner, ConnectionRefusedError):
        return "connection refused"
    if isinstance(inner, socket.gaierror):
        return "no such host"
    return inner.strerror or str(inner)
