"""Limits per minute: kept in every minute, spread evenly, and never a reason to stand still."""

from __future__ import annotations

import asyncio
import random
import selectors
import threading
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import pytest

from mitools.annotate.client.budget import Budget
from mitools.annotate.client.pace import Pace
from mitools.annotate.client.rate_limit import (
    BURST_SECONDS,
    WINDOW_SECONDS,
    MinuteWindow,
    PerMinute,
    RateLimit,
)
from mitools.annotate.options import AnnotateOptions, Price
from mitools.annotate.protocol import UnaskedError
from mitools.annotate.run import AnnotationRun
from tests.annotate.client.test_budget import request
from tests.annotate.conftest import Annotate, asking, sums
from tests.annotate.scored import ToyModel
from tests.server import Act, FixtureServer, complete, true_usage

T = TypeVar("T")


class Waiting(selectors.SelectSelector):
    """Lets time pass at once where the loop would wait."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        assert timeout is not None, "nothing would ever happen"
        self.now += max(0.0, timeout)
        return super().select(0)


class FakeTime(asyncio.SelectorEventLoop):
    """An event loop on a clock of its own."""

    def __init__(self) -> None:
        self.waiting = Waiting()
        super().__init__(self.waiting)

    def time(self) -> float:
        return self.waiting.now


def in_fake_time(main: Coroutine[Any, Any, T]) -> T:
    with asyncio.Runner(loop_factory=FakeTime) as runner:
        return runner.run(main)


def now() -> float:
    return asyncio.get_running_loop().time()


def answer(prompt: int, written: int) -> dict[str, Any]:
    return {
        **complete("4", "m"),
        "usage": {"prompt_tokens": prompt, "completion_tokens": written},
    }


def most_in_a_minute(starts: list[tuple[float, float]]) -> float:
    """Give the largest sum of amounts within 60 seconds, of starts and their amounts."""
    return max(
        sum(amount for at, amount in starts if begin <= at < begin + 60) for begin, _ in starts
    )


def test_a_limit_of_61_allows_one_a_second_and_none_more_in_its_minute() -> None:
    window, at, starts = MinuteWindow(61), 0.0, []
    for _ in range(64):
        at = window.ready_at(1, at)
        window.start(1, at)
        starts.append(at)
    # 61 in 61 s; the first ones may come a quarter of a second early, the 62nd must not.
    assert starts[:4] == [0.0, 0.75, 1.75, 2.75]
    assert starts[60:] == [59.75, 61.0, 61.75, 62.75]


def test_after_a_pause_a_quarter_of_a_seconds_share_starts_at_once() -> None:
    window, starts = MinuteWindow(6222), []  # 102 a second, 25.5 in a quarter
    at = 1000.0
    for _ in range(1000):
        at = window.ready_at(1, at)
        window.start(1, at)
        starts.append(at)
    assert sum(start == 1000.0 for start in starts) == 26
    assert starts[-1] == pytest.approx(1000 + (999 - 25.5) / 102)


@pytest.mark.parametrize("seed", range(20))
def test_a_window_is_never_too_full_whatever_is_asked_for(seed: int) -> None:
    chance = random.Random(seed)
    most = chance.choice([1, 7, 60, 1000])
    window, at, starts = MinuteWindow(most), 0.0, []
    for _ in range(150):
        if chance.random() < 0.1:
            at += chance.expovariate(1 / 30)
        amount = min(most, 1 + int(chance.expovariate(10 / most)))
        at = window.ready_at(amount, at)
        start = window.start(amount, at)
        if chance.random() < 0.3:  # it took less
            window.correct(start, amount // 2, at)
        starts.append((at, start.amount))
    assert most_in_a_minute(starts) <= most


@pytest.mark.parametrize("has_bound", [True, False], ids=["max_tokens", "none"])
def test_both_limits_hold_in_any_minute_and_are_used(has_bound: bool) -> None:
    chance, starts = random.Random(0), []
    limits = PerMinute(requests=100, tokens=20_000)

    async def main() -> float:
        rate = RateLimit(limits, Pace(16))
        queue = list(range(400))

        async def work() -> None:
            while queue:
                number = queue.pop()
                bound = {"max_tokens": 400} if has_bound else {}
                ticket = await rate.admit(request("x" * chance.randint(30, 300), **bound))
                # The first half writes much, so tokens are scarce; then requests are.
                written = chance.randint(250, 400) if number >= 200 else chance.randint(1, 50)
                starts.append((now(), ticket.prompt + written))
                await asyncio.sleep(chance.uniform(0.5, 5))
                rate.settle(ticket, answer(ticket.prompt, written))

        await asyncio.gather(*(work() for _ in range(16)))
        return now()

    seconds = in_fake_time(main())
    assert most_in_a_minute([(at, 1) for at, _ in starts]) <= 100
    # Where the length of an answer is not bounded, a mean is all that is known of it.
    assert most_in_a_minute(starts) <= (20_000 if has_bound else 22_000)
    least = PerMinute(tokens=20_000).least_seconds(200, sum(tokens for _, tokens in starts[:200]))
    assert least is not None
    assert seconds < 1.25 * (least + 200 * 60 / 100)


def test_the_tokens_of_an_answer_replace_the_estimate_at_once() -> None:
    async def main() -> list[float]:
        rate = RateLimit(PerMinute(tokens=6100), Pace(4))  # 100 tokens a second
        starts = []

        async def ask() -> None:
            ticket = await rate.admit(request("x" * 30))  # about 10 tokens
            starts.append(now())
            await asyncio.sleep(2)
            rate.settle(ticket, answer(10, 90))

        await asyncio.gather(*(ask() for _ in range(4)))
        return starts

    # A first answer is taken to have 1,000 tokens, which is 10.1 s with its prompt; at 2 s it
    # turned out to have 90, and so do those that follow: 1 s each.
    assert in_fake_time(main()) == pytest.approx([0.0, 2.0, 2.75, 3.75])


def test_usage_that_is_not_plausible_replaces_no_bound_but_a_mean() -> None:
    async def main() -> tuple[float, float]:
        found = []
        for bound in ({"max_tokens": 600}, {}):
            rate = RateLimit(PerMinute(tokens=6100), Pace(4))
            begin = now()
            ticket = await rate.admit(request("x" * 30, **bound))
            rate.settle(ticket, {**complete("word " * 30, "m"), "usage": None})
            await rate.admit(request("x" * 30, max_tokens=1))
            found.append(now() - begin)
        return found[0], found[1]

    # 610 tokens as reserved, or 10 and the 50 that 150 bytes are likely to be.
    assert in_fake_time(main()) == pytest.approx((6.1 - BURST_SECONDS, 0.6 - BURST_SECONDS))


def test_a_request_above_the_limit_is_sent_alone_and_said_once() -> None:
    said: list[str] = []

    async def main() -> list[float]:
        rate = RateLimit(PerMinute(tokens=1000), Pace(4), said.append)
        starts = []
        for bound in (100, 5000, 5000, 100):
            await rate.admit(request("x" * 30, max_tokens=bound))
            starts.append(now())
        ticket = await rate.admit(request("x" * 30, max_tokens=5000))
        starts.append(now())
        rate.settle(ticket, answer(10, 10**6))  # more than asked for: still a minute
        await rate.admit(request("x" * 30, max_tokens=100))
        starts.append(now())
        return starts

    each = WINDOW_SECONDS
    assert in_fake_time(main()) == pytest.approx([each * n for n in (0, 1, 2, 3, 4, 5)])
    assert said == [
        "a request takes up to 5,010 tokens, but --tokens-per-minute is 1,000: "
        "such requests are sent one at a time, up to a minute apart"
    ]


def test_an_answer_above_its_estimate_delays_others_by_a_minute_at_most() -> None:
    async def main() -> float:
        rate = RateLimit(PerMinute(tokens=60_000), Pace(16))
        tickets = [await rate.admit(request("x" * 30)) for _ in range(10)]
        for ticket in tickets:
            rate.settle(ticket, answer(10, 50_000))
        begin = now()
        await rate.admit(request("x" * 30, max_tokens=5))
        return now() - begin

    assert 55 < in_fake_time(main()) <= WINDOW_SECONDS


def test_a_small_request_does_not_overtake_a_large_one() -> None:
    async def main() -> list[int]:
        rate = RateLimit(PerMinute(tokens=1000), Pace(4))
        order = []

        async def ask(bound: int) -> None:
            await rate.admit(request("x" * 30, max_tokens=bound))
            order.append(bound)

        await asyncio.gather(*map(ask, (500, 700, 1, 2)))
        return order

    assert in_fake_time(main()) == [500, 700, 1, 2]


def test_who_waits_is_let_go_at_once_when_the_run_stops() -> None:
    async def main() -> float:
        rate = RateLimit(PerMinute(requests=1), Pace(4))
        await rate.admit(request())
        waiting = [asyncio.ensure_future(rate.admit(request())) for _ in range(3)]
        await asyncio.sleep(10)
        rate.stop()
        for outcome in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(outcome, UnaskedError)
        with pytest.raises(UnaskedError):
            await rate.admit(request())
        return now()

    assert in_fake_time(main()) == pytest.approx(10)


def test_a_place_that_is_cancelled_or_withdrawn_goes_to_the_next() -> None:
    async def main() -> float:
        rate = RateLimit(PerMinute(requests=1), Pace(4))
        ticket = await rate.admit(request())
        first, second = (asyncio.ensure_future(rate.admit(request())) for _ in range(2))
        await asyncio.sleep(10)
        first.cancel()
        rate.withdraw(ticket)
        await second
        return now()

    assert in_fake_time(main()) == pytest.approx(10)


def test_what_does_not_wait_makes_others_wait() -> None:
    async def main() -> float:
        rate = RateLimit(PerMinute(requests=61), Pace(4))
        await rate.admit(request())
        rate.count()
        await rate.admit(request())
        return now()

    assert in_fake_time(main()) == pytest.approx(2 - BURST_SECONDS)


def test_a_pause_that_the_server_asks_for_is_kept_as_well() -> None:
    async def main() -> float:
        pace = Pace(4)
        rate = RateLimit(PerMinute(requests=61), pace)
        await rate.admit(request())
        waiting = asyncio.ensure_future(rate.admit(request()))  # in its turn already
        await asyncio.sleep(0.1)
        assert pace.hold(now(), 20.0)
        await waiting
        return now()

    assert in_fake_time(main()) > 20.1


def test_waiting_for_a_limit_is_not_a_wait_that_the_server_asks_for() -> None:
    async def main() -> list[bool]:
        pace = Pace(4, max_wait_seconds=6.0)
        rate = RateLimit(PerMinute(requests=1), pace)
        kept = []
        for _ in range(2):  # a minute apart, and the server asks for a second each time
            await rate.admit(request())
            kept.append(pace.hold(now(), 1.0))
        await asyncio.sleep(6)
        return [*kept, pace.hold(now(), 1.0)]

    assert in_fake_time(main()) == [True, True, False]


def test_the_least_time_is_that_of_the_tighter_limit() -> None:
    assert PerMinute(requests=60).least_seconds(90, 1e9) == 90
    assert PerMinute(requests=60, tokens=1000).least_seconds(90, 2000) == 120
    assert PerMinute(requests=60, tokens=1000).least_seconds(90, None) is None
    assert PerMinute(requests=60).least_seconds(90, None) == 90


def arrivals(server: FixtureServer, begin: float) -> list[float]:
    return sorted(call.at - begin for call in server.calls)


def earliest(number: int, per_minute: int, amount: int = 1) -> float:
    """Give the seconds before which a request, counted from 0, must not arrive."""
    return number * amount * 60 / per_minute - BURST_SECONDS


def test_requests_arrive_no_faster_than_allowed_from_the_first_on(
    server: FixtureServer, annotate: Annotate
) -> None:
    begin = time.monotonic()
    outcome = annotate(sums(30), requests_per_minute=1200, concurrency=16)
    assert None not in outcome.labels
    for number, at in enumerate(arrivals(server, begin)):
        assert at >= earliest(number, 1200)


@pytest.mark.usefixtures("quick")
def test_repeats_after_faults_count_as_requests(server: FixtureServer, annotate: Annotate) -> None:
    server.script = [Act(status=500), Act(status=429), Act(reset="before")] * 5
    begin = time.monotonic()
    assert None not in annotate(sums(10), requests_per_minute=1200, concurrency=8).labels
    assert len(server.calls) == 25
    for number, at in enumerate(arrivals(server, begin)):
        assert at >= earliest(number, 1200)


@pytest.mark.parametrize("bound", [{"max_tokens": 50}, {}], ids=["max_tokens", "none"])
def test_tokens_arrive_no_faster_than_allowed(
    bound: dict[str, Any], server: FixtureServer, annotate: Annotate
) -> None:
    server.default = Act(usage={"prompt_tokens": 150, "completion_tokens": 50})
    begin = time.monotonic()
    outcome = annotate(sums(20), tokens_per_minute=200_000, concurrency=1, **bound)
    assert None not in outcome.labels
    for number, at in enumerate(arrivals(server, begin)):
        assert at >= earliest(number, 200_000, amount=200)


def test_waiting_counts_neither_as_time_of_a_request_nor_as_a_fault(
    server: FixtureServer, annotate: Annotate
) -> None:
    outcome = annotate(
        sums(3), requests_per_minute=60, timeout_seconds=0.9, max_wait_seconds=0.5, retries=0
    )
    assert None not in outcome.labels
    assert len(server.calls) == 3


def test_a_run_that_waits_is_stopped_at_once(server: FixtureServer) -> None:
    options = AnnotateOptions(model="fixture", base_url=server.url, requests_per_minute=1)
    begin = time.monotonic()
    with AnnotationRun(sums(5), asking(options), options) as run:
        for record in run:
            assert record["id"] == "r0"
            threading.Timer(0.2, run.stop).start()
    assert time.monotonic() - begin < 20  # and not a minute
    assert len(server.calls) == 1
    assert run.tally.unasked == 4


def test_an_answer_that_another_run_stored_meanwhile_is_not_paid_for_again(
    server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    server.act = lambda call: Act(usage=true_usage(call))
    records = sums(3)
    # Enough for one request at a time: what was reserved and not sent must be free again.
    budget = Budget(Price(100_000.0, 1_000_000.0), limit=250.0)
    given = {"requests_per_minute": 60, "concurrency": 1, "max_tokens": 50}
    other = threading.Thread(target=annotate, args=(records[1::-1], tmp_path / "j"), kwargs=given)
    other.start()
    outcome = annotate(records, tmp_path / "j", budget, **given)
    other.join()
    assert None not in outcome.labels
    assert len(server.calls) == 3


def test_scoring_and_its_check_count_as_requests(server: FixtureServer) -> None:
    choice = {"id": "a", "input": "Which?", "choices": ["x", "y"], "label": "x", "task": "choice"}
    options = AnnotateOptions(
        model="fixture", base_url=server.url, requests_per_minute=120, score_choices="chat"
    )
    server.act = ToyModel("Hm. The answer is (a).", {"(": 0.5, "a": 0.5, "b": 0.25}).act
    begin = time.monotonic()
    with AnnotationRun([choice], asking(options), options) as run:
        [record] = run
    assert record["teacher"]["choices"] == {"x": pytest.approx(2 / 3), "y": pytest.approx(1 / 3)}
    assert len(server.calls) == 4  # the check, the answer, and each choice
    for number, at in enumerate(arrivals(server, begin)):
        assert at >= earliest(number, 120)
