"""HTTP transport: bytes out, a bounded response in, every error of the libraries sorted.

The only module that imports the HTTP libraries. The openai package provides the connection pool and
the account. Its methods are not used, as they build and read models and retry by themselves
(openai/openai-python#1725): ``post`` takes 1.8 times the CPU time of its transport.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import socket
import ssl
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any
from urllib.parse import urljoin, urlsplit

import aiohttp
import httpx2
import openai

from mitools import __version__
from mitools.annotate.client.base_url import CHAT_PATH, BaseUrl
from mitools.annotate.client.faults import Fatal, Fault, Lost, Secrets, TooLarge, Transient
from mitools.annotate.client.requests import OPENAI_HOST
from mitools.annotate.client.server_words import short_line
from mitools.annotate.options import AnnotateOptions
from mitools.errors import TeacherError, TeacherRefusedError

__all__ = ["Response", "Transport"]

_MOST_ERROR_BYTES = 1 << 18  # read of an error's body
_MOST_REDIRECTS = 5
_REDIRECTS = (301, 302, 307, 308)

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
        try:
            self._http = _http_client(options)
            self._chat_url = httpx2.URL(url.at(CHAT_PATH))  # to take it apart each time takes time
        except (ValueError, OSError, ImportError, httpx2.InvalidURL) as exc:
            message = f"cannot make an HTTP client for {url.root}: {short_line(str(exc))}"
            hint = "check the variables HTTPS_PROXY, ALL_PROXY and SSL_CERT_FILE, and --base-url"
            raise TeacherError(message, hint=hint) from exc
        account = _account(url, self._http)
        self._headers = _headers(account, url)
        login = self._headers["Authorization"].partition(" ")[2]
        self.secrets = Secrets([account.api_key, login, *url.secrets])

    async def close(self) -> None:
        await self._http.aclose()

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
        except (TimeoutError, httpx2.ReadTimeout, httpx2.WriteTimeout) as exc:
            raise Lost("timeout", f"no answer within {timeout_seconds:g} s") from exc
        except _LIBRARY_ERRORS as exc:
            raise _sorted(exc, self.secrets) from exc

    async def _follow(self, method: str, path: str, content: bytes, most: int) -> Response:
        """Send, and follow redirects on the same host; a POST stays a POST."""
        url = self._chat_url if path == CHAT_PATH else httpx2.URL(self._url.at(path))
        for _ in range(_MOST_REDIRECTS + 1):
            request = self._http.build_request(method, url, headers=self._headers, content=content)
            response = await self._http.send(request, stream=True, auth=None)
            try:
                if response.status_code not in _REDIRECTS or "location" not in response.headers:
                    return await self._read(response, most)
                target = urljoin(str(url), response.headers["location"])
            finally:
                await response.aclose()
            if not _may_follow(str(url), target):
                shown = self.secrets.hide(target)
                why = f"{response.status_code}: the server redirects to {shown}"
                raise Transient("server_error", f"{why}, which is another server")
            url = httpx2.URL(target)
        raise Transient("server_error", "the server redirects in a circle")

    async def _read(self, response: httpx2.Response, most: int) -> Response:
        """Read and unpack a body in chunks, up to its bound."""
        if not response.is_success:
            body = await _take(response, _MOST_ERROR_BYTES)
        else:
            body = await _take(response, most + 1)
            if len(body) > most:
                size = f"the response is larger than {_shown_size(most)}"
                raise TooLarge("too_large", f"{size}; raise --max-response-bytes to read it")
        charset = ""
        if "charset" in response.headers.get("content-type", ""):  # looking for one takes time
            charset = (response.charset_encoding or "").lower()
        text = body.decode(charset if charset in _CHARSETS else "utf-8", errors="replace")
        reason = response.reason_phrase
        headers = response.headers
        return Response(response.status_code, reason, headers, text.removeprefix("\ufeff"))


def _report(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Drop aiohttp's message on stderr about connections closed by the garbage collector.

    It comes after a malformed response, which is reported as a fault of its request.
    """
    if "client_connection" not in context and "client_response" not in context:
        loop.default_exception_handler(context)


async def _take(response: httpx2.Response, most: int) -> bytes:
    """Read the first bytes of the unpacked body."""
    is_packed = "content-encoding" in response.headers
    if is_packed:
        _check_codings(response)
    parts: list[bytes] = []
    size = 0
    pieces = response.aiter_bytes() if is_packed else response.aiter_raw()
    async with contextlib.aclosing(pieces) as chunks:
        async for chunk in chunks:
            parts.append(chunk)
            size += len(chunk)
            if size >= most or response.num_bytes_downloaded > most:
                break
    if size < most < response.num_bytes_downloaded:  # a large packed body that unpacks to little
        raise httpx2.DecodingError("the packed body is larger than the unpacked one may be")
    return b"".join(parts)[:most]


def _check_codings(response: httpx2.Response) -> None:
    """Refuse encodings that were not requested, and chains, whose costs multiply.

    Raises:
        httpx2.DecodingError: the body cannot be unpacked.
    """
    listed = response.headers.get_list("content-encoding", split_commas=True)
    codings = [name.strip().lower() for name in listed]
    accepted = response.request.headers.get("accept-encoding", "").split(",")
    known = {"identity", "", *(name.strip().lower() for name in accepted)}
    if len(codings) > 1 or not known.issuperset(codings):
        raise httpx2.DecodingError(f"cannot unpack {', '.join(codings)}")


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
    # The innermost cause tells what happened; the outer ones depend on the transport.
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
    # aiohttp wraps the reason; the SDK's transport reports it as a timeout.
    is_named = isinstance(cause, aiohttp.ClientConnectorError)
    errno = getattr(cause, "errno", None)
    return is_named or isinstance(cause, _NO_ROUTE) or errno in _UNREACHABLE_ERRNO


def _reason(cause: OSError) -> str:
    inner = getattr(cause, "os_error", cause)
    if isinstance(inner, ConnectionRefusedError):
        return "connection refused"
    if isinstance(inner, socket.gaierror):
        return "no such host"
    return inner.strerror or str(inner)


def _account(url: BaseUrl, http: httpx2.AsyncClient) -> openai.AsyncOpenAI:
    """Make the SDK's client from the environment; servers other than OpenAI's need no key."""
    key = os.environ.get("OPENAI_API_KEY") or ("none" if url.host != OPENAI_HOST else None)
    if key is not None and not (key.isascii() and key.isprintable()):
        message = "OPENAI_API_KEY holds a character that no HTTP header can"
        raise TeacherRefusedError(message, hint='copy the key again: "export OPENAI_API_KEY=…"')
    try:
        return openai.AsyncOpenAI(api_key=key, base_url=url.root, http_client=http)
    except openai.OpenAIError as exc:
        raise TeacherRefusedError(
            "no API key",
            hint='type "export OPENAI_API_KEY=…", or name a server of your own with --base-url',
        ) from exc


def _headers(account: openai.AsyncOpenAI, url: BaseUrl) -> dict[str, str]:
    """Return the account's headers, without those that describe the SDK's requests."""
    every = {**account.default_headers, **account.auth_headers}
    kept = {
        name: value
        for name, value in every.items()
        if isinstance(value, str) and not name.startswith("X-Stainless-")
    }
    if url.user is not None:  # a login in the URL overrides the environment
        login = f"{url.user}:{url.password}".encode()
        kept["Authorization"] = f"Basic {base64.b64encode(login).decode()}"
    elif "api-version=" in url.query:  # Azure's name for the key
        kept["api-key"] = account.api_key
    if not all(value.isascii() and value.isprintable() for value in kept.values()):
        message = "a header of the account holds a character that no HTTP header can"
        hint = "check OPENAI_ORG_ID, OPENAI_PROJECT_ID and OPENAI_CUSTOM_HEADERS"
        raise TeacherError(message, hint=hint)
    return kept | {"User-Agent": f"mitools/{__version__}"}


def _http_client(options: AnnotateOptions) -> httpx2.AsyncClient:
    # The default pool keeps 100 idle connections; more requests would open new ones each time.
    # One more than the concurrency, so requesting the list of models delays nothing.
    most = options.concurrency + 1
    limits = httpx2.Limits(max_connections=most, max_keepalive_connections=most)
    return openai.DefaultAioHttpClient(
        limits=limits,
        timeout=options.timeout_seconds,
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),  # accept no cookies
    )
