"""From tokens to one expression, or to the finding that there are several."""

from __future__ import annotations

import pytest

from mitools.reading.answer import UNCLEAR, Unclear
from mitools.reading.arithmetic import expression_of
from mitools.reading.tokens import tokens_of


@pytest.mark.parametrize(
    ("statement", "found"),
    [
        ("42", "42"),
        ("42 apples in all", "42"),
        ("3 plus 4", "3 + 4"),
        ("15 out of 20", "15 / 20"),
        ("1 1/2", "3 / 2"),
        ("2^5", "32"),
        ("6 * 7 = 42", "6 * 7"),
        ("( 84 / 2 )", "(84 / 2)"),
        ("no number", None),
        ("6 * 7 = 41", UNCLEAR),
        ("5 7", UNCLEAR),
        ("5-7", UNCLEAR),
        ("3 apples and 4 pears", UNCLEAR),
    ],
)
def test_a_statement_gives_one_expression_or_none(
    statement: str, found: str | Unclear | None
) -> None:
    assert expression_of(tokens_of(statement)) == found
