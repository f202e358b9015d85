"""Small pieces of a view."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from mitools.explain.pieces import (
    MAX_STEPS,
    asides,
    heading,
    named,
    rule_above,
    steps,
    support,
    ways,
)
from mitools.explain.view import Side, StepView, SupportedAnswer, WayAnswer


@pytest.mark.parametrize(
    ("name", "width", "shown"),
    [("mi", 10, "mi"), ("svamp-seed-1", 12, "svamp-seed-1"), ("svamp-seed-1", 7, "…seed-1")],
)
def test_a_long_name_loses_its_beginning(name: str, width: int, shown: str) -> None:
    assert named("student", {"student": name}, width) == shown
    assert named("teacher", {"student": name}, width) == "teacher"[-width:]


@pytest.mark.parametrize("width", [40, 60, 80, 200])
@pytest.mark.parametrize("last", ["x", "i" * 300, "名" * 100])
def test_a_rule_has_the_width(last: str, width: int) -> None:
    line = rule_above(("12", last), "test · equation", width)
    assert cell_len(line.plain) == width
    assert ("test · equation" in line.plain) is (width > 40 or last == "x")


def test_a_title_is_whole_and_details_are_left_out_from_the_end() -> None:
    title, details = "figures, 95% intervals", "500 records, task equation, by student@0123456789ab"
    for width in range(40, 120):
        line = heading(title, details, width).plain
        assert cell_len(line) == width
        assert f"── {title} ──" in line
    assert heading(title, details, 120).plain.endswith(f" {details} ──")
    assert heading(title, details, 80).plain.endswith("─── 500 records, task equation ──")
    assert heading(title, details, 50).plain.endswith("─── 500 records ──")
    assert heading("next", "", 60).plain == "── next " + "─" * 52


def test_owners_are_listed_with_one_and() -> None:
    def told(*owners: str) -> str:
        return support(SupportedAnswer("7", owners), "student", {"second": "mi"}).plain

    assert told() == "→ supports 7, no one's answer"
    assert told("gold") == "→ supports 7, gold's answer"
    assert told("gold", "teacher", "second") == "→ supports 7, gold's, teacher's and mi's answer"
    assert told("gold", "student") == "→ supports its own answer"


def test_ways_stand_below_each_other() -> None:
    answers = (
        WayAnswer("predict", "12", 0.5, False, False, True),
        WayAnswer("conclude", "7", 0.75, True, True, False),
    )
    assert ways(answers, 70).plain.splitlines() == [
        "predict  ✗ 12   50%  consistent",
        "conclude ✓ 7    75%  inconsistent  ← its answer",
    ]
    assert ways(answers, 38).plain.splitlines() == [
        "predict  ✗ 12   50%",
        "conclude ✓ 7    75%  ←",
    ]


def test_wrong_steps_beyond_the_limit_are_counted() -> None:
    wrong = [StepView(f"{n} + 1 = 0", False, str(n + 1)) for n in range(MAX_STEPS + 3)]
    text = steps(wrong, 1000, is_full=False).plain
    assert text.count("(is ") == MAX_STEPS
    assert text.endswith("✗ 3 more wrong")
    assert steps(wrong, 1000, is_full=True).plain.count("(is ") == MAX_STEPS + 3


def test_the_place_in_a_log_is_one_safe_line() -> None:
    [line] = asides(Side("teacher", "7", origin="m, a\n\x1b[31m.jsonl:3"))
    assert line.plain.startswith("read in m, a")
    assert line.plain.endswith(".jsonl:3")
    assert "\n" not in line.plain
    assert not list(asides(Side("teacher", "7")))
