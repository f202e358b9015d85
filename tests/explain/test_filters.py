"""Which records are shown, and in which order."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.explain.build_view import view_of
from mitools.explain.filters import Criteria, FilterCounts, Selection, ViewedRecord


def record(name: str, answer: str, rationale: str, **fields: Any) -> dict[str, Any]:
    return {
        "id": name,
        "input": f"Where do fish live? ({name})",
        "choices": ["sea", "tree", "car"],
        "label": "sea",
        "split": "test",
        "student": {"label": answer, "rationale": rationale, "confidence": 0.5},
        **fields,
    }


RECORDS = [
    record("good", "sea", "In the sea.", teacher={"label": "sea"}),
    record("torn", "tree", "In the sea.", teacher={"label": "sea"}),
    record("lost", "tree", "In the tree.", teacher={"label": "tree"}, split="train"),
    record("odd", "tree", "In the car.", label="tree", split="valid"),
    record("mute", "tree", "Who knows.", label=None),
    {"id": "bare", "input": "Where do birds live?", "label": "sea"},
    {
        "id": "taught",
        "input": "?",
        "label": "sea",
        "teacher": {"label": "tree", "rationale": "Fins"},
    },
]
SURE = {"sure": 0.95, "unsure": 0.3, "silent": None}
RECORDS += [
    record(name, "tree", "", student={"label": "tree", "confidence": value})
    for name, value in SURE.items()
]


def matching(**criteria: Any) -> list[str]:
    wanted = Criteria(**criteria)
    return [item["id"] for item in RECORDS if wanted.matches(view_of(item))]


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({"is_right": False}, ["torn", "lost", "sure", "unsure", "silent"]),
        ({"is_right": True}, ["good", "odd"]),
        ({"is_consistent": False}, ["torn", "odd"]),
        ({"is_consistent": True}, ["good", "lost"]),
        ({"low_confidence": 0.5}, ["unsure"]),
        ({"confidently_wrong": 0.9}, ["sure"]),
        ({"confidently_wrong": 0.95}, ["sure"]),
        ({"confidently_wrong": 0.5}, ["torn", "lost", "sure"]),
        ({"supports": frozenset({"student"})}, ["good", "lost"]),
        ({"supports": frozenset({"gold"})}, ["torn"]),
        ({"supports": frozenset({"other"})}, ["odd"]),
        ({"supports": frozenset({"none"})}, ["mute"]),
        ({"supports": frozenset({"gold", "other"})}, ["torn", "odd"]),
        ({"teacher_wrong": True}, ["lost", "taught"]),
        ({"disagrees": True}, ["torn"]),
        ({"is_suspect": True}, ["sure"]),
        ({"is_sure": True}, []),
        ({"pattern": re.compile("birds|knows")}, ["mute", "bare"]),
        ({"pattern": re.compile("^Fins$")}, ["taught"]),
        ({"labels": ("TREE",)}, ["odd"]),
        ({"ids": frozenset({"odd", "bare"})}, ["odd", "bare"]),
        ({"splits": frozenset({"train", "valid"})}, ["lost", "odd"]),
        ({"is_right": False, "is_consistent": True}, ["lost"]),
        ({"is_right": False, "splits": frozenset({"valid"})}, []),
    ],
)
def test_a_criterion_keeps_exactly_what_it_names(
    criteria: dict[str, Any], expected: list[str]
) -> None:
    assert matching(**criteria) == expected


@pytest.mark.parametrize(
    ("criteria", "expected"),
    [
        ({"changes": frozenset({"fixed"})}, ["torn"]),
        ({"changes": frozenset({"broken"})}, ["good"]),
        ({"changes": frozenset({"fixed", "broken"})}, ["good", "torn"]),
        ({"is_changed": True}, ["good", "torn"]),
        ({"is_changed": True, "is_right": False}, ["torn"]),
    ],
)
def test_a_second_student_is_a_criterion(criteria: dict[str, Any], expected: list[str]) -> None:
    wanted = Criteria(**criteria)
    assert wanted.needs_second
    assert wanted.needs_student
    answers = {"good": "car", "torn": "sea", "lost": "tree"}
    seconds = {
        name: {**RECORDS[0], "id": name, "student": {"label": label}}
        for name, label in answers.items()
    }
    found = [view_of(item, others=[seconds.get(item["id"])]) for item in RECORDS]
    assert [view.id for view in found if wanted.matches(view)] == expected


def test_no_criterion_keeps_everything() -> None:
    assert len(matching()) == len(RECORDS)


@pytest.mark.parametrize("name", ["teacher_wrong", "labels", "ids", "splits"])
def test_a_criterion_that_no_student_can_change_needs_none(name: str) -> None:
    value: Any = True if name == "teacher_wrong" else ("x",)
    assert not Criteria(**{name: value}).needs_student
    assert Criteria(**{name: value}, low_confidence=0.5).needs_student


def items(*confidences: float | None) -> list[ViewedRecord]:
    found = []
    for index, confidence in enumerate(confidences):
        row = {"id": f"r{index}", "input": "x" * index, "student": {"label": "a"}}
        if confidence is not None:
            row["student"]["confidence"] = confidence  # type: ignore[index]
        found.append(ViewedRecord(row, view_of(row, index + 1)))
    return found


def ids(chosen: Iterator[ViewedRecord]) -> list[str]:
    return [item.view.id for item in chosen]


def test_sorting_puts_the_least_sure_first_and_the_silent_last() -> None:
    rows = items(0.5, None, 0.1, 0.9)
    assert ids(Selection(sort="confidence").apply(rows)) == ["r2", "r0", "r3", "r1"]
    reverse = Selection(sort="confidence", reverse=True)
    assert ids(reverse.apply(rows)) == ["r3", "r0", "r2", "r1"]


def test_sorting_by_id_or_length_ignores_the_order_of_the_input() -> None:
    rows = items(0.1, 0.2, 0.3)
    assert ids(Selection(sort="length").apply(rows[::-1])) == ["r0", "r1", "r2"]
    assert ids(Selection(sort="id", reverse=True).apply(rows)) == ["r2", "r1", "r0"]


@given(
    st.lists(st.one_of(st.none(), st.sampled_from([0.1, 0.5, 0.9])), max_size=8),
    st.integers(1, 9),
    st.booleans(),
)
def test_a_limit_cuts_the_sorted_list(
    confidences: list[float | None], limit: int, reverse: bool
) -> None:
    rows = items(*confidences)
    whole = ids(Selection(sort="confidence", reverse=reverse).apply(rows))
    cut = ids(Selection(sort="confidence", reverse=reverse, limit=limit).apply(rows))
    assert cut == whole[:limit]


def test_a_limit_asks_for_no_item_beyond_it() -> None:
    def endless() -> Iterator[ViewedRecord]:
        yield from items(0.1, 0.2)
        raise AssertionError("asked for a third")

    assert ids(Selection(limit=2).apply(endless())) == ["r0", "r1"]


def test_a_sample_keeps_the_order_and_depends_on_the_seed_alone() -> None:
    rows = items(*[0.5] * 50)
    first, again = (ids(Selection(sample=10, seed=1).apply(rows)) for _ in range(2))
    assert first == again
    assert first == sorted(first, key=lambda name: int(name[1:]))
    assert len(set(first)) == 10
    assert first != ids(Selection(sample=10, seed=2).apply(rows))


def test_a_sample_larger_than_the_input_is_the_input() -> None:
    rows = items(0.1, 0.2)
    assert ids(Selection(sample=5).apply(rows)) == ["r0", "r1"]


def test_every_item_is_drawn_about_equally_often() -> None:
    rows = items(*[0.5] * 5)
    drawn = [name for seed in range(500) for name in ids(Selection(2, seed).apply(rows))]
    counts = [drawn.count(f"r{index}") for index in range(5)]
    assert sum(counts) == 1000
    assert all(150 < count < 250 for count in counts)


def test_a_tally_counts_only_what_is_known() -> None:
    tally = FilterCounts(read=len(RECORDS), matching=len(RECORDS))
    for row in RECORDS:
        tally.show(view_of(row))
    assert (tally.right, tally.labelled) == (2, 7)
    assert (tally.consistent, tally.judged) == (2, 4)
    assert (tally.teacher_right, tally.taught) == (2, 4)
    assert str(tally) == (
        "10 shown; label right 2/7 (29%); consistent 2/4 (50%); teacher right 2/4 (50%)"
    )


def test_a_tally_leaves_out_what_nobody_said() -> None:
    tally = FilterCounts(read=1200, matching=2, shown=1)
    assert str(tally) == "1 shown of 2 matching of 1,200 read"


def test_records_are_chosen_by_their_operating_point() -> None:
    marked = {
        name: record(name, "tree", "", student={"label": "tree"}) | {"scores": {"sure": value}}
        for name, value in (("above", True), ("below", False))
    }
    for is_sure, name in ((True, "above"), (False, "below")):
        wanted = Criteria(is_sure=is_sure)
        assert wanted.needs_student
        assert [key for key, one in marked.items() if wanted.matches(view_of(one))] == [name]
    assert Criteria(is_suspect=True).needs_student
