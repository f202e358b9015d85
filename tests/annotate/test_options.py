"""The options class: what they derive, and each check with its message."""

from __future__ import annotations

from dataclasses import fields
from typing import Any

import pytest

from mitools.annotate.options import AnnotateOptions, Price
from mitools.annotate.ranges import RANGES, Range
from mitools.errors import UsageError


@pytest.mark.parametrize(
    ("within", "inside", "outside", "shown"),
    [
        (Range(1), (1, 10**9), (0, -1, float("inf")), "at least 1"),
        (Range(0, is_open=True), (1e-9, 5), (0, float("nan")), "above 0"),
        (Range(0, 1), (0, 0.5, 1), (-0.1, 1.1), "between 0 and 1"),
    ],
)
def test_a_range_holds_what_it_shows(
    within: Range, inside: tuple[float, ...], outside: tuple[float, ...], shown: str
) -> None:
    assert all(within.holds(value) for value in inside)
    assert not any(within.holds(value) for value in outside)
    assert str(within) == shown


def test_every_range_is_of_an_attribute_and_holds_its_default() -> None:
    defaults = {one.name: one.default for one in fields(AnnotateOptions)}
    for name, within in RANGES.items():
        default: Any = defaults[name]
        assert default is None or within.holds(default)


def test_whoever_sets_an_error_rate_is_not_stopped_early() -> None:
    assert AnnotateOptions().alike_failures == 10
    assert AnnotateOptions().max_unanswered == 20
    chosen = AnnotateOptions(max_error_rate=0.5)
    assert (chosen.alike_failures, chosen.max_unanswered) == (None, None)


def test_the_file_of_a_replay_is_part_of_its_name() -> None:
    assert AnnotateOptions(teacher="replay:a:b.jsonl").replay_file == "a:b.jsonl"
    assert AnnotateOptions(teacher="replay").replay_file is None
    assert not AnnotateOptions(teacher="replay").has_endpoint


def test_a_budget_needs_a_price_and_a_bound_from_any_field() -> None:
    given: dict[str, Any] = {"model": "m", "max_cost": 1.0, "price": Price(1, 1)}
    with pytest.raises(UsageError, match="needs to know how long an answer can be"):
        AnnotateOptions(**given).check()
    AnnotateOptions(**given, max_tokens=5).check()
    AnnotateOptions(**given, params={"max_completion_tokens": 5}).check()


@pytest.mark.parametrize("name", ["requests_per_minute", "tokens_per_minute"])
def test_a_limit_per_minute_is_checked_by_its_flag(name: str) -> None:
    flag = f"--{name.replace('_', '-')}"
    with pytest.raises(UsageError, match=f"{flag} must be at least 1, not 0"):
        AnnotateOptions(model="m", **{name: 0}).check()
    with pytest.raises(UsageError, match=f"{flag} is for a teacher behind an endpoint"):
        AnnotateOptions(teacher="demo", **{name: 5}).check()
    AnnotateOptions(model="m", **{name: 5}).check()


def test_more_agreements_than_samples_cannot_be_wanted() -> None:
    with pytest.raises(UsageError, match="--stop-after 3 needs as many --samples"):
        AnnotateOptions(samples=2, stop_after=3).check_values()
    AnnotateOptions(samples=3, stop_after=3).check_values()


def test_a_price_is_usd_per_million_tokens() -> None:
    assert Price.parse("0.25,2") == Price(0.25, 2.0)
    assert Price(0.25, 2.0).cost(1_000_000, 500_000) == 1.25


@pytest.mark.parametrize("text", ["", "1", "1,2,3", "a,b", "-1,1", "1,inf", "nan,1"])
def test_what_is_not_a_price_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Price.parse(text)
