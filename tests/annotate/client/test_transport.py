"""Malformed responses over real HTTP are one record's fault; and the bounds of a response."""

from __future__ import annotations

import gzip
import json
import resource
import zlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from mitools.errors import TeacherError
from tests.annotate.conftest import Annotate, sums
from tests.annotate.raw import body, http, ok
from tests.annotate.test_cli import lines, run
from tests.server import Act, FixtureServer, RawServer

RIGHT = ok("The answer is (10 + 7).")
BODY = body()
MALFORMED = {
    "length and chunks": http(BODY, headers={"Transfer-Encoding": "chunked"}),
    "name with a space": http(BODY, headers={"X Bad": "1"}),
    "nul in a value": http(BODY, headers={"X-Nul": "a\x00b"}),
    "long header": http(BODY, headers={"X-Long": "y" * 20_000}),
    "many headers": http(BODY, headers={f"X-{number}": "y" for number in range(5000)}),
    "two lengths": RIGHT.replace(b"\r\n\r\n", b"\r\ncontent-length: 3\r\n\r\n", 1),
    "negative length": http(BODY, headers={"Content-Length": "-1"}),
    "bad chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
    "endless chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    "cut head": RIGHT[:30],
    "cut body": RIGHT[:-20],
    "cut chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
    "not HTTP": b"SSH-2.0-OpenSSH_9.6\r\n",
    "nothing": b"",
    "bad status": b"HTTP/1.1 2x0 OK\r\n\r\n",
    "not gzip": http(b"junk", headers={"Content-Encoding": "gzip"}),
    "cut gzip": http(gzip.compress(BODY)[:-30], headers={"Content-Encoding": "gzip"}),
    "plain as deflate": http(BODY, headers={"Content-Encoding": "deflate"}),
    "unknown coding": http(BODY, headers={"Content-Encoding": "br"}),
    "twice packed": http(
        gzip.compress(gzip.compress(BODY)), headers={"Content-Encoding": "gzip, gzip"}
    ),
    "deep JSON": http(b"[" * 100_000),
    "cut JSON": http(BODY[:-9]),
    "two values": http(BODY + BODY),
    "list": http(b"[1]"),
    "null": http(b"null"),
    "choices in an object": http(b'{"choices": {"0": {"message": {"content": "x"}}}}'),
    "no choices": http(b'{"choices": []}'),
    "choice that is a text": http(b'{"choices": ["x"]}'),
    "no message": http(b'{"choices": [{"message": null}]}'),
    "content that is a number": http(b'{"choices": [{"message": {"content": 4}}]}'),
    "empty body": http(b""),
    "redirect to nowhere": http(b"", "302 Found", {"Location": "http://[bad"}),
    "redirect to a file": http(b"", "307 Moved", {"Location": "file:///etc/passwd"}),
    "redirect to another host": http(b"", "307 Moved", {"Location": "http://192.0.2.1/v1"}),
    "redirect to itself": http(b"", "307 Moved", {"Location": "/v1/chat/completions"}),
}


@pytest.mark.parametrize("fault", MALFORMED.values(), ids=MALFORMED)
def test_a_malformed_response_is_the_fault_of_its_record(fault: bytes, annotate: Annotate) -> None:
    hops = 6 if b"Location: /v1" in fault else 1
    with RawServer(*[fault] * hops, RIGHT) as raw:
        outcome = annotate(sums(2), base_url=raw.url, retries=0, concurrency=1)
    assert outcome.kinds[0] in ("server_error", "connection")
    assert outcome.labels[1] == "(10 + 7)"
    message = outcome.records[0]["teacher"]["error"]["message"]
    assert 0 < len(message) < 500
    assert message.isprintable()


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("key", ["cut body", "not gzip", "deep JSON", "two lengths"])
def test_a_malformed_response_that_passes_costs_a_retry(key: str, annotate: Annotate) -> None:
    with RawServer(MALFORMED[key], RIGHT) as raw:
        assert annotate(sums(1), base_url=raw.url, retries=1).labels == ["(10 + 7)"]


@pytest.mark.parametrize(
    "content",
    [
        b"\xef\xbb\xbf" + BODY,
        b"\n" * 1000 + BODY,
        BODY.replace(b'"index": 0', b'"index": NaN'),
        BODY.replace(b'"index": 0', b'"logprobs": {"a": [null, -1e400]}'),
        BODY.replace(b'"index": 0', b'"index": ' + b"9" * 5000),
        BODY.replace(b'"model": "raw"', b'"model": {"a": 1}'),
        BODY.replace(b'"model": "raw"', b'"model": "\\ud83d"'),
        BODY.replace(b"The answer", b"\\udfff\\u0000 The answer"),
        BODY.replace(b'"usage": {', b'"usage": ["x"], "was": {'),
    ],
    ids=["mark", "lines", "nan", "inf", "digits", "model", "half model", "half text", "usage"],
)
def test_what_is_strange_beside_an_answer_does_no_harm(
    content: bytes, annotate: Annotate, tmp_path: Path
) -> None:
    with RawServer(http(content)) as raw:
        outcome = annotate(sums(1), base_url=raw.url, journal=tmp_path / "j")
        again = annotate(sums(1), base_url=raw.url, journal=tmp_path / "j", is_offline=True)
    assert outcome.labels == ["(10 + 7)"]
    assert again.records == outcome.records
    json.dumps(outcome.records, allow_nan=False, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("content", "headers", "text"),
    [
        (BODY.replace(b"The", "Été.".encode("latin-1") + b" The"), "iso-8859-1", "Été."),
        (BODY.replace(b"The", "Été.".encode() + b" The"), "idna", "Été."),
        (BODY.replace(b"The", "Été.".encode() + b" The"), "no-such", "Été."),
    ],
)
def test_a_charset_is_believed_where_it_is_a_common_one(
    content: bytes, headers: str, text: str, annotate: Annotate
) -> None:
    response = http(content, headers={"Content-Type": f"application/json; charset={headers}"})
    with RawServer(response) as raw:
        assert annotate(sums(1), base_url=raw.url).records[0]["teacher"]["rationale"] == text


def test_a_redirect_on_the_same_host_keeps_the_request(annotate: Annotate) -> None:
    moved = http(b"", "301 Moved", {"Location": "/v2/chat/completions"})
    with RawServer(moved, RIGHT) as raw:
        assert annotate(sums(1), base_url=raw.url).labels == ["(10 + 7)"]
    first, second = raw.requests
    assert second == first.replace(b"/v1/", b"/v2/")


def test_a_servers_cookies_are_not_kept(annotate: Annotate) -> None:
    with RawServer(http(BODY, headers={"Set-Cookie": "a=b; path=/"})) as raw:
        annotate(sums(2), base_url=raw.url, concurrency=1)
    assert b"cookie" not in raw.requests[1].lower()


def gzipped(size: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, zlib.MAX_WBITS | 16)
    spaces = b" " * (1 << 20)
    return b"".join(packer.compress(spaces) for _ in range(size >> 20)) + packer.flush()


def endless(size: int) -> Iterator[bytes]:
    yield f"HTTP/1.1 200 OK\r\nContent-Length: {size}\r\n\r\n".encode()
    for _ in range(size >> 20):
        yield b" " * (1 << 20)


@pytest.mark.parametrize("kind", ["plain", "gzip", "deflate", "error", "chunked"])
def test_a_huge_response_is_refused_without_being_read(
    kind: str, annotate: Annotate, tmp_path: Path
) -> None:
    size = 1 << 30
    bomb = gzipped(size // 4) if kind == "gzip" else zlib.compress(b" " * (1 << 26), 9)
    answers = {
        "plain": endless(size),
        "gzip": http(bomb, headers={"Content-Encoding": "gzip"}),
        "deflate": http(bomb, headers={"Content-Encoding": "deflate"}),
        "error": (part.replace(b"200 OK", b"400 Bad") for part in endless(size)),
        "chunked": chunks(size),
    }
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with RawServer(answers[kind], RIGHT) as raw:
        outcome = annotate(
            sums(2), base_url=raw.url, concurrency=1, max_response_bytes=1 << 20, retries=0
        )
    assert outcome.kinds == ["bad_request" if kind == "error" else "too_large", ""]
    if kind != "error":
        message = outcome.records[0]["teacher"]["error"]["message"]
        assert message == "the response is larger than 1 MiB; raise --max-response-bytes to read it"
    assert raw.sent < 64 << 20
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    assert grown < 40, "MB"


def chunks(size: int) -> Iterator[bytes]:
    yield b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for _ in range(size >> 20):
        yield b"100000\r\n" + b" " * (1 << 20) + b"\r\n"


def test_headers_without_end_are_refused(annotate: Annotate) -> None:
    def head() -> Iterator[bytes]:
        yield b"HTTP/1.1 200 OK\r\n"
        for number in range(1_000_000):
            yield f"X-{number}: {'y' * 1000}\r\n".encode()

    with RawServer(head(), RIGHT) as raw:
        outcome = annotate(sums(2), base_url=raw.url, concurrency=1, retries=0)
    assert outcome.kinds == ["server_error", ""]
    assert raw.sent < 16 << 20


def test_the_bound_is_an_option(server: FixtureServer) -> None:
    server.act = lambda call: Act(text="x" * 3000) if "11" in call.question else Act()
    status, records, _ = run(server, lines(sums(3)), "--max-response-bytes", "2K")
    assert status == 0
    kinds = [record["teacher"].get("error", {}).get("kind") for record in records]
    assert kinds == [None, "too_large", None]
    status, _, err = run(server, lines(sums(1)), "--max-response-bytes", "much")
    assert status == 2
    assert 'such as "16M"' in err


def test_a_server_that_is_not_encrypted_is_not_waited_for(annotate: Annotate) -> None:
    with RawServer(RIGHT) as raw:
        raw.greeting = b"220 mail\r\n"
        url = raw.url.replace("http:", "https:")
        with pytest.raises(TeacherError, match=r"SSL.*check --base-url, and the certificates"):
            annotate(sums(1), base_url=url, retries=0)


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("OPENAI_ORG_ID", "Ärger", "check OPENAI_ORG_ID"),
        ("SSL_CERT_FILE", "/no/such/file", "SSL_CERT_FILE"),
    ],
)
def test_an_environment_that_cannot_be_used_is_named(
    name: str, value: str, hint: str, monkeypatch: pytest.MonkeyPatch, annotate: Annotate
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(TeacherError, match=hint):
        annotate(sums(1))
