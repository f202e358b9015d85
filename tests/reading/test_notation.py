"""LaTeX, markup and boxes around a number."""

from __future__ import annotations

import pytest

from mitools.reading.notation import (
    boxed_in,
    braced,
    other_box,
    without_copula,
    without_latex,
    without_markup,
)


@pytest.mark.parametrize(
    ("written", "plain"),
    [
        (r"1\frac{1}{2}", "1 1/2"),
        ("12{,}345", "12,345"),
        (r"3 \times 4", "3 *4"),
        (r"\text{5}", "5"),
    ],
)
def test_latex_becomes_plain_arithmetic(written: str, plain: str) -> None:
    assert " ".join(without_latex(written).split()) == plain


def test_emphasis_goes_and_a_power_stays() -> None:
    assert without_markup("**42**") == "42"
    assert without_markup("`42`") == "42"
    assert without_markup("2**5") == "2**5"


def test_the_last_box_counts_and_another_in_its_sentence_is_noticed() -> None:
    text = r"First \boxed{4}. Then \boxed{5}"
    begin, end, held = boxed_in(text) or (0, 0, "")
    assert (text[begin:end], held) == (r"\boxed{5}", "5")
    assert boxed_in("no box") is None
    assert boxed_in(r"\boxed{5") is None
    pair = r"So \boxed{4} or \boxed{5}"
    found = boxed_in(pair)
    assert found is not None
    assert other_box(pair, found[0], found[2]) == "4"
    assert other_box(text, begin, held) is None


def test_a_brace_is_matched_with_its_own() -> None:
    assert braced(r"{a{b}c}d", 0) == "a{b}c"
    assert braced("{a{b}", 0) is None


def test_a_verb_at_the_end_of_a_japanese_answer_goes() -> None:
    assert without_copula("42です") == "42"
    assert without_copula("42 apples") == "42 apples"
