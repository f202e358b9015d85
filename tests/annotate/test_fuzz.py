"""A slice of the fuzzer: whatever a server sends, each record is answered or says why not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.annotate.conftest import Annotate
from tests.benchmarks.response_fuzz import Fuzzer, FuzzServer, question


@pytest.mark.usefixtures("quick")
@pytest.mark.filterwarnings("ignore:Unclosed:ResourceWarning")
def test_a_hundred_malformed_responses_are_a_hundred_outcomes(
    annotate: Annotate, tmp_path: Path
) -> None:
    records = [question(number) for number in range(100)]
    with FuzzServer(seed=7) as server:
        outcome = annotate(
            records,
            journal=tmp_path / "j",
            base_url=server.url,
            timeout_seconds=2.0,
            retries=1,
            concurrency=16,
            max_response_bytes=1 << 20,
            max_error_rate=1.0,
        )
    assert [record["id"] for record in outcome.records] == [record["id"] for record in records]
    assert outcome.tally.answered + outcome.tally.failed.total() == 100
    assert min(outcome.tally.answered, outcome.tally.failed.total()) > 20
    for record in outcome.records:
        json.dumps(record, allow_nan=False, ensure_ascii=False).encode()
        error = record["teacher"].get("error")
        assert error is None or (error["kind"] and error["message"].isprintable())


def test_the_same_seed_makes_the_same_responses() -> None:
    made = [Fuzzer(f"3 {number} 1").response(number) for number in range(40)]
    assert made == [Fuzzer(f"3 {number} 1").response(number) for number in range(40)]
    assert made != [Fuzzer(f"4 {number} 1").response(number) for number in range(40)]
