"""Long rationales: whole sentences, the first and the last ones, never inside a formula."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.sources.chat.shorten import shorten


def test_the_first_and_the_last_sentences_stay() -> None:
    text = "First read it. Wait, that is wrong. Add 3 and 4.5. So the sum is 7.5."
    cut = shorten(text, 12)
    assert cut.text == "First read it. Add 3 and 4.5. So the sum is 7.5."
    assert (cut.words, cut.kept) == (16, 12)
    assert shorten(text, 11).text == "First read it. So the sum is 7.5."


def test_a_short_text_is_unchanged() -> None:
    assert shorten(" a  b\n", 2) == (" a  b\n", 2, 2)


def test_the_first_sentence_gives_way_to_the_last() -> None:
    assert shorten("A very long first sentence. It is 5.", 4).text == "It is 5."


def test_a_sentence_that_is_too_long_is_left_out_and_never_cut() -> None:
    assert shorten("We add. So it is 5. " + "and " * 50, 6).text == "We add. So it is 5."
    assert shorten("word " * 50, 6).text == ""


@pytest.mark.parametrize(
    "formula",
    [
        "\\[\nx = 1.\n y = 2.\n\\]",
        "$$\nx = 1.\n y = 2.\n$$",
        "\\( x.\n y \\)",
        "```\nx = 1.\n y = 2.\n```",
        "\\begin{align*}\nx &= 1.\n y &= 2.\n\\end{align*}",
    ],
)
def test_a_formula_is_kept_whole_or_left_out(formula: str) -> None:
    text = f"Start here. A lot of words stand in this one. We have {formula} now. Done."
    for most in range(1, 30):
        kept = shorten(text, most).text
        assert (formula in kept) or ("y" not in kept and "&" not in kept and "`" not in kept)


def test_a_mark_that_is_never_closed_protects_nothing() -> None:
    text = "It costs \\[ much. " + "So we wait here. " * 400 + "It is 5."
    assert shorten(text, 4).text.endswith("It is 5.")


@given(st.text(alphabet="ab1.!? \n$\\[](`", max_size=200), st.integers(1, 20))
def test_the_limit_holds_and_only_whole_pieces_of_the_text_stay(text: str, most: int) -> None:
    cut = shorten(text, most)
    assert cut.kept <= most
    assert len(cut.text.split()) <= most
    left = text
    for word in cut.text.split():
        assert word in left
        left = left[left.index(word) + len(word) :]


@pytest.mark.parametrize("piece", ["$$ a. ", "\\[ a. ", "a. ", "\n", "... ", "   ", "``` "])
def test_time_is_linear(piece: str) -> None:
    started = time.process_time()
    shorten("x " * 10 + piece * 40_000, 5)
    assert time.process_time() - started < 10
