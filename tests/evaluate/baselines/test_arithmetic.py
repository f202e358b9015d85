from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from mitools.errors import DataError
from mitools.evaluate.baselines import arithmetic
from mitools.evaluate.baselines.arithmetic import Arithmetic
from mitools.evaluate.baselines.protocol import Example, Guess, Problem
from mitools.tasks import task_named
from tests.evaluate.baselines.problems import equation, labelled, problems_of


def test_the_words_decide_the_operation() -> None:
    baseline = Arithmetic(0)
    baseline.fit([equation(number) for number in range(40)])
    asked = [equation(number) for number in range(41, 61)]
    guesses, task = baseline.answer(problems_of(asked)), task_named("equation")
    assert all(
        task.is_equal(guess.label, one.label) for guess, one in zip(guesses, asked, strict=True)
    )
    assert all(guess.confidence is not None and guess.confidence > 0.3 for guess in guesses)
    assert "C = " in baseline.about


def test_an_input_without_two_numbers_has_no_answer() -> None:
    baseline = Arithmetic(0)
    baseline.fit([equation(number) for number in range(10)])
    bare = Problem("x", "How many?", "equation")
    assert baseline.answer([bare]) == [Guess(None)]
    assert not baseline.reaches(bare, "3")
    assert baseline.reaches(equation(0).problem, equation(0).label)


def test_another_task_and_labels_out_of_reach_are_refused() -> None:
    with pytest.raises(DataError, match="answers equations, and the task is labels"):
        Arithmetic(0).fit([labelled(1)])
    with pytest.raises(DataError, match="no training label is made of the numbers of its input"):
        Arithmetic(0).fit([Example(equation(1).problem, "1000000007")])


def test_of_many_examples_a_sample_is_learned_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arithmetic, "MOST_OPEN", 12)
    baseline = Arithmetic(0)
    baseline.fit([equation(number) for number in range(40)])
    assert "; 12 training records, C = " in baseline.about


def test_problems_are_answered_in_blocks_with_the_same_answers(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    baseline = Arithmetic(0)
    baseline.fit([equation(number) for number in range(20)])
    bare = [Problem(name, "How many?", "equation") for name in "xyz"]
    asked = [*problems_of([equation(number) for number in range(20, 31)]), *bare]
    at_once = baseline.answer(asked)
    sizes: list[int] = []
    features = Arithmetic._features

    def watched(self: Arithmetic, texts: Sequence[str], candidates: Any) -> Any:
        sizes.append(len(texts))
        return features(self, texts, candidates)

    monkeypatch.setattr(Arithmetic, "_features", watched)
    monkeypatch.setattr(arithmetic, "_BLOCK", 3)
    assert baseline.answer(asked) == at_once
    assert sizes == [3, 3, 3, 2, 0]
    assert baseline.answer([]) == []
