"""The most frequent answer of the training examples, whatever the input says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from mitools.evaluate.baselines.protocol import Example, Guess, Problem
from mitools.evaluate.baselines.space import Classes, has_own_choices, place_of

__all__ = ["Majority"]


class Majority:
    """Answers with the most frequent label; where choices differ, with the most frequent place.

    The confidence is the share of that answer among the examples, of the answers that the problem
    offers.
    """

    learns = True

    def __init__(self) -> None:
        self._classes: Classes | None = None
        self._shares: list[float] = []
        self._places: Counter[int] = Counter()

    @property
    def about(self) -> str:
        if self._classes is None:
            return "the most frequent place of the right choice"
        return "the most frequent label"

    def fit(self, examples: Sequence[Example]) -> None:
        if has_own_choices(examples):
            places = [place_of(example.label, example.problem) for example in examples]
            self._places = Counter(place for place in places if place is not None)
            return
        self._classes = Classes.of(examples)
        indices = self._classes.indices(examples)
        counts = np.bincount(indices[indices >= 0], minlength=len(self._classes.names))
        self._shares = (counts / len(examples)).tolist()

    def reaches(self, problem: Problem, label: str) -> bool:
        if self._classes is not None:
            return self._classes.has(label, problem)
        return place_of(label, problem) is not None

    def answer(self, problems: Sequence[Problem]) -> list[Guess]:
        return [self._guess(problem) for problem in problems]

    def _guess(self, problem: Problem) -> Guess:
        if self._classes is not None:
            return self._classes.pick(problem, self._shares)
        offered = {place: self._places[place] for place in range(len(problem.choices))}
        total = sum(offered.values())
        if not total:
            return Guess(problem.choices[0] if problem.choices else None)
        best = max(offered, key=lambda place: (offered[place], -place))
        return Guess(problem.choices[best], offered[best] / total)
