"""Which records an overview shows."""

from __future__ import annotations

from typing import Any

import pytest

from mitools.explain.build_view import view_of
from mitools.explain.examples import choose_examples
from mitools.explain.filters import ViewedRecord


def item(number: int, label: str, argued: str, gold: str | None = "7") -> ViewedRecord:
    student = {"label": label, "rationale": f"So she has {argued} + 0 eggs."}
    record: dict[str, Any] = {"id": f"r{number}", "input": "?", "task": "equation"}
    record |= {"label": gold, "student": student}
    return ViewedRecord(record, view_of(record, number))


RIGHT, WRONG, ODD = ("7", "7"), ("8", "8"), ("7", "8")


def kinds(items: list[ViewedRecord], seed: int = 0) -> list[tuple[bool | None, bool | None]]:
    return [
        (found.view.is_right, found.view.is_consistent) for found in choose_examples(items, seed)
    ]


def test_one_of_each_in_this_order() -> None:
    items = [item(n, *what) for n, what in enumerate([ODD, WRONG, RIGHT] * 5)]
    assert kinds(items) == [(True, True), (False, True), (True, False)]


def test_what_there_is_not_is_left_out() -> None:
    assert kinds([item(n, *RIGHT) for n in range(5)]) == [(True, True)]
    assert kinds([item(0, *ODD), item(1, *RIGHT)]) == [(True, True), (True, False)]
    assert choose_examples([], 0) == []


def test_no_record_is_shown_twice() -> None:
    both = item(0, "8", "9")
    assert [found.view.id for found in choose_examples([both], 0)] == ["r0"]
    two = [both, item(1, "9", "8")]
    assert {found.view.id for found in choose_examples(two, 0)} == {"r0", "r1"}


def test_without_gold_the_inconsistent_one_is_shown() -> None:
    items = [item(0, *RIGHT, gold=None), item(1, *ODD, gold=None)]
    assert kinds(items) == [(None, False)]


def test_without_any_verdict_there_are_some_records() -> None:
    bare = [{"id": str(n), "input": "?"} for n in range(9)]
    items = [ViewedRecord(record, view_of(record, n)) for n, record in enumerate(bare)]
    found = [found.view.position for found in choose_examples(items, 0)]
    assert len(found) == 3
    assert found == sorted(found)


@pytest.mark.parametrize("seed", [0, 1])
def test_the_same_seed_draws_the_same_records(seed: int) -> None:
    items = [item(n, *RIGHT) for n in range(200)]
    first, again = (choose_examples(items, seed)[0].view.id for _ in range(2))
    assert first == again
    drawn = {choose_examples(items, other)[0].view.id for other in range(20)}
    assert len(drawn) > 10
