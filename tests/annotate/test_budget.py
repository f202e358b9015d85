"""A budget is never passed, whatever the server does; and it is used up before it says so."""

from __future__ import annotations

import asyncio
import json
import random
from typing import Any

import pytest

from mitools.annotate import UnaskedError
from mitools.annotate.budget import Budget, Price, most_prompt_tokens, most_written_tokens
from mitools.annotate.requests import Request
from mitools.errors import BudgetError, UsageError
from tests.annotate.conftest import Annotate, sums
from tests.server import Act, Call, FixtureServer

PRICE = Price(prompt=100_000.0, completion=1_000_000.0)  # USD 0.1 and 1 a token


def request(content: str = "x" * 100, **more: Any) -> Request:
    body = {"model": "m", "messages": [{"role": "user", "content": content}], **more}
    return Request("key", json.dumps(body, ensure_ascii=False).encode())


REQUEST = request(max_tokens=8)


def bound(call: Call) -> int:
    return most_prompt_tokens(Request("", json.dumps(call.body).encode()))


def billed(server: FixtureServer) -> float:
    return PRICE.cost(server.billed["prompt_tokens"], server.billed["completion_tokens"])


def test_a_price_is_usd_per_million_tokens() -> None:
    assert Price(0.25, 2.0).cost(1_000_000, 500_000) == 1.25
    assert Price.parse("0.25,2") == Price(0.25, 2.0)


@pytest.mark.parametrize("text", ["1", "1,2,3", "a,b", "-1,2", "1,inf", "nan,1"])
def test_what_is_no_price_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        Price.parse(text)


def test_prompt_tokens_are_bounded_by_bytes() -> None:
    assert most_prompt_tokens(REQUEST) > 100 + len('"role""user""content"')
    twice = request("ä" * 100, max_tokens=8)
    assert most_prompt_tokens(twice) == most_prompt_tokens(REQUEST) + 100


def test_the_limit_of_an_answer_is_read_from_the_body() -> None:
    assert most_written_tokens(REQUEST) == 8
    assert most_written_tokens(request(max_completion_tokens=5)) == 5
    assert most_written_tokens(request()) is None


@pytest.mark.parametrize("concurrency", [1, 4, 16, 64, 256])
def test_the_servers_bill_never_passes_the_cap(
    concurrency: int, server: FixtureServer, annotate: Annotate
) -> None:
    chance = random.Random(concurrency)

    def act(call: Call) -> Act:
        written = chance.randint(1, 50)
        read = bound(call) - 40 - chance.randint(0, 100)
        usage = {"prompt_tokens": read, "completion_tokens": written}
        return Act(usage=usage, delay=chance.random() / 50)

    server.act = act
    budget = Budget(PRICE, limit=3000.0)
    with pytest.raises(BudgetError, match=r"the budget is used up: \$\d"):
        annotate(sums(400), budget=budget, concurrency=concurrency, max_tokens=50)
    assert billed(server) <= 3000.0
    assert budget.spent == pytest.approx(billed(server))
    # What is left would not have bought one more.
    assert billed(server) > 3000.0 - PRICE.cost(bound(server.calls[0]) + 20, 50)


@pytest.mark.usefixtures("quick")
def test_what_was_lost_on_the_way_counts_in_full(server: FixtureServer, annotate: Annotate) -> None:
    faults = [Act(hang=True), Act(reset="middle"), Act(raw=b'{"choi'), Act(usage=None)]
    server.script = [act for fault in faults for act in (fault, Act())] * 4
    budget = Budget(PRICE, limit=1500.0)
    with pytest.raises(BudgetError):
        annotate(sums(60), budget=budget, concurrency=3, max_tokens=50, timeout_seconds=0.3)
    assert billed(server) <= budget.spent <= 1500.0


@pytest.mark.usefixtures("quick")
def test_a_refused_request_costs_nothing(server: FixtureServer, annotate: Annotate) -> None:
    server.script = [Act(status=500), Act(status=429), Act(status=400)]
    budget = Budget(PRICE, limit=1e9)
    outcome = annotate(sums(3), budget=budget, concurrency=1, max_tokens=50)
    assert sum(kind == "bad_request" for kind in outcome.kinds) == 1
    assert budget.spent == pytest.approx(billed(server)) == pytest.approx(2 * PRICE.cost(10, 5))


def test_a_budget_that_buys_nothing_says_what_to_change(annotate: Annotate) -> None:
    with pytest.raises(BudgetError, match=r"raise --max-cost, or lower --max-tokens") as caught:
        annotate(sums(3), budget=Budget(PRICE, limit=0.01), max_tokens=50)
    assert caught.value.exit_code == 4


def test_answers_without_a_bound_are_not_asked_for(
    server: FixtureServer, annotate: Annotate
) -> None:
    with pytest.raises(UsageError, match="add --max-tokens"):
        annotate(sums(1), budget=Budget(PRICE, limit=100.0))
    assert not server.calls


def test_without_a_limit_a_budget_only_counts(annotate: Annotate) -> None:
    budget = Budget(PRICE)
    annotate(sums(3), budget=budget)
    assert budget.spent == pytest.approx(3 * PRICE.cost(10, 5))


def test_who_waits_for_room_goes_on_when_there_is_some() -> None:
    async def main() -> None:
        amount = PRICE.cost(most_prompt_tokens(REQUEST), 8)
        budget = Budget(PRICE, limit=2.5 * amount)
        first, second = await budget.reserve(REQUEST), await budget.reserve(REQUEST)
        waiting = asyncio.ensure_future(budget.reserve(REQUEST))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        budget.settle(first, {"prompt_tokens": 1, "completion_tokens": 1})
        await asyncio.wait_for(waiting, 1)
        budget.release(second)

    asyncio.run(main())


def test_who_waits_for_room_is_let_go_when_the_run_stops() -> None:
    async def main() -> None:
        budget = Budget(PRICE, limit=1.5 * PRICE.cost(most_prompt_tokens(REQUEST), 8))
        await budget.reserve(REQUEST)
        waiting = [asyncio.ensure_future(budget.reserve(REQUEST)) for _ in range(3)]
        await asyncio.sleep(0.01)
        budget.stop()
        for outcome in await asyncio.gather(*waiting, return_exceptions=True):
            assert isinstance(outcome, UnaskedError)

    asyncio.run(main())
