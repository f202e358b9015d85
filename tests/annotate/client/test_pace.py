"""A server that asks to wait: how long it is obeyed, how often it is asked, what is said of it."""

from __future__ import annotations

import asyncio
import email.utils
import time

import pytest

from mitools.annotate.client.faults import retry_after
from mitools.annotate.client.pace import Pace
from mitools.errors import TeacherError
from tests.annotate.conftest import Annotate, sums
from tests.annotate.test_cli import lines, run
from tests.server import Act, FixtureServer


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("2", 2.0),
        (" 0.5 ", 0.5),
        ("2s", 2.0),
        ("0", 0.0),
        ("1000000000000", 1e12),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0.0),
        ("-1", None),
        ("inf", None),
        ("nan", None),
        ("1e3", None),
        ("1_000", None),
        ("٣", None),
        ("9" * 299, 1e299),
        ("9" * 400, None),
        ("9" * 100_000, None),
        ("2030-01-01T00:00:00Z", None),
        ("Wed, 99 Foo 99999 99:99:99 GMT", None),
        ("Wed, 21 Oct 999999999 07:28:00 GMT", None),
        ("soon", None),
        ("", None),
    ],
)
def test_only_a_finite_time_is_read(value: str, seconds: float | None) -> None:
    found = retry_after({"retry-after": value})
    assert found == (None if seconds is None else pytest.approx(seconds))


def test_a_date_is_read_and_milliseconds_come_first() -> None:
    date = email.utils.formatdate(time.time() + 100, usegmt=True)
    assert 95 < (retry_after({"retry-after": date}) or 0) <= 100
    assert retry_after({"retry-after": "7", "retry-after-ms": "1500"}) == 1.5
    assert retry_after({"retry-after": "7", "retry-after-ms": "nan"}) == 7


@pytest.mark.parametrize("value", ["0", "-1", "inf", "nan", "soon", "0.001"])
def test_there_is_a_floor_whatever_the_server_says(
    value: str, server: FixtureServer, annotate: Annotate
) -> None:
    server.script = [Act(status=429, headers={"Retry-After": value})]
    assert None not in annotate(sums(1)).labels
    assert 0.4 < server.calls[1].at - server.calls[0].at < 2


def test_a_server_that_never_answers_is_asked_little_and_given_up(
    server: FixtureServer, annotate: Annotate
) -> None:
    error = {"error": {"message": "daily limit reached"}}
    server.default = Act(status=429, headers={"Retry-After": "0"}, error=error)
    begin = time.monotonic()
    with pytest.raises(TeacherError, match=r"longer than 3 s: 429: daily limit.*--max-wait"):
        annotate(sums(100), concurrency=16, max_wait_seconds=3.0)
    assert time.monotonic() - begin < 6
    assert len(server.calls) <= 16 + 8 + 4


def test_a_wait_without_end_is_taken_for_a_mistake_once(
    server: FixtureServer, annotate: Annotate
) -> None:
    far = Act(status=503, headers={"Retry-After": "86400"})
    server.script = [far]
    assert None not in annotate(sums(2), concurrency=1).labels
    server.default = far
    begin = time.monotonic()
    with pytest.raises(TeacherError, match=r"longer than 600 s \(it asks for 86,400 s\)"):
        annotate(sums(20))
    assert time.monotonic() - begin < 4


@pytest.mark.usefixtures("quick")
def test_a_request_that_alone_is_told_to_wait_costs_retries(
    server: FixtureServer, annotate: Annotate
) -> None:
    def act(call: object) -> Act:
        is_bad = "12 and" in getattr(call, "question", "")
        return Act(status=503, headers={"Retry-After": "0"}) if is_bad else Act(delay=0.02)

    server.act = act
    outcome = annotate(sums(60), retries=2, concurrency=2)
    assert outcome.kinds.count("server_error") == 1
    assert outcome.tally.answered == 59


@pytest.mark.usefixtures("quick")
def test_a_rate_limit_that_hits_one_request_alone_is_bounded_too(
    server: FixtureServer, annotate: Annotate
) -> None:
    server.act = lambda call: Act(status=429) if "Add 12 and" in call.question else Act(delay=0.05)
    outcome = annotate(sums(200), max_wait_seconds=0.5, concurrency=4)
    assert outcome.kinds[2] == "rate_limit"
    assert outcome.tally.answered == 199


def test_an_episode_is_told_once(server: FixtureServer) -> None:
    error = {"error": {"message": "slow \x1b[2J down"}}
    server.script = [Act(status=429, error=error)] * 3
    status, records, err = run(server, lines(sums(3)), "--concurrency", "2")
    assert (status, len(records)) == (0, 3)
    told = [line for line in err.splitlines() if "asks to wait" in line]
    assert len(told) == 1
    assert told[0].endswith(r"s (429: slow \x1b[2J down)")


def test_the_longest_wait_is_an_option(server: FixtureServer) -> None:
    server.default = Act(status=429)
    status, records, err = run(server, lines(sums(5)), "--max-wait", "0")
    assert (status, records) == (1, [])
    assert "asks to wait for longer than 0 s" in err
    assert len(server.calls) <= 5


def test_a_straggler_after_an_answer_begins_a_new_count() -> None:
    async def wait() -> list[bool]:
        pace = Pace(4, max_wait_seconds=1.5)
        loop = asyncio.get_running_loop()
        sent = loop.time()
        results = [pace.hold(sent, 0.0)]
        await asyncio.sleep(1.2)
        pace.succeeded()
        results.append(pace.hold(sent - 1, 0.5))
        return results

    assert asyncio.run(wait()) == [True, True]
