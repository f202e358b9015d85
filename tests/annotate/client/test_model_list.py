"""The endpoint's own list of models: warned of, suggested from, and never waited for."""

from __future__ import annotations

import datetime
import time
from typing import Any

import pytest

from mitools.annotate.client.model_list import shutdown_date, suggest
from tests.annotate.conftest import sums
from tests.annotate.raw import http, ok
from tests.annotate.test_cli import lines, run
from tests.server import Act, FixtureServer, RawServer


@pytest.mark.parametrize(
    ("entry", "date"),
    [
        ({"shutdown_date": "2026-12-11"}, "2026-12-11"),
        ({"expiration_date": "2026-12-11T00:00:00Z"}, "2026-12-11"),
        ({"deprecation": {"inference": 1796947200, "fine_tune": 1812499200}}, "2026-12-11"),
        ({"deprecation": None, "retirement_date": "2027-01-02"}, "2027-01-02"),
        ({"deprecation": True}, None),
        ({"deprecation": "soon"}, None),
        ({"deprecation": 1e300}, None),
        ({"deprecation": float("nan")}, None),
        ({"deprecation": [1]}, None),
        ({"created": 1796947200}, None),
    ],
)
def test_a_date_is_found(entry: dict[str, Any], date: str | None) -> None:
    found = shutdown_date("m", [{"id": "x"}, {"id": "m", **entry}])
    assert found == (None if date is None else datetime.date.fromisoformat(date))
    assert shutdown_date("other", [{"id": "m", **entry}]) is None


def test_close_names_come_first_and_are_few() -> None:
    entries = [{"id": f"other-{number}"} for number in range(50)] + [{"id": "small-model"}]
    shown = suggest("smal-model", entries)
    assert shown.startswith("the endpoint has small-model, other-0, ")
    assert shown.endswith("and 41 more")
    assert suggest("m", [{"name": "a\x1b[2J" + "b" * 500}]).count("b") < 100
    assert suggest("m", []) == ""


def test_a_model_that_will_be_shut_down_is_warned_of(server: FixtureServer) -> None:
    server.models = [{"id": "fixture", "shutdown_date": "2026-12-11"}]
    status, records, err = run(server, lines(sums(3)))
    assert (status, len(records)) == (0, 3)
    assert err.count("warning: ") == 1
    assert "shuts fixture down on 2026-12-11" in err
    assert server.looks == 1


def test_an_endpoint_without_a_list_is_not_spoken_of(server: FixtureServer) -> None:
    status, _, err = run(server, lines(sums(3)))
    assert status == 0
    assert "warning" not in err


@pytest.mark.parametrize(
    "listing",
    [
        http(b"[" * 100_000),
        http(b'{"data": [1, null, {"id": 3, "deprecation": {}}]}'),
        http(b" " * (5 << 20)),
        b"nonsense\r\n\r\n",
        http(b"{}", "401 No"),
    ],
    ids=["deep", "strange", "huge", "not HTTP", "401"],
)
def test_a_broken_list_does_no_harm(listing: bytes) -> None:
    with RawServer(ok("The answer is (10 + 7)."), listing) as raw:
        status, records, err = run(None, lines(sums(1)), "-m", "x", "--base-url", raw.url)
    assert (status, len(records)) == (0, 1)
    assert all(line.startswith("mitools annotate: ") for line in err.splitlines())


def test_a_list_that_does_not_come_is_not_waited_for() -> None:
    def slowly() -> Any:
        time.sleep(3)
        yield b""

    with RawServer(ok("The answer is (10 + 7)."), slowly()) as raw:
        begin = time.monotonic()
        assert run(None, lines(sums(1)), "-m", "x", "--base-url", raw.url)[0] == 0
        assert time.monotonic() - begin < 2


def test_a_run_without_an_answer_never_looks(server: FixtureServer) -> None:
    server.default = Act(status=400)
    run(server, lines(sums(2)))
    assert server.looks == 0
