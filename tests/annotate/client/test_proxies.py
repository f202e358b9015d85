"""Which proxy the environment names for a URL."""

from __future__ import annotations

import socket

import pytest

from mitools.annotate.client.proxies import proxy_for
from mitools.errors import TeacherError
from tests.annotate.conftest import Annotate, sums
from tests.annotate.raw import ok
from tests.server import RawServer

NAMES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def test_without_variables_a_url_is_asked_directly() -> None:
    assert proxy_for("https://api.example.org/v1") is None


def test_the_proxy_of_the_scheme_comes_before_the_one_of_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://secure:3128")
    monkeypatch.setenv("ALL_PROXY", "every:3128")
    assert proxy_for("https://api.example.org/v1") == "http://secure:3128"
    assert proxy_for("http://api.example.org/v1") == "http://every:3128"


@pytest.mark.parametrize(
    ("excluded", "host", "is_direct"),
    [
        ("*", "api.example.org", True),
        ("example.org", "example.org", True),
        ("example.org", "api.example.org", True),
        ("example.org", "anexample.org", False),
        ("EXAMPLE.org", "api.example.org", True),
        (".example.org", "api.example.org", True),
        (".example.org", "example.org", False),
        ("*.example.org", "api.example.org", True),
        ("*.example.org", "example.org", False),
        ("other.net, example.org ,", "example.org", True),
        ("http://example.org", "example.org", True),
        ("example.org:8080", "example.org:8080", True),
        ("example.org:8080", "example.org:8081", False),
        ("localhost", "localhost:8000", True),
        ("10.0.0.7", "10.0.0.7", True),
        ("10.0.0.0/8", "10.1.2.3:8000", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("::1", "[::1]:8000", True),
        ("[::1]", "[::1]", True),
        ("fd00::/8", "[fd12::1]", True),
        ("", "example.org", False),
        (",/8,[,:,", "example.org", False),
    ],
)
def test_hosts_in_no_proxy_are_asked_directly(
    excluded: str, host: str, is_direct: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://proxy:3128")
    monkeypatch.setenv("NO_PROXY", excluded)
    assert (proxy_for(f"http://{host}/v1") is None) == is_direct


def test_requests_go_through_the_proxy_with_its_login(
    annotate: Annotate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer(ok("The answer is (10 + 7).")) as proxy:
        address = proxy.url.removeprefix("http://").removesuffix("/v1")
        monkeypatch.setenv("HTTP_PROXY", f"http://user:pass%40word@{address}")
        monkeypatch.setenv("NO_PROXY", "localhost")
        outcome = annotate(sums(1), base_url="http://teacher.invalid/v1", retries=0)
    assert outcome.labels == ["(10 + 7)"]
    assert proxy.requests[0].startswith(b"POST http://teacher.invalid/v1/chat/completions HTTP/1.1")
    assert b"Proxy-Authorization: Basic dXNlcjpwYXNzQHdvcmQ=" in proxy.requests[0]


def test_an_encrypted_request_gives_the_login_to_the_proxy_alone(
    annotate: Annotate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with RawServer(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as proxy:
        address = proxy.url.removeprefix("http://").removesuffix("/v1")
        monkeypatch.setenv("HTTPS_PROXY", f"http://user:word@{address}")
        monkeypatch.setenv("NO_PROXY", "localhost")
        with pytest.raises(TeacherError, match="server_error"):
            annotate(sums(1), base_url="https://teacher.invalid/v1", retries=0)
    head = proxy.requests[0]
    assert head.startswith(b"CONNECT teacher.invalid:443 HTTP/1.1")
    assert b"Proxy-Authorization: Basic dXNlcjp3b3Jk" in head
    assert b"\r\nAuthorization" not in head


def test_a_proxy_that_is_not_an_http_proxy_is_named(
    annotate: Annotate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://user:secret@127.0.0.1:1080")
    monkeypatch.setenv("NO_PROXY", "localhost")
    with pytest.raises(TeacherError, match=r"socks5 cannot be used.*ALL_PROXY") as caught:
        annotate(sums(1), base_url="http://teacher.invalid/v1")
    assert "secret" not in str(caught.value)


def test_a_proxy_that_does_not_answer_is_unreachable(
    annotate: Annotate, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{port}")
    monkeypatch.setenv("NO_PROXY", "localhost")
    with pytest.raises(TeacherError, match="refused"):
        annotate(sums(1), base_url="http://teacher.invalid/v1", retries=0)
