"""A third party's verdict: llmock injects faults and judges how its client dealt with them."""

from __future__ import annotations

from typing import Any

import pytest

from mitools.annotate.options import AnnotateOptions
from mitools.annotate.run import AnnotationRun
from tests.annotate.conftest import asking, sums

pytest.importorskip("llmock", reason="llmock is not installed")


def faults(llmock: Any, count: int, **options: Any) -> list[str]:
    """Annotate; give the kinds of what went wrong. llmock's words state an answer or none."""
    where = {"model": "gpt-4o", "base_url": llmock.base_url("openai")}
    chosen = AnnotateOptions(**where, concurrency=4, task="text", **options)
    with AnnotationRun(sums(count), asking(chosen), chosen) as run:
        records = list(run)
    assert len(records) == count
    kinds = [record["teacher"].get("error", {}).get("kind", "unreadable") for record in records]
    return [kind for kind in kinds if kind != "unreadable"]


def test_rate_limits_are_waited_out(llmock: Any) -> None:
    llmock.rate_limit(times=3, retry_after=0.4)
    assert faults(llmock, 12, retries=0) == []
    llmock.assert_resilient()


def test_faults_that_may_pass_are_tried_again_with_patience(llmock: Any) -> None:
    for status in (500, 503, 502):
        llmock.fail(status)
    assert faults(llmock, 8) == []
    llmock.assert_resilient()


def test_what_will_not_pass_is_not_tried_again(llmock: Any) -> None:
    llmock.context_overflow()
    assert faults(llmock, 6) == ["context_length"]
    llmock.assert_resilient()


def test_a_server_that_hangs_is_given_up_in_time(llmock: Any) -> None:
    llmock.delay(30.0)
    assert faults(llmock, 4, timeout_seconds=1.0) == []
    llmock.assert_resilient()
