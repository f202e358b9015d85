"""The possible answers that a baseline learns from examples: classes, or places among choices.

Where all examples list the same choices, or none, an answer is one of the classes of labels seen in
training. Where choices differ by example, it is one of the problem's own choices.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitools.evaluate.baselines.protocol import Example, Guess, Problem
from mitools.tasks import task_named

__all__ = ["MOST_CLASSES", "MOST_OPEN", "Classes", "has_own_choices", "place_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

MOST_CLASSES = 200
"""Classes that are learned, the most frequent first: open labels may be as many as examples."""

MOST_OPEN = 2_000
"""Examples with open labels that are learned from: more take minutes, and add little. They are
ordered by a hash, so the first ones are a sample."""


def has_own_choices(examples: Sequence[Example]) -> bool:
    """Return whether every example has choices, and they differ by example."""
    sets = {frozenset(map(_form(example.problem), example.problem.choices)) for example in examples}
    return len(sets) > 1 and frozenset() not in sets


def place_of(label: str, problem: Problem) -> int | None:
    """Return the place of a label among the choices of a problem; None where it is not there."""
    task = task_named(problem.task, problem.choices)
    places = (i for i, name in enumerate(problem.choices) if task.is_equal(name, label))
    return next(places, None)


@dataclass(frozen=True)
class Classes:
    """Classes of equal labels.

    Attributes:
        names: [K] what the labels of a class have in common, the most frequent class first.
        texts: [K] the most frequent text of each class.
        task: the name of the task.
    """

    names: tuple[str, ...]
    texts: tuple[str, ...]
    task: str

    @classmethod
    def of(cls, examples: Sequence[Example]) -> Classes:
        """Collect the :data:`MOST_CLASSES` most frequent classes of the examples' labels."""
        task = examples[0].problem.task
        texts: dict[str, Counter[str]] = {}
        for example in examples:
            name = _form(example.problem)(example.label)
            texts.setdefault(name, Counter())[example.label] += 1
        counts = {name: counter.total() for name, counter in texts.items()}
        names = sorted(counts, key=lambda name: (-counts[name], name))[:MOST_CLASSES]
        most = [min(texts[name].items(), key=lambda item: (-item[1], item[0]))[0] for name in names]
        return cls(tuple(names), tuple(most), task)

    def indices(self, examples: Sequence[Example]) -> Ints:
        """Return the class of each example: [n], -1 where it is not among the learned ones."""
        place = {name: index for index, name in enumerate(self.names)}
        found = [place.get(_form(example.problem)(example.label), -1) for example in examples]
        return np.array(found, dtype=np.int64)

    def has(self, label: str, problem: Problem) -> bool:
        """Return whether a label of a problem is in a learned class."""
        return _form(problem)(label) in self.names

    def pick(self, problem: Problem, chances: Floats | Sequence[float]) -> Guess:
        """Answer with the likeliest class, of those among the choices where there are any.

        Args:
            problem: the problem.
            chances: [K] probability of each class.

        Returns:
            The class that comes first among the likeliest. A problem without a choice that was
            learned gets its first choice, with the confidence of a guess among all of them.
        """
        if not problem.choices:
            best = int(np.argmax(chances))
            return Guess(self.texts[best], float(chances[best]))
        places = [(index, place_of(text, problem)) for index, text in enumerate(self.texts)]
        offered = [(index, place) for index, place in places if place is not None]
        total = sum(float(chances[index]) for index, _ in offered)
        if total <= 0:
            return Guess(problem.choices[0], 1 / len(problem.choices))
        best, place = max(offered, key=lambda one: chances[one[0]])
        return Guess(problem.choices[place], float(chances[best]) / total)


def _form(problem: Problem) -> Callable[[str], str]:
    """Return what gives the form that equal labels of a problem have in common."""
    return task_named(problem.task, problem.choices).form
