"""Arithmetic expressions: exact values, fixed bounds, and nothing evaluated as code."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools import expressions
from mitools.expressions import find_expressions, parse_expression
from mitools.tasks import task_named
from tests.clock import cpu_seconds


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("( 84.0 / 2.0 )", "42"),
        ("(84 / 2)", "42"),
        ("84 / 2 = 42", "42"),
        ("(84 / 2 = 42)", "42"),
        ("84 / 2 = 41", "42"),
        ("11,210 / 84", "5605/42"),
        ("$5 + $3.50", "17/2"),
        ("3 x 4", "12"),
        ("3 \u00d7 4 \u00f7 2", "6"),
        ("5 \u2212 7", "-2"),
        ("-(5 - 7)", "2"),
        ("25%", "1/4"),
        ("1.5.", "3/2"),
        ("2 + 3 * 4", "14"),
        ("10 - 2 - 3", "5"),
        (".1 + .2", "3/10"),
    ],
)
def test_expressions_have_exact_values(written: str, value: str) -> None:
    found = parse_expression(written)
    assert found is not None
    assert str(found.value) == value


@pytest.mark.parametrize(
    "written",
    [
        "__import__('os').system('id')",
        "9**9**9",
        "9^9",
        "1e9",
        "2 * x",
        "7x = 14",
        "(175, 5)",
        "1,2,3",
        "(9 + 6",
        "9 + 6)",
        "1 2",
        "1 / 0",
        "1 / (2 - 2)",
        "",
        " ",
        "\u0662",
        "(" * 5000 + "1" + ")" * 5000,
        "(" * 90 + "1" + ")" * 90,
        "-" * 199 + "1",
        "1" + " + 1" * 100,
    ],
)
def test_what_is_no_expression_is_refused_at_once(written: str) -> None:
    def read() -> None:
        expressions._parse.cache_clear()
        assert parse_expression(written) is None
        label = task_named("equation").parse(f"The answer is {written}.").label
        assert label == READ_IN_A_STATEMENT.get(written)

    assert cpu_seconds(read) < 0.01


# A statement may say in another notation what an expression has to say in digits and operators.
READ_IN_A_STATEMENT = {"9^9": "387420489", "1e9": "1000000000", "\u0662": "2"}


@given(st.text(alphabet="0123456789.,+-*/()x=%$ \n", max_size=60))
def test_reading_what_was_written_out_changes_nothing(written: str) -> None:
    found = parse_expression(written)
    if found is not None:
        again = parse_expression(found.text)
        assert again is not None
        assert (again.value, again.text) == (found.value, found.text)


def test_expressions_in_prose_are_found_in_order() -> None:
    prose = "She had (5 + 3) * 2 = 16 (as 8 * 2 = 16)."
    assert [found.text for found in find_expressions(prose)] == ["(5 + 3) * 2", "8 * 2"]
