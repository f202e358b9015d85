"""Problems whose right answers a linear model can find, for tests of baselines."""

from __future__ import annotations

from collections.abc import Sequence

from mitools.evaluate.baselines.protocol import Example, Problem

WORDS = {"billing": "invoice", "delivery": "parcel", "account": "password"}


def labelled(number: int) -> Example:
    """Make an example of three labels, each with a word of its own."""
    label = [*WORDS][number % 3]
    text = f"message {number}: something about the {WORDS[label]} of a customer"
    return Example(Problem(str(number), text, "labels", tuple(WORDS)), label)


def offered(number: int) -> Example:
    """Make an example with choices of its own; the right one is of one kind, at any place."""
    right = f"big cat {number % 7}"
    others = [f"small dog {number % 5}", f"old house {number % 4}"]
    others.insert(number % 3, right)
    return Example(
        Problem(str(number), f"What is it, number {number}?", "choice", (*others,)), right
    )


def equation(number: int) -> Example:
    """Make a word problem: "gets" adds, "loses" subtracts."""
    a, b = 20 + number % 13, 3 + number % 5
    adds = number % 2 == 0
    text = f"Ann has {a} pears and {'gets' if adds else 'loses'} {b} of them. How many are left?"
    return Example(Problem(str(number), text, "equation"), f"( {a} {'+' if adds else '-'} {b} )")


def problems_of(examples: Sequence[Example]) -> list[Problem]:
    return [example.problem for example in examples]
