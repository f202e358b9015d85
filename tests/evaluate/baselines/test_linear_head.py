from __future__ import annotations

from collections.abc import Callable

import pytest

from mitools.errors import DataError
from mitools.evaluate.baselines.encoder import encoder_baseline
from mitools.evaluate.baselines.linear_head import LinearHead
from mitools.evaluate.baselines.protocol import Example, Guess, Problem
from mitools.evaluate.baselines.tfidf import tfidf_baseline
from tests.evaluate.baselines.problems import labelled, offered, problems_of
from tests.evaluate.baselines.test_encoder import LetterEncoder


def tfidf() -> LinearHead:
    return tfidf_baseline(0)


def encoder() -> LinearHead:
    return encoder_baseline(LetterEncoder(), 0)


EVERY_HEAD = pytest.mark.parametrize("make", [tfidf, encoder])
EVERY_KIND = pytest.mark.parametrize("kind", [labelled, offered])


@EVERY_HEAD
@EVERY_KIND
def test_what_a_linear_model_can_learn_is_learned(
    make: Callable[[], LinearHead], kind: Callable[[int], Example]
) -> None:
    head = make()
    head.fit([kind(number) for number in range(90)])
    asked = [kind(number) for number in range(100, 130)]
    guesses = head.answer(problems_of(asked))
    right = sum(guess.label == one.label for guess, one in zip(guesses, asked, strict=True))
    assert right >= 27
    assert all(guess.confidence is not None and 0 < guess.confidence <= 1 for guess in guesses)
    assert all(head.reaches(one.problem, one.label) for one in asked)


@EVERY_HEAD
@EVERY_KIND
def test_the_same_examples_give_the_same_answers_alone_or_together(
    make: Callable[[], LinearHead], kind: Callable[[int], Example]
) -> None:
    examples, asked = [kind(n) for n in range(60)], problems_of([kind(n) for n in range(60, 70)])
    heads = [make(), make()]
    for head in heads:
        head.fit(examples)
    together = heads[0].answer(asked)
    assert together == heads[1].answer(asked)
    alone = [heads[0].answer([problem])[0] for problem in asked]
    assert [guess.label for guess in alone] == [guess.label for guess in together]


def test_the_description_has_the_kind_of_answer_and_the_chosen_penalty() -> None:
    head = tfidf()
    assert head.about.endswith("logistic regression")
    head.fit([labelled(number) for number in range(30)])
    assert "over 3 labels of 30 training records, C = " in head.about
    head.fit([offered(number) for number in range(30)])
    assert "over each record's choices, C = " in head.about


def test_a_problem_without_choices_has_no_answer_where_choices_were_learned() -> None:
    head = tfidf()
    head.fit([offered(number) for number in range(30)])
    bare = Problem("x", "What?", "choice")
    assert head.answer([bare, offered(99).problem])[0] == Guess(None)


def test_labels_that_are_no_choice_cannot_be_learned() -> None:
    lost = [Example(offered(number).problem, "elsewhere") for number in range(3)]
    with pytest.raises(DataError, match="no training record has its label among its choices"):
        tfidf().fit(lost)
