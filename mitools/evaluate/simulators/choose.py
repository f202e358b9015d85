"""From items to simulators: the possible answers of each item, and the family that guesses them.

- one fixed set of labels: TF-IDF and multinomial logistic regression;
- choices that differ from example to example: a conditional logit on overlap features;
- equations: a conditional logit on the values that the input's numbers can make;
- any other open label: no simulator, because there is no set of possible answers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitools.evaluate.sample import SampledRecord, assign_folds, without_words
from mitools.evaluate.simulators import choice_features, equation_features
from mitools.evaluate.simulators.logit import CandidateSets
from mitools.evaluate.simulators.models import (
    CandidateSimulator,
    LabelSimulator,
    Simulator,
    term_weights,
    word_pairs,
)
from mitools.tasks import task_named

__all__ = ["FEWEST_ITEMS", "MOST_LABELS", "NOT_GUESSABLE", "Simulation", "simulate"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FEWEST_ITEMS = 50
"""With fewer items, five folds are too small to fit a simulator."""

MOST_LABELS = 50

NOT_GUESSABLE = (
    "labels are open texts, so there is no set of answers for a simulator to guess among"
)


@dataclass(frozen=True)
class Simulation:
    """Items with a simulator of their answers.

    Attributes:
        items: the items whose answers are among the possible ones.
        left_out: the number of other items.
        simulator: of the family that fits.
        given: [n] index of the student's answer.
        gold: [n] index of the gold answer; None where no item has one.
        rationales: features of the rationales.
        masked: the same without the words of labels; None where nothing would be left.
    """

    items: Sequence[SampledRecord]
    left_out: int
    simulator: Simulator
    given: Ints
    gold: Ints | None
    rationales: Any
    masked: Any | None


@dataclass(frozen=True)
class _Placed:
    """An item, its possible answers, and the indices of the given and the gold one."""

    item: SampledRecord
    answers: Sequence[Any]
    given: int
    gold: int | None


def simulate(
    items: Sequence[SampledRecord], task: str, seed: int, folds: Ints | None = None
) -> Simulation | str:
    """Choose a family, and compute its features of the items.

    Where any item has a gold answer among the possible ones, only such items count.

    Args:
        items: in an order that does not depend on that of the records.
        task: the name of their task; not ``text``.
        seed: of the folds and of the search for topics.
        folds: [n] the fold of each item; assigned where None.

    Returns:
        The simulation, or the reason why there is none for these items.
    """
    fold_of = assign_folds(items, seed) if folds is None else folds
    fixed = None if task == "equation" else _fixed_labels(items)
    placed = [_place(item, task, fixed) for item in items]
    if any(place is not None and place.gold is not None for place in placed):
        placed = [None if place is None or place.gold is None else place for place in placed]
    kept = [place for place in placed if place is not None]
    if len(kept) < FEWEST_ITEMS:
        return (
            f"{len(kept)} records have an answer among the possible ones; "
            f"a simulator wants {FEWEST_ITEMS}"
        )
    used = fold_of[[place is not None for place in placed]]
    build: Callable[[Sequence[_Placed], Ints, int], tuple[Simulator, Any, Any]]
    build = _for_equations if task == "equation" else _for_labels if fixed else _for_choices
    simulator, rationales, masked = build(kept, used, seed)
    gold = None if kept[0].gold is None else np.array([place.gold for place in kept])
    return Simulation(
        [place.item for place in kept],
        len(items) - len(kept),
        simulator,
        np.array([place.given for place in kept]),
        gold,
        rationales,
        masked,
    )


def _fixed_labels(items: Sequence[SampledRecord]) -> list[str] | None:
    """List the labels where all items have the same few choices."""
    sets = {frozenset(_forms(item)) for item in items}
    labels = sorted(next(iter(sets))) if len(sets) == 1 else []
    return labels if 2 <= len(labels) <= MOST_LABELS else None


def _forms(item: SampledRecord) -> list[str]:
    """List the choices in the form by which they are compared; equal ones have the same."""
    return [*map(task_named("choice", item.choices).form, item.choices)]


def _place(item: SampledRecord, task: str, fixed: list[str] | None) -> _Placed | None:
    if task == "equation":
        candidates = equation_features.candidates_in(item.input)
        given = equation_features.place_of(item.label, candidates)
        gold = None if item.gold is None else equation_features.place_of(item.gold, candidates)
        return (
            None if given is None or len(candidates) < 2 else _Placed(item, candidates, given, gold)
        )
    form = task_named(task, item.choices).form
    names = fixed or list(dict.fromkeys(_forms(item)))
    label, right = form(item.label), None if item.gold is None else form(item.gold)
    if len(names) < 2 or label not in names:
        return None
    return _Placed(item, names, names.index(label), names.index(right) if right in names else None)


def _for_labels(placed: Sequence[_Placed], folds: Ints, _seed: int) -> tuple[Simulator, Any, Any]:
    labels = placed[0].answers
    texts = [place.item.rationale for place in placed]
    inputs = term_weights([place.item.input for place in placed], word_pairs)
    masked = [without_words(text, labels) for text in texts]
    return (
        LabelSimulator(inputs, folds, len(labels)),
        term_weights(texts, word_pairs),
        term_weights(masked, word_pairs),
    )


def _for_choices(placed: Sequence[_Placed], folds: Ints, seed: int) -> tuple[Simulator, Any, Any]:
    choices = [place.answers for place in placed]
    inputs = [place.item.input for place in placed]
    texts = [place.item.rationale for place in placed]
    masked = [without_words(text, names) for text, names in zip(texts, choices, strict=True)]
    space = choice_features.ChoiceSpace(inputs, choices, seed)
    sets = CandidateSets(np.array([len(row) for row in choices], dtype=np.int64))
    read = np.hstack([space.measure(inputs), space.lengths()])
    features = _told(space, texts, choices)
    scale, gold = _scale(features, sets), None
    if placed[0].gold is not None:
        names = [place.answers[place.gold or 0] for place in placed]
        gold = np.hstack([space.measure(names), _is_gold(placed)])
        gold /= _scale(gold, sets)
    read /= _scale(read, sets)
    simulator = CandidateSimulator(read, folds, sets, choice_features.ABOUT, gold)
    return simulator, features / scale, _told(space, masked, choices) / scale


def _told(
    space: choice_features.ChoiceSpace, texts: Sequence[str], choices: Sequence[Sequence[str]]
) -> Floats:
    stated = []
    for text, row in zip(texts, choices, strict=True):
        task = task_named("choice", row)
        supported = task.supported(text, row) if text.strip() else None
        stated += [supported is not None and task.is_equal(name, supported) for name in row]
    return np.hstack([space.measure(texts), np.array(stated, dtype=np.float64)[:, None]])


def _for_equations(placed: Sequence[_Placed], folds: Ints, seed: int) -> tuple[Simulator, Any, Any]:
    candidates = [place.answers for place in placed]
    inputs = [place.item.input for place in placed]
    features = equation_features.told_features(
        [place.item.rationale for place in placed], candidates
    )
    read = equation_features.input_features(inputs, candidates, seed)
    sets = CandidateSets(np.array([len(row) for row in candidates], dtype=np.int64))
    read /= _scale(read, sets)
    gold = None if placed[0].gold is None else _is_gold(placed)
    simulator = CandidateSimulator(read, folds, sets, equation_features.ABOUT, gold)
    # Features of a rationale are its numbers and operators: masked, none would be left.
    return simulator, features / _scale(features, sets), None


def _is_gold(placed: Sequence[_Placed]) -> Floats:
    """Mark the gold answer among all candidates: [M, 1]."""
    marks = [index == place.gold for place in placed for index in range(len(place.answers))]
    return np.array(marks, dtype=np.float64)[:, None]


def _scale(features: Floats, sets: CandidateSets) -> Floats:
    """Compute each feature's spread within items [D], so that one penalty fits all; 1 for none."""
    means = np.add.reduceat(features, sets.starts, axis=0) / sets.sizes[:, None]
    spread: Floats = (features - np.repeat(means, sets.sizes, axis=0)).std(axis=0)
    spread[spread < 1e-9] = 1.0
    return spread
