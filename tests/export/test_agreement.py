"""Answers of a student and of its export, compared."""

from __future__ import annotations

import math
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from mitools.errors import StudentError
from mitools.export.agreement import EXACT, QUANTIZED, Agreement, check_agreement, compare
from mitools.export.options import Quantization
from mitools.export.protocol import Reply
from mitools.student.protocol import Generation


class Codec:
    """Targets are the letters of a text and an end token, 0."""

    def encode_prompts(self, _purpose: str, texts: Sequence[str]) -> list[tuple[list[int], bool]]:
        return [([len(text)], False) for text in texts]

    def encode_targets(self, _purpose: str, texts: Sequence[str]) -> list[tuple[list[int], bool]]:
        return [([*map(ord, text), 0], False) for text in texts]


def student(*answers: tuple[str, float]) -> Any:
    """A student that gives these texts with these probabilities; an end token has one half."""
    said = [Generation(text, math.log(p), False, 3) for text, p in answers]

    def score(_prompts: object, targets: Sequence[Sequence[int]]) -> list[float]:
        whole = {text: math.log(p) for text, p in answers}
        return [whole["".join(map(chr, ids))] - math.log(0.5) for ids in targets]

    def ask(_texts: object) -> list[Generation]:
        return said

    return SimpleNamespace(
        codec=Codec(), generate_labels=ask, generate_rationales=ask, score_targets=score
    )


def reply(text: str, p: float, counts_end: bool = True) -> Reply:
    return Reply(text, math.log(p), counts_end, 3)


def test_equal_answers_agree() -> None:
    found = compare(
        student(("a", 0.4), ("b", 0.2)),
        ["x", "y"],
        [reply("a", 0.4)] * 1 + [reply("b", 0.2)],
        "label",
    )
    assert (found.records, found.equal, found.first_difference) == (2, 2, None)
    assert found.largest_difference < 1e-12
    check_agreement(found, EXACT, "X")


def test_a_reply_without_its_end_token_is_compared_without_it() -> None:
    found = compare(student(("a", 0.3)), ["x"], [reply("a", 0.6, counts_end=False)], "label")
    assert found.largest_difference < 1e-12


def test_a_different_text_is_named_and_refused() -> None:
    found = compare(
        student(("a", 0.4), ("b", 0.2)), ["x", "y"], [reply("a", 0.4), reply("c", 0.2)], "label"
    )
    assert found.first_difference == ("y", "b", "c")
    with pytest.raises(StudentError, match='for "y" the student answers "b", the export "c"') as e:
        check_agreement(found, EXACT, "X")
    assert "nothing was written" in str(e.value.hint)


@pytest.mark.parametrize(
    ("agreement", "exact", "quantized"),
    [
        (Agreement(50, 50, 1e-4, 9e-4, None), True, True),
        (Agreement(50, 50, 1e-4, 2e-3, None), False, True),
        (Agreement(50, 49, 0.0, 0.0, None), False, True),
        (Agreement(50, 45, 0.049, 0.3, None), False, True),
        (Agreement(50, 44, 0.0, 0.0, None), False, False),
        (Agreement(50, 50, 0.06, 0.3, None), False, False),
    ],
)
def test_rounded_weights_may_differ_more(
    agreement: Agreement, exact: bool, quantized: bool
) -> None:
    assert agreement.within(EXACT) is exact
    assert agreement.within(QUANTIZED) is quantized


def test_texts_that_both_cut_are_compared_without_an_end() -> None:
    """Encoded again, a cut text may have other tokens than those that were decoded."""
    one = student(("ab", 0.5))
    one.generate_labels = lambda _texts: [Generation("ab", math.log(0.5), True, 2)]
    found = compare(one, ["x"], [reply("ab", 0.5, counts_end=False)], "label")
    assert (found.equal, found.largest_difference) == (1, 0.0)


def rationales(equal: int, tokens: int, difference: float = 0.0) -> Agreement:
    return Agreement(50, equal, difference, difference, None, "rationale", tokens)


@pytest.mark.parametrize(
    ("agreement", "exact", "quantized"),
    [
        (rationales(50, 3000), True, True),
        (rationales(47, 3000), True, True),  # close calls between tokens
        (rationales(46, 3000), False, True),
        (rationales(20, 1500), False, True),
        (rationales(19, 1500), False, False),
        (rationales(45, 100), False, True),  # short ones have the share of labels
        (rationales(44, 100), False, False),
        (rationales(0, 60), False, False),  # another text from the first tokens on
        (rationales(50, 3000, 0.06), False, False),
    ],
)
def test_rationales_may_differ_by_the_number_of_their_tokens(
    agreement: Agreement, exact: bool, quantized: bool
) -> None:
    assert agreement.within(EXACT) is exact
    assert agreement.within(QUANTIZED) is quantized


def test_tokens_are_counted_up_to_the_first_that_differs() -> None:
    asked = student(("abcd", 0.4), ("ab", 0.2), ("xy", 0.2))
    replies = [reply("abX", 0.4), reply("ab", 0.2), reply("xyz", 0.1)]
    found = compare(asked, ["1", "2", "3"], replies, "rationale")
    assert (found.equal, found.tokens) == (1, 3 + 3 + 3)


def test_probabilities_of_rationales_are_compared_per_token() -> None:
    asked = [student(("abc", 0.5**3)), ["x"], [reply("abc", 0.4**3)]]
    assert compare(*asked, "rationale").largest_difference == pytest.approx(0.1)
    assert compare(*asked, "label").largest_difference == pytest.approx(0.5**3 - 0.4**3)


def test_both_tasks_are_told() -> None:
    other = rationales(44, 600)
    both = Agreement(50, 49, 0.25, 0.5, None, "label", 100, (other,))
    assert str(both) == (
        "49 of 50 answers are equal, with probabilities that differ by 0.25 on average and by at "
        "most 0.5; 44 of 50 rationales are equal, with probabilities per token that differ by 0 on "
        "average and by at most 0"
    )
    assert both.as_json()["also"] == [other.as_json()]
    assert (both.as_json()["task"], other.as_json()["task"]) == ("label", "rationale")


@pytest.mark.parametrize(
    ("quantize", "instead"),
    [
        ("int8", 'use "--quantize float16" or "--quantize none"'),
        ("float16", 'use "--quantize none"'),
        ("none", 'choose another target with "--to"'),
    ],
)
def test_a_refusal_says_what_to_choose_instead(quantize: Quantization, instead: str) -> None:
    found = compare(student(("a", 0.4)), ["x"], [reply("b", 0.4)], "rationale")
    with pytest.raises(StudentError, match='for "x" the student explains "a", the ex') as caught:
        check_agreement(found, QUANTIZED, "X", quantize)
    assert f"nothing was written; {instead}" in str(caught.value.hint)
