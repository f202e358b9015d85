"""A budget is never passed, whatever the server does; and it is used up before it says so."""

from __future__ import annotations

import asyncio
import json
import random
from dataclasses import replace
from typing import Any

import pytest

from mitools.annotate.client.budget import Budget, most_prompt_tokens, most_written_tokens
from mitools.annotate.client.requests import Request
from mitools.annotate.client.usage import claim_of, fewest_tokens, likely_tokens
from mitools.annotate.options import Price
from mitools.annotate.protocol import UnaskedError
from mitools.errors import BudgetError, UsageError
from tests.annotate.conftest import Annotate, sums
from tests.server import Act, Call, FixtureServer, complete, tokens, true_usage

PRICE = Price(prompt=100_000.0, completion=1_000_000.0)  # USD 0.1 and 1 a token


def request(content: str = "x" * 100, **more: Any) -> Request:
    body = {"model": "m", "messages": [{"role": "user", "content": content}], **more}
    return Request("key", json.dumps(body, ensure_ascii=False).encode())


REQUEST = request(max_tokens=8)


def bound(call: Call) -> int:
    return most_prompt_tokens(Request("", json.dumps(call.body).encode()))


def billed(server: FixtureServer) -> float:
    return PRICE.cost(server.billed["prompt_tokens"], server.billed["completion_tokens"])


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
        written = chance.randint(10, 50)  # fewer than its words would not be believed
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
    server.script = [Act(status=429), Act(status=400), Act(status=422)]
    server.act = lambda call: (server.script or [Act(usage=true_usage(call))]).pop(0)
    budget = Budget(PRICE, limit=1e9)
    outcome = annotate(sums(3), budget=budget, concurrency=1, max_tokens=50)
    assert sum(kind == "bad_request" for kind in outcome.kinds) == 2
    assert 0 < budget.spent == pytest.approx(billed(server))
    assert budget.lines() == [f"${budget.spent:,.4f} of $1,000,000,000.0000 spent"]


def test_a_budget_that_buys_nothing_says_what_to_change(annotate: Annotate) -> None:
    with pytest.raises(BudgetError, match=r"raise --max-cost, or lower --max-tokens") as caught:
        annotate(sums(3), budget=Budget(PRICE, limit=0.01), max_tokens=50)
    assert caught.value.exit_code == 4


@pytest.mark.parametrize(
    ("has_journal", "hint"),
    [(True, "answers are in the journal"), (False, "leave out --no-journal, so that the next run")],
)
def test_a_used_up_budget_says_where_its_answers_are(
    server: FixtureServer, annotate: Annotate, has_journal: bool, hint: str
) -> None:
    server.act = lambda call: Act(usage=true_usage(call))
    budget = Budget(PRICE, 1500.0, has_journal)
    with pytest.raises(BudgetError, match=hint):
        annotate(sums(400), budget=budget, concurrency=1, max_tokens=50)


def test_answers_without_a_bound_are_not_asked_for(
    server: FixtureServer, annotate: Annotate
) -> None:
    with pytest.raises(UsageError, match="add --max-tokens"):
        annotate(sums(1), budget=Budget(PRICE, limit=100.0))
    assert not server.calls


def test_without_a_limit_a_budget_only_counts(server: FixtureServer, annotate: Annotate) -> None:
    server.act = lambda call: Act(usage=true_usage(call))
    budget = Budget(PRICE)
    annotate(sums(3), budget=budget)
    assert 0 < budget.spent == pytest.approx(billed(server))


def answer(read: int = 100, written: int = 8, text: str = "The answer is 4.") -> dict[str, Any]:
    usage = {"prompt_tokens": read, "completion_tokens": written}
    return {**complete(text, "m"), "usage": usage}


async def opened(limit: float, rounds: int = 1) -> Budget:
    """Make a budget that has seen answers which kept to what was reserved; they cost nothing."""
    budget = Budget(PRICE, limit)
    for _ in range(rounds):
        budget.settle(await budget.reserve(REQUEST), answer())
    budget.spent = 0.0
    return budget


def test_who_waits_for_room_goes_on_when_there_is_some() -> None:
    async def main() -> None:
        amount = PRICE.cost(most_prompt_tokens(REQUEST), 8)
        budget = await opened(2.5 * amount, rounds=3)
        first, second = await budget.reserve(REQUEST), await budget.reserve(REQUEST)
        waiting = asyncio.ensure_future(budget.reserve(REQUEST))
        await asyncio.sleep(0.01)
        assert not waiting.done()
        budget.settle(first, answer(written=4))
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


def test_requests_start_one_at_a_time_and_double(server: FixtureServer, annotate: Annotate) -> None:
    server.act = lambda call: Act(usage=true_usage(call), delay=0.05)
    annotate(sums(31), budget=Budget(PRICE, 1e9), concurrency=64, max_tokens=50)
    rounds: list[int] = []
    done_at = 0.0
    for call in sorted(server.calls, key=lambda call: call.at):
        if call.at >= done_at:  # the round before has come home
            rounds.append(0)
            done_at = call.at + 0.045
        rounds[-1] += 1
    assert rounds[:2] == [1, 2]
    assert max(rounds) > 4
    assert sum(rounds) == 31


def test_an_excess_raises_what_is_reserved_and_starts_over() -> None:
    async def main() -> None:
        amount = PRICE.cost(most_prompt_tokens(REQUEST), 8)
        budget = await opened(100 * amount, rounds=7)
        under_way = [await budget.reserve(REQUEST) for _ in range(8)]
        assert {reservation.amount for reservation in under_way} == {amount}
        budget.settle(under_way.pop(), answer(written=80))
        waiting = asyncio.ensure_future(budget.reserve(REQUEST))
        for reservation in under_way:
            await asyncio.sleep(0)
            assert not waiting.done()
            budget.release(reservation)
        later = await waiting
        assert later.amount == pytest.approx(PRICE.cost(most_prompt_tokens(REQUEST), 80))
        assert budget.exceeding.count == 1

    asyncio.run(main())


UNBELIEVABLE: list[Any] = [
    None,
    [],
    "10",
    {},
    {"total_tokens": 300},
    {"prompt_tokens": 100},
    {"prompt_tokens": -100, "completion_tokens": -8},
    {"prompt_tokens": 0, "completion_tokens": 0},
    {"prompt_tokens": True, "completion_tokens": True},
    {"prompt_tokens": 100, "completion_tokens": False},
    {"prompt_tokens": 1, "completion_tokens": 8},
    {"prompt_tokens": 100, "completion_tokens": 1},
    {"prompt_tokens": 100.0, "completion_tokens": 8.0},
    {"prompt_tokens": float("nan"), "completion_tokens": float("inf")},
    {"prompt_tokens": "100", "completion_tokens": "8"},
    {"prompt_tokens": 10**12, "completion_tokens": 10**5000},
    {"prompt_tokens": [[100]], "completion_tokens": {"8": 8}},
]


@pytest.mark.parametrize("limit", [None, 1e6])
@pytest.mark.parametrize("usage", UNBELIEVABLE)
def test_usage_that_is_not_believable_counts_in_full(usage: Any, limit: float | None) -> None:
    async def main() -> None:
        budget = Budget(PRICE, limit)
        asked = request("word " * 40, max_tokens=50)
        reservation = await budget.reserve(asked)
        said = {**complete("One two three four five six.", "m"), "usage": usage}
        budget.settle(reservation, said)
        assert budget.spent == PRICE.cost(most_prompt_tokens(asked), 50)
        assert budget.unbelieved.count == 1
        assert "the usage of 1 of 1 answers is not believable" in budget.lines()[1]

    asyncio.run(main())


def test_the_text_shows_more_than_was_asked_for() -> None:
    async def main() -> None:
        budget = Budget(PRICE, 1e6)
        said = {**answer(text="word " * 1000), "usage": {"prompt_tokens": 1}}
        budget.settle(await budget.reserve(REQUEST), said)
        assert budget.spent >= PRICE.cost(0, 1000)
        assert budget.exceeding.count == 1
        counted = budget.spent
        budget.settle_lost(await budget.reserve(REQUEST))  # as bad as the worst seen
        assert budget.spent == pytest.approx(2 * counted)

    asyncio.run(main())


def test_thoughts_outside_the_count_are_in_the_total() -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 8, "total_tokens": 508}
    assert claim_of({**answer(), "usage": usage}).written == 408


@pytest.mark.parametrize(
    "choices",
    [
        None,
        [],
        [None, {"message": 1}, {"message": {"content": {"text": 1}, "tool_calls": [{}, 2]}}],
        [{"message": {"content": [1, {"text": None}], "reasoning": 1}}],
    ],
)
def test_a_claim_is_read_from_any_body(choices: Any) -> None:
    claim = claim_of({"choices": choices, "usage": {"prompt_tokens": 1, "completion_tokens": 2}})
    assert (claim.prompt, claim.written, claim.fewest_written) == (1, 2, 0)


def test_everything_that_was_written_is_counted() -> None:
    message = {
        "content": [{"text": "one two"}],
        "reasoning": "three four five",
        "reasoning_content": "three four five",
        "refusal": "six",
        "tool_calls": [{"function": {"arguments": "seven eight"}}],
    }
    once = claim_of({"choices": [{"message": message}]}).likely_written
    assert once >= 8
    assert claim_of({"choices": [{"message": message}] * 3}).likely_written == 3 * once


@pytest.mark.parametrize(
    "text",
    [
        "There are 12 cows in the field, and then 7 more came to it. The answer is (12 + 7).",
        "Die Rechtsschutzversicherungsgesellschaft übernimmt die Kosten der Berufung nicht.",
        "def add(first, second):\n    return first + second\n" * 5,
        "这是一个简单的问题，答案是四。" * 5,
        "a " * 200,
    ],
    ids=["prose", "german", "code", "chinese", "letters"],
)
def test_the_lower_bound_lies_below_what_tokenizers_count(text: str) -> None:
    counted = tokens(text) if text.isascii() else len(text) // 3
    assert 0 < fewest_tokens(text) < counted <= likely_tokens(text) * 1.5


@pytest.mark.parametrize(
    ("more", "most"),
    [
        ({"max_tokens": 8, "max_completion_tokens": 5}, 8),
        ({"max_tokens": 8, "best_of": 4}, 32),
        ({"max_tokens": -1}, None),
        ({"max_tokens": 0}, None),
        ({"max_tokens": True}, None),
        ({"max_tokens": 8.5}, None),
        ({"max_tokens": None, "max_completion_tokens": 5}, None),
    ],
)
def test_a_limit_that_a_server_may_not_keep_to_is_not_a_bound(
    more: dict[str, Any], most: int | None
) -> None:
    assert most_written_tokens(request(**more)) == most


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "lie",
    [
        Act(usage={"prompt_tokens": -1000, "completion_tokens": -1000}),
        Act(usage={"prompt_tokens": 1, "completion_tokens": 1}),
        Act(usage=None),
        Act(status=500),
        Act(status=504),
        Act(status=503, headers={"Retry-After": "0"}),
        Act(status=408),
        Act(raw=b"[" * 20_000),
        Act(reset="middle"),
    ],
    ids=["negative", "low", "null", "500", "504", "503-busy", "408", "deep", "reset"],
)
@pytest.mark.parametrize("concurrency", [1, 64])
def test_a_lying_server_cannot_bill_more_than_the_cap(
    lie: Act, concurrency: int, server: FixtureServer, annotate: Annotate
) -> None:
    def act(call: Call) -> Act:
        true = true_usage(call)
        return replace(lie, billed={**true, "completion_tokens": 50})

    server.act = act
    budget = Budget(PRICE, limit=1500.0)
    with pytest.raises(BudgetError):
        annotate(sums(80), budget=budget, concurrency=concurrency, max_tokens=50)
    assert 0 < billed(server) <= budget.spent <= 1500.0
    assert len(budget.lines()) == 2


@pytest.mark.parametrize("concurrency", [1, 64])
@pytest.mark.parametrize("is_said", [True, False])
def test_a_server_that_ignores_the_limit_exceeds_the_cap_by_one_answer(
    is_said: bool, concurrency: int, server: FixtureServer, annotate: Annotate
) -> None:
    text = "So it goes on. " * 60 + "The answer is 4."

    def act(call: Call) -> Act:
        true = true_usage(call, text)
        said = true if is_said else {"prompt_tokens": 100, "completion_tokens": 50}
        return Act(text=text, usage=said, billed=true)

    server.act = act
    budget = Budget(PRICE, limit=1500.0)
    with pytest.raises(BudgetError):
        annotate(sums(80), budget=budget, concurrency=concurrency, max_tokens=50)
    one = billed(server) / len(server.calls)
    assert billed(server) <= budget.spent * 1.001
    assert billed(server) <= 1500.0 + one
    assert any("more tokens than was asked for" in line for line in budget.lines())
