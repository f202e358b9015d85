from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.evaluate.measures.steps import find_steps
from tests.clock import cpu_seconds


def found(text: str) -> list[tuple[str, bool]]:
    return [(step.text, step.is_right) for step in find_steps(text)]


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("So he has 12 + 7 = 19 apples.", [("12 + 7 = 19", True)]),
        ("So he has 12 + 7 = 18 apples.", [("12 + 7 = 18", False)]),
        ("10 * 45 is 450.", [("10 * 45 = 450", True)]),
        ("3 \u00d7 4 equals 12; 8 ÷ 2 = 4", [("3 * 4 = 12", True), ("8 / 2 = 4", True)]),
        ("$1,357 * 2 = $2,714.", [("1357 * 2 = 2714", True)]),
        ("3 + 4 = 2 + 5 = 7.", [("3 + 4 = 2 + 5", True), ("2 + 5 = 7", True)]),
        ("(3 + 4 = 7)", [("3 + 4 = 7", True)]),
        (
            "3 + 4 = 7. 2 * 3 = 6, 1 + 1 = 3\n",
            [("3 + 4 = 7", True), ("2 * 3 = 6", True), ("1 + 1 = 3", False)],
        ),
        ("- 3 + 4 = 7\n- 2 x 3 = 6", [("3 + 4 = 7", True), ("2 * 3 = 6", True)]),
        ("3 apples + 4 = 7. 2 + 2 = 5", [("2 + 2 = 5", False)]),
        ("So he had -78 + 154 = 76 cakes.", [("-78 + 154 = 76", True)]),
        ("10 - (3 + 6) = 1 emails", [("10 - (3 + 6) = 1", True)]),
    ],
)
def test_stated_steps_are_found_and_checked(text: str, steps: list[tuple[str, bool]]) -> None:
    assert found(text) == steps


@pytest.mark.parametrize(
    "text",
    [
        "There are 5 apples.",
        "5 is 5 = 5",  # no operation
        "7 * x = 41 - 6",  # algebra: the left side is no number
        "3 apples + 4 + 5 = 12",  # the left side begins before the span
        "He worked 24/7.",
        "",
        "=",
        "9**9**9 = 3",
    ],
)
def test_what_cannot_be_read_is_no_step(text: str) -> None:
    assert found(text) == []


@pytest.mark.parametrize(
    ("text", "is_right"),
    [
        ("10 / 3 = 3.33", True),
        ("10 / 3 = 3.34", False),
        ("10 / 3 = 3", False),
        ("7 / 2 = 3.5", True),
    ],
)
def test_a_decimal_result_may_be_rounded_and_a_whole_one_may_not(text: str, is_right: bool) -> None:
    assert [right for _, right in found(text)] == [is_right]


def test_a_step_knows_what_its_left_side_comes_to() -> None:
    (step,) = find_steps("1 / 3 + 1 / 6 = 1")
    assert (step.value, step.is_right) == (Fraction(1, 2), False)


@given(st.integers(0, 10**6), st.integers(0, 10**6), st.sampled_from("+-*"), st.integers(-3, 3))
def test_a_step_is_right_exactly_where_the_numbers_are(a: int, b: int, op: str, slip: int) -> None:
    value = {"+": a + b, "-": a - b, "*": a * b}[op]
    assert [right for _, right in found(f"So {a} {op} {b} = {value + slip}.")] == [slip == 0]


@pytest.mark.parametrize(
    "text",
    ["(" * 20_000 + "1+1=2", "1+" * 10_000 + "1=2", "1 is " * 4_000, "$ " * 10_000, "= " * 10_000],
)
def test_hostile_texts_are_read_in_bounded_time(text: str) -> None:
    assert cpu_seconds(lambda: list(find_steps(text))) < 0.5
