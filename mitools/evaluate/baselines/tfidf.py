"""The features of the baseline TF-IDF: terms of a text, and what text and choice have in common."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from mitools.evaluate.baselines import terms
from mitools.evaluate.baselines.linear_head import LinearHead
from mitools.evaluate.baselines.protocol import Problem
from mitools.evaluate.baselines.terms import Terms, without_choices
from mitools.evaluate.measures.surface import words

__all__ = ["TermFeatures", "tfidf_baseline"]

_PLACES = 8
"""Places among the choices that have a feature of their own."""


def tfidf_baseline(seed: int) -> LinearHead:
    """Make the baseline: TF-IDF and logistic regression.

    Args:
        seed: of the folds that choose the regularization.
    """
    return LinearHead(TermFeatures(), seed)


class TermFeatures:
    """Term weights of a text; of a choice, also its likeness to the text, its length and place."""

    about = terms.ABOUT

    def __init__(self) -> None:
        self._terms = Terms([])

    def fit(self, problems: Sequence[Problem]) -> None:
        texts = [without_choices(one.input, one.choices) for one in problems]
        self._terms = Terms([*texts, *(name for one in problems for name in one.choices)])

    def of_inputs(self, problems: Sequence[Problem]) -> Any:
        return self._terms.weights([without_choices(one.input, one.choices) for one in problems])

    def of_choices(self, problems: Sequence[Problem]) -> Any:
        sizes = [len(one.choices) for one in problems]
        owners = np.repeat(np.arange(len(problems)), sizes)
        names = [name for one in problems for name in one.choices]
        asked = self._terms.views([without_choices(one.input, one.choices) for one in problems])
        offered = self._terms.views(names)
        likeness = [
            np.asarray(text[owners].multiply(name).sum(axis=1)).ravel()
            for text, name in zip(asked, offered, strict=True)
        ]
        lengths = np.log1p(np.array([len(words(name)) for name in names], dtype=np.float64))
        places = np.array([place for size in sizes for place in range(size)], dtype=np.int64)
        dense = np.column_stack([*likeness, lengths, _one_hot(places)])
        return sp.csr_matrix(sp.hstack([*offered, sp.csr_matrix(dense)]))


def _one_hot(places: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mark the place of each choice: [M, 8], all 0 for a later place."""
    marks: NDArray[np.float64] = (places[:, None] == np.arange(_PLACES)).astype(np.float64)
    return marks
