"""A linear model of either kind of answer, on features that a baseline computes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from mitools.errors import DataError
from mitools.evaluate.baselines.class_model import ClassModel
from mitools.evaluate.baselines.pair_model import PairModel
from mitools.evaluate.baselines.protocol import Example, Guess, Problem
from mitools.evaluate.baselines.space import MOST_OPEN, Classes, has_own_choices, place_of
from mitools.evaluate.sample import assign_folds
from mitools.evaluate.simulators.logit import CandidateSets

__all__ = ["Featurizer", "LinearHead"]

_FOLDS = 3
"""Folds that choose the regularization."""


class Featurizer(Protocol):
    """Computes features of texts, and of pairs of a text and a choice."""

    @property
    def about(self) -> str:
        """The features, for people."""

    def fit(self, problems: Sequence[Problem]) -> None:
        """Learn from the inputs and the choices of training problems, without their labels."""

    def of_inputs(self, problems: Sequence[Problem]) -> Any:
        """Compute the features of each problem: [n, D]."""

    def of_choices(self, problems: Sequence[Problem]) -> Any:
        """Compute the features of each choice of each problem, in order: [M, D]."""


@dataclass(frozen=True)
class _OfClasses:
    classes: Classes
    model: ClassModel


class LinearHead:
    """Logistic regression on features; a :class:`~.protocol.Baseline`.

    Over classes where the problems have one set of choices or none; over each problem's own choices
    where these differ.
    """

    learns = True

    def __init__(self, featurizer: Featurizer, seed: int) -> None:
        """Prepare to learn.

        Args:
            featurizer: computes the features.
            seed: of the folds that choose the regularization.
        """
        self._featurizer = featurizer
        self._seed = seed
        self._learned = 0
        self._fitted: _OfClasses | PairModel | None = None

    @property
    def about(self) -> str:
        fitted, text = self._fitted, f"{self._featurizer.about}, logistic regression"
        if fitted is None:
            return text
        strength = fitted.strength if isinstance(fitted, PairModel) else fitted.model.strength
        over = " over each record's choices"
        if isinstance(fitted, _OfClasses):
            count = len(fitted.classes.names)
            over = (
                f" over {count:,} label{'s' * (count != 1)} of {self._learned:,} training records"
            )
        chosen = "" if strength is None else f", C = {strength:g} of {_FOLDS}-fold cross-validation"
        return f"{text}{over}{chosen}"

    def fit(self, examples: Sequence[Example]) -> None:
        if not examples[0].problem.choices:
            examples = examples[:MOST_OPEN]
        self._learned = len(examples)
        folds = assign_folds(examples, self._seed, _FOLDS)
        problems = [example.problem for example in examples]
        self._featurizer.fit(problems)
        if has_own_choices(examples):
            found = [place_of(example.label, example.problem) for example in examples]
            kept = [index for index, place in enumerate(found) if place is not None]
            if not kept:
                raise DataError("no training record has its label among its choices")
            offered = [problems[index] for index in kept]
            chosen = np.array([found[index] for index in kept], dtype=np.int64)
            features = self._featurizer.of_choices(offered)
            self._fitted = PairModel(features, _sets(offered), chosen, folds[kept])
            return
        classes = Classes.of(examples)
        target = classes.indices(examples)
        rows = np.flatnonzero(target >= 0)
        features = self._featurizer.of_inputs([problems[row] for row in rows])
        model = ClassModel(features, target[rows], folds[rows], len(classes.names))
        self._fitted = _OfClasses(classes, model)

    def reaches(self, problem: Problem, label: str) -> bool:
        if isinstance(self._fitted, _OfClasses):
            return self._fitted.classes.has(label, problem)
        return place_of(label, problem) is not None

    def answer(self, problems: Sequence[Problem]) -> list[Guess]:
        if isinstance(self._fitted, _OfClasses):
            classes = self._fitted.classes
            rows = self._fitted.model.chances(self._featurizer.of_inputs(problems))
            return [classes.pick(problem, row) for problem, row in zip(problems, rows, strict=True)]
        assert self._fitted is not None, "fit comes first"
        offered = [problem for problem in problems if problem.choices]
        sets = _sets(offered)
        chances = self._fitted.chances(self._featurizer.of_choices(offered), sets)
        guesses = {}
        for problem, start in zip(offered, sets.starts, strict=True):
            row = chances[start : start + len(problem.choices)]
            best = int(np.argmax(row))
            guesses[id(problem)] = Guess(problem.choices[best], float(row[best]))
        return [guesses.get(id(problem), Guess(None)) for problem in problems]


def _sets(problems: Sequence[Problem]) -> CandidateSets:
    return CandidateSets(np.array([len(one.choices) for one in problems], dtype=np.int64))
