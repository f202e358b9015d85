from __future__ import annotations

import random

import numpy as np
import pytest

from mitools.evaluate.sample import SampledRecord
from mitools.evaluate.simulators.choose import FEWEST_ITEMS, Simulation, simulate
from mitools.evaluate.simulators.models import CandidateSimulator, LabelSimulator

PLACES = ["sea", "garden", "bus depot", "school", "bridge", "forest", "kitchen"]


def equations(n: int) -> list[SampledRecord]:
    rng = random.Random(0)
    items = []
    for number in range(n):
        a, b = rng.randrange(20, 90), rng.randrange(2, 9)
        label = f"{a} - {b}" if number % 3 else f"{a} + {b}"
        text = f"Ann has {a} pears and {'loses' if number % 2 else 'gets'} {b}."
        items.append(SampledRecord(text, f"So {label} is it.", label, f"( {a} - {b} )"))
    return items


def choices(n: int) -> list[SampledRecord]:
    rng = random.Random(0)
    items = []
    for number in range(n):
        offered = tuple(rng.sample(PLACES, 4))
        text = f"where is number {number} {rng.choice(PLACES)}"
        items.append(
            SampledRecord(
                text, f"It is the {offered[1]}.", offered[1], offered[number % 4], offered
            )
        )
    return items


def labels(n: int) -> list[SampledRecord]:
    names = ("no", "Yes")
    return [
        SampledRecord(f"q{number}", f"so {names[number % 2]}", names[number % 2], "yes", names)
        for number in range(n)
    ]


def simulated(items: list[SampledRecord], task: str) -> Simulation:
    found = simulate(items, task, 0)
    assert isinstance(found, Simulation), found
    return found


def test_one_fixed_set_of_labels_is_guessed_by_logistic_regression() -> None:
    for task in ("labels", "choice"):
        found = simulated(labels(60), task)
        assert isinstance(found.simulator, LabelSimulator)
        assert found.given.tolist() == [0, 1] * 30
        assert found.gold is not None
        assert found.gold.tolist() == [1] * 60
        assert found.rationales.shape[0] == 60


def test_choices_that_differ_are_guessed_by_a_conditional_logit() -> None:
    found = simulated(choices(60), "choice")
    assert isinstance(found.simulator, CandidateSimulator)
    assert found.simulator.sets.sizes.tolist() == [4] * 60
    assert found.given.tolist() == [1] * 60
    assert "conditional logit" in found.simulator.description


def test_equations_are_guessed_among_what_their_numbers_make() -> None:
    found = simulated(equations(60), "equation")
    assert isinstance(found.simulator, CandidateSimulator)
    assert found.masked is None
    told = found.rationales[found.simulator.sets.starts + found.given]
    assert (told[:, 0] > 0).all()


def test_the_stated_answer_is_what_a_rationale_tells_of_a_choice() -> None:
    found = simulated(choices(60), "choice")
    starts = found.simulator.sets.starts  # type: ignore[attr-defined]
    assert (found.rationales[starts + found.given, -1] > 0).all()
    assert (found.rationales[starts, -1] == 0).all()
    assert found.masked is not None
    assert not found.masked[:, -4:].any()


def test_a_simulator_of_the_input_sees_no_rationale() -> None:
    items = choices(60)
    empty = [SampledRecord(one.input, "", one.label, one.gold, one.choices) for one in items]
    ours, theirs = simulated(items, "choice"), simulated(empty, "choice")
    assert (ours.simulator.inputs == theirs.simulator.inputs).all()  # type: ignore[attr-defined]


def test_answers_that_are_not_among_the_possible_ones_are_left_out() -> None:
    items = labels(60)
    odd = [
        SampledRecord("q", "so", "maybe", "yes", ("no", "yes")),
        SampledRecord("q", "so", "no", "x", ("no", "yes")),
    ]
    found = simulated([*items, *odd], "labels")
    assert (len(found.items), found.left_out) == (60, 2)


def test_without_any_gold_everything_else_is_kept() -> None:
    items = [
        SampledRecord(one.input, one.rationale, one.label, None, one.choices) for one in labels(60)
    ]
    found = simulated(items, "labels")
    assert found.gold is None
    assert len(found.items) == 60


@pytest.mark.parametrize(
    ("items", "task"),
    [
        (labels(FEWEST_ITEMS - 1), "labels"),
        ([SampledRecord("no number", "r", "1", "1")] * 60, "equation"),
        ([SampledRecord("q", "r", "a", "a", ("a",))] * 60, "choice"),
        ([SampledRecord("q", "r", "a", "a")] * 60, "choice"),
        ([SampledRecord("q", "r", "__import__('os')", "9**9**9")] * 60, "equation"),
    ],
)
def test_too_few_items_that_could_be_guessed_give_a_reason(
    items: list[SampledRecord], task: str
) -> None:
    found = simulate(items, task, 0)
    assert isinstance(found, str)
    assert f"a simulator wants {FEWEST_ITEMS}" in found


def test_folds_can_be_given() -> None:
    folds = np.arange(60) % 2
    found = simulate(labels(60), "labels", 0, folds)
    assert isinstance(found, Simulation)
    assert (found.simulator.folds == folds).all()  # type: ignore[attr-defined]
