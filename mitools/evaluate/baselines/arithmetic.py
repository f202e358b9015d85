"""A linear model of which of the input's numbers to join, and how; for the task ``equation``.

Possible answers are the values that one or two operations make of the input's first four numbers.
A value is scored by its operations, each with the words of the input, and by the places of its
numbers in the text.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp

from mitools.errors import DataError
from mitools.evaluate.baselines.pair_model import PairModel
from mitools.evaluate.baselines.protocol import Example, Guess, Problem
from mitools.evaluate.baselines.space import MOST_OPEN
from mitools.evaluate.baselines.terms import Terms
from mitools.evaluate.sample import assign_folds
from mitools.evaluate.simulators.equation_features import (
    SIGNS,
    Candidate,
    candidates_in,
    form_features,
    place_of,
)
from mitools.evaluate.simulators.logit import CandidateSets

__all__ = ["Arithmetic"]

_FOLDS = 3
_FEWEST = 2
"""Values of an input below which there is nothing to choose."""
_BLOCK = 256
"""Problems whose features are held at once: about 0.26 MiB each."""

Candidates = Sequence[Sequence[Candidate]]


class Arithmetic:
    """Answers with one of the values that the numbers of the input can make."""

    learns = True

    def __init__(self, seed: int) -> None:
        """Prepare to learn.

        Args:
            seed: of the folds that choose the regularization.
        """
        self._seed = seed
        self._learned = 0
        self._terms = Terms([])
        self._model: PairModel | None = None

    @property
    def about(self) -> str:
        text = (
            "conditional logit over the values that one or two operations make of the input's "
            "numbers, on operations with the input's words, and on the places of the numbers"
        )
        if self._model is None:
            return text
        learned = f"{self._learned:,} training records"
        return f"{text}; {learned}, C = {self._model.strength:g} of {_FOLDS}-fold cross-validation"

    def fit(self, examples: Sequence[Example]) -> None:
        if examples[0].problem.task != "equation":
            raise DataError(f"it answers equations, and the task is {examples[0].problem.task}")
        examples = examples[:MOST_OPEN]
        self._learned = len(examples)
        candidates = [candidates_in(example.input) for example in examples]
        places = [
            place_of(example.label, row) if len(row) >= _FEWEST else None
            for example, row in zip(examples, candidates, strict=True)
        ]
        kept = [index for index, place in enumerate(places) if place is not None]
        if not kept:
            raise DataError("no training label is made of the numbers of its input")
        texts = [examples[index].input for index in kept]
        offered = [candidates[index] for index in kept]
        chosen = np.array([places[index] for index in kept], dtype=np.int64)
        folds = assign_folds([examples[index] for index in kept], self._seed, _FOLDS)
        self._terms = Terms(texts, parts=False)
        self._model = PairModel(self._features(texts, offered), _sets(offered), chosen, folds)

    def reaches(self, problem: Problem, label: str) -> bool:
        candidates = candidates_in(problem.input)
        return len(candidates) >= _FEWEST and place_of(label, candidates) is not None

    def answer(self, problems: Sequence[Problem]) -> list[Guess]:
        guesses: list[Guess] = []
        for first in range(0, len(problems), _BLOCK):
            guesses += self._answer_block(problems[first : first + _BLOCK])
        return guesses

    def _answer_block(self, problems: Sequence[Problem]) -> list[Guess]:
        assert self._model is not None, "fit comes first"
        candidates = [candidates_in(problem.input) for problem in problems]
        asked = [index for index, row in enumerate(candidates) if len(row) >= _FEWEST]
        offered = [candidates[index] for index in asked]
        features = self._features([problems[index].input for index in asked], offered)
        sets = _sets(offered)
        chances = self._model.chances(features, sets)
        guesses = [Guess(None) for _ in problems]
        for index, row, start in zip(asked, offered, sets.starts, strict=True):
            own = chances[start : start + len(row)]
            best = int(np.argmax(own))
            guesses[index] = Guess(str(row[best].value), float(own[best]))
        return guesses

    def _features(self, texts: Sequence[str], candidates: Candidates) -> Any:
        """Compute the features of each candidate: [M, 10 + 4 V], sparse."""
        forms = np.concatenate([np.zeros((0, 10)), *map(form_features, candidates)])
        owners = np.repeat(np.arange(len(texts)), [len(row) for row in candidates])
        told = self._terms.weights(texts)[owners]
        by_sign = [told.multiply(forms[:, [column]]) for column in range(len(SIGNS))]
        return sp.csr_matrix(sp.hstack([sp.csr_matrix(forms), *by_sign]))


def _sets(candidates: Candidates) -> CandidateSets:
    return CandidateSets(np.array([len(row) for row in candidates], dtype=np.int64))
