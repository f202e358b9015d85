from __future__ import annotations

import pytest

from mitools.evaluate.baselines import space
from mitools.evaluate.baselines.protocol import Example, Guess, Problem
from mitools.evaluate.baselines.space import Classes, has_own_choices, place_of
from tests.evaluate.baselines.problems import labelled, offered


def text(label: str, name: str = "1", task: str = "text") -> Example:
    return Example(Problem(name, "q", task), label)


def test_choices_that_differ_are_places_and_one_set_of_them_is_classes() -> None:
    assert has_own_choices([offered(1), offered(2)])
    assert not has_own_choices([labelled(1), labelled(2)])
    assert not has_own_choices([offered(1), text("a")])


def test_equal_labels_share_a_class_named_by_their_most_frequent_text() -> None:
    classes = Classes.of([text("The cat"), text("the cat."), text("the cat."), text("a dog")])
    assert classes.texts[0] == "the cat."
    assert len(classes.names) == 2
    equations = Classes.of([text(t, task="equation") for t in ("( 2 + 3 )", "5", "5.0", "6")])
    problem = Problem("9", "q", "equation")
    assert equations.has("10 / 2", problem)
    assert not equations.has("7", problem)
    assert len(equations.names) == 2


def test_the_most_frequent_classes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(space, "MOST_CLASSES", 2)
    examples = [text(label) for label in ("a", "b", "b", "c", "c", "c")]
    classes = Classes.of(examples)
    assert classes.texts == ("c", "b")
    assert classes.indices(examples).tolist() == [-1, 1, 1, 0, 0, 0]


def test_a_guess_is_one_of_the_choices_and_takes_their_share_of_the_probability() -> None:
    classes = Classes(("a", "b", "c"), ("a", "b", "c"), "choice")
    guess = classes.pick(Problem("1", "q", "choice", ("C", "b")), [0.6, 0.1, 0.3])
    assert guess.label == "C"
    assert guess.confidence == pytest.approx(0.75)
    assert classes.pick(Problem("1", "q", "choice"), [0.6, 0.1, 0.3]) == Guess("a", 0.6)


def test_choices_that_were_never_seen_are_a_guess_among_them() -> None:
    classes = Classes(("a",), ("a",), "choice")
    assert classes.pick(Problem("1", "q", "choice", ("x", "y")), [1.0]) == Guess("x", 0.5)


def test_a_label_is_found_among_the_choices_as_the_task_compares() -> None:
    problem = Problem("1", "q", "choice", ("The cat", "a dog"))
    assert place_of("a DOG.", problem) == 1
    assert place_of("a bird", problem) is None


def test_choices_that_differ_only_in_case_are_places_and_classes_of_their_own() -> None:
    problem = Problem("1", "q", "labels", ("US", "us"))
    assert place_of("us", problem) == 1
    classes = Classes.of([Example(problem, "US"), Example(problem, "us")])
    assert len(classes.names) == 2
    assert classes.pick(problem, [0.2, 0.8]).label == "us"
