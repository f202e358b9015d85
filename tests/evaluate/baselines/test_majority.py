from __future__ import annotations

import pytest

from mitools.evaluate.baselines.majority import Majority
from mitools.evaluate.baselines.protocol import Example, Guess, Problem


def test_the_most_frequent_label_is_the_answer_with_its_share() -> None:
    examples = [
        Example(Problem(str(n), "q", "labels", ("yes", "no")), label)
        for n, label in enumerate(("no", "no", "yes", "no"))
    ]
    baseline = Majority()
    baseline.fit(examples)
    assert baseline.answer([Problem("9", "?", "labels", ("yes", "no"))]) == [Guess("no", 0.75)]


def test_where_choices_differ_the_most_frequent_place_is_the_answer() -> None:
    rows = [("a", "b", "c"), ("d", "e", "f"), ("g", "h", "i"), ("j", "k", "l")]
    rights = ("c", "f", "g", "l")
    baseline = Majority()
    baseline.fit(
        [
            Example(Problem(str(n), "q", "choice", row), right)
            for n, (row, right) in enumerate(zip(rows, rights, strict=True))
        ]
    )
    short = Problem("9", "?", "choice", ("x", "y"))
    found = baseline.answer([Problem("8", "?", "choice", ("x", "y", "z")), short])
    assert found == [Guess("z", 0.75), Guess("x", 1.0)]
    assert baseline.reaches(short, "y")


def test_equations_are_counted_by_value() -> None:
    labels = ("( 2 + 2 )", "4", "7", "8 / 2")
    baseline = Majority()
    baseline.fit([Example(Problem(str(n), "q", "equation"), t) for n, t in enumerate(labels)])
    (guess,) = baseline.answer([Problem("9", "?", "equation")])
    assert guess.confidence == pytest.approx(0.75)
    assert baseline.reaches(Problem("9", "?", "equation"), "( 10 - 3 )")
    assert not baseline.reaches(Problem("9", "?", "equation"), "12")
