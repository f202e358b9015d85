"""URLs of endpoints as people type them."""

from __future__ import annotations

import pytest

from mitools.annotate.client.base_url import BaseUrl
from mitools.annotate.client.requests import Requests
from mitools.annotate.options import AnnotateOptions
from mitools.errors import TeacherError
from tests.annotate.conftest import Annotate, sums
from tests.annotate.raw import ok
from tests.server import RawServer


@pytest.mark.parametrize(
    ("typed", "root", "full"),
    [
        ("http://h:1/v1", "http://h:1/v1", "http://h:1/v1/x"),
        ("  https://h/v1/ \n", "https://h/v1", "https://h/v1/x"),
        ("http://h/v1/chat/completions", "http://h/v1", "http://h/v1/x"),
        ("http://h/v1/chat/completions/", "http://h/v1", "http://h/v1/x"),
        ("http://u:p@h/v1", "http://h/v1", "http://h/v1/x"),
        ("http://h/d?api-version=1", "http://h/d", "http://h/d/x?api-version=1"),
        ("http://h/d/chat/completions?v=1&k=2", "http://h/d", "http://h/d/x?v=1&k=2"),
        ("http://[::1]:8000/v1", "http://[::1]:8000/v1", "http://[::1]:8000/v1/x"),
    ],
)
def test_a_url_is_taken_apart(typed: str, root: str, full: str) -> None:
    url = BaseUrl.parse(typed)
    assert url.root == root
    assert url.at("/x") == full


def test_a_login_is_decoded() -> None:
    url = BaseUrl.parse("http://us%40er:p%3Ass@h/v1")
    assert (url.user, url.password) == ("us@er", "p:ss")


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("localhost:8000/v1", '"http://" or "https://" is missing'),
        ("api.example.com/v1", '"http://" or "https://" is missing'),
        ("ftp://h/v1", "not the URL of an HTTP server"),
        ("http://", "not the URL of an HTTP server"),
        ("http://h:99999/v1", "port is not a number up to 65535"),
        ("http://h:port/v1", "port is not a number up to 65535"),
        ("http://h:80 80/v1", "there is a space in it"),
        ("http://[::1/v1", "check its brackets"),
        ("http://a..b/v1", "no host can have this name"),
        (f"http://{'a' * 70}.com/v1", "no host can have this name"),
        ("http://h/v1#part", 'there is a "#"'),
        ("", "is missing"),
    ],
)
def test_what_cannot_be_an_endpoint_is_refused_at_once(typed: str, why: str) -> None:
    with pytest.raises(TeacherError, match=r"write it as") as caught:
        BaseUrl.parse(typed)
    assert why in str(caught.value)


@pytest.mark.parametrize(
    "typed",
    [
        "user:hunter22@h/v1",
        "http://user:hunter22@h:port/v1",
        "http://user:hunter22#@h/v1",
        "http://user:hunter22/@h/v1",
        "http://user:12/hunter22@h/v1",
        "http://user:12?hunter22@h:x/v1",
        "ftp://user:hunter22@h/v1",
        "http://user:hunter22@h h/v1",
        "http://h:x/v1?key=hunter22",
        "//user:hunter22@h/v1",
    ],
)
def test_a_refusal_never_shows_a_password(typed: str) -> None:
    with pytest.raises(TeacherError) as caught:
        BaseUrl.parse(typed)
    assert "hunter22" not in str(caught.value)


def test_the_journals_names_depend_on_the_query_but_not_on_its_secrets() -> None:
    def identity(url: str) -> str:
        return Requests(AnnotateOptions(model="m", base_url=url)).url.identity

    assert identity("http://h/v1?key=secret1") == identity("http://u:p@h/v1/") == "http://h/v1"
    assert identity("http://h/v1/chat/completions") == "http://h/v1"
    assert identity("http://h/d?api-version=1&api_key=s") == "http://h/d?api-version=1"


def test_a_query_reaches_each_request(annotate: Annotate) -> None:
    with RawServer(ok("The answer is (10 + 7).")) as raw:
        url = raw.url.replace("/v1", "/openai/deployments/d?api-version=2024-10-21")
        assert annotate(sums(1), base_url=url).labels == ["(10 + 7)"]
    head = raw.requests[0].decode()
    path = "/openai/deployments/d/chat/completions?api-version=2024-10-21"
    assert head.startswith(f"POST {path} HTTP/1.1")
    assert "\r\napi-key: sk-fixture-0123456789\r\n" in head


def test_a_login_goes_into_the_header_alone(annotate: Annotate) -> None:
    with RawServer(ok("The answer is (10 + 7).")) as raw:
        url = raw.url.replace("http://", "http://ann:hunter22@")
        assert annotate(sums(1), base_url=url).labels == ["(10 + 7)"]
    head = raw.requests[0].decode()
    assert "\r\nAuthorization: Basic YW5uOmh1bnRlcjIy\r\n" in head
    assert "hunter22" not in head


def test_a_password_that_a_server_repeats_is_not_shown(annotate: Annotate) -> None:
    answer = ok("", status="401 No", error="hunter22 is wrong, YW5uOmh1bnRlcjIy")
    with RawServer(answer) as raw, pytest.raises(TeacherError) as caught:
        annotate(sums(1), base_url=raw.url.replace("http://", "http://ann:hunter22@"))
    assert "401: [key] is wrong, [key]" in str(caught.value)
