"""What a run is said to take, beside what it then takes."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitools.annotate.dry_run import Bill, CostEstimate, estimate_cost
from mitools.annotate.options import AnnotateOptions, Price
from mitools.annotate.strategy import Strategy
from mitools.evaluate.costs.bill import Bill as TeacherBill
from mitools.records import Record
from tests.annotate.client.test_budget import bound
from tests.annotate.conftest import Annotate, make_store, sums
from tests.server import Act, FixtureServer


def look(
    records: list[Record], url: str, journal: Path | None = None, strategy: Strategy | None = None
) -> CostEstimate:
    store = make_store(AnnotateOptions(model="fixture", base_url=url, max_tokens=50), journal)
    found = estimate_cost(records, store, strategy or Strategy(), None)
    if store.journal is not None:
        store.journal.close()
    return found


def test_before_the_first_answer_the_assumptions_are_said(server: FixtureServer) -> None:
    found = look(sums(10), server.url)
    assert (found.rows, found.open_rows, found.recalled) == (10, 10, 0)
    assert found.basis == (
        "assumed, as the journal answers fewer than 20 records: "
        "4 bytes a token, 100 tokens an answer, 75% right"
    )
    assert (found.low.calls, found.expected.calls, found.worst.calls) == (10, 10, 20)
    assert found.worst.completion_tokens == 20 * 50
    assert not server.calls


def test_the_worst_bounds_what_is_then_sent(server: FixtureServer, annotate: Annotate) -> None:
    server.default = Act(text="The answer is 1.")  # every record misses
    strategy = Strategy("star", samples=2)
    found = look(sums(5), server.url, strategy=strategy)
    annotate(sums(5), max_tokens=50, strategy="star", samples=2)
    assert found.low.calls <= len(server.calls) <= found.worst.calls
    sent = sum(bound(call) for call in server.calls)
    assert sent <= found.worst.prompt_tokens


def test_what_the_journal_answers_costs_nothing_and_teaches_the_rest(
    server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    server.act = lambda call: Act(
        usage={"prompt_tokens": bound(call) // 8, "completion_tokens": 30}
    )
    annotate(sums(30), journal=tmp_path / "j", max_tokens=50)
    found = look(sums(50), server.url, tmp_path / "j")
    assert (found.rows, found.open_rows, found.recalled) == (50, 20, 30)
    assert found.basis == "as the 30 records that the journal answers"
    assert found.expected.completion_tokens == 20 * 30
    size = bound(server.calls[0])
    assert found.expected.prompt_tokens == pytest.approx(20 * (size // 8), rel=0.01)
    assert found.first_open is not None
    assert found.first_open.record["id"] == "r30"
    assert look(sums(30), server.url, tmp_path / "j").worst == Bill(0, 0, 0)


def test_thoughts_that_only_the_total_holds_are_in_every_bill(
    server: FixtureServer, annotate: Annotate, tmp_path: Path
) -> None:
    usage = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 215}
    server.default = Act(usage=usage)
    outcome = annotate(sums(30), journal=tmp_path / "j", max_tokens=50)
    assert outcome.tally.spent["completion_tokens"] == 30 * 205
    used = {"prompt_tokens": 10, "completion_tokens": 205}
    assert all(record["teacher"]["usage"] == used for record in outcome.records)
    paid = TeacherBill()
    for record in outcome.records:
        paid.add(record)
    assert (paid.counted, paid.completion) == (30, 30 * 205)
    found = look(sums(50), server.url, tmp_path / "j")
    assert found.expected.completion_tokens == 20 * 205


def test_a_bill_without_bound_or_price_has_no_cost() -> None:
    assert Bill(1, 10, None).cost(Price(1, 1)) is None
    assert Bill(1, 10, 10).cost(None) is None
    assert Bill(1, 1_000_000, 500_000).cost(Price(1, 2)) == 2.0
