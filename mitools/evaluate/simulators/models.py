"""Simulators: small models that guess an answer from the input, the rationale, or both.

A simulator never guesses about an item that it was fitted on: five folds, each guessed by a model
fitted on the other four. What it reads of a text is fixed beforehand, so the same rationales can be
permuted and read again. Owns ``sklearn``.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from mitools.evaluate.measures.surface import words
from mitools.evaluate.sample import FOLDS
from mitools.evaluate.simulators.logit import Sets, candidate_log_probs, fit_weights

__all__ = [
    "SMOOTHING",
    "CandidateSimulator",
    "Guesses",
    "LabelSimulator",
    "Simulator",
    "Weigher",
    "term_weights",
    "word_pairs",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SMOOTHING = 0.01
"""Share of every guess that is spread evenly over the possible answers: an answer that a simulator
never saw costs it log₂(K / 0.01) bits, and not infinitely many."""


@dataclass(frozen=True, slots=True)
class Guesses:
    """What a simulator made of each item.

    Attributes:
        bits: [n] log₂ of the probability that it gave to the target.
        is_right: [n] whether the target was its first guess.
    """

    bits: Floats
    is_right: Bools


class Simulator(Protocol):
    """A family of models for one kind of answer.

    ``rationales`` is what :meth:`read` made of the items' rationales, or what :meth:`deal` made of
    that; None hides them.
    """

    @property
    def description(self) -> str:
        """What family it is, for people."""

    def guess(self, target: Ints, *, sees_input: bool, rationales: Any) -> Guesses:
        """Guess ``target`` [n], cross-fitted.

        Raises:
            ValueError: neither the input nor the rationales are to be seen.
        """

    def told_gold(self) -> Simulator:
        """Give the simulator beside which a rationale is only worth what it adds to gold."""

    def is_empty(self, rationales: Any) -> bool:
        """Tell whether there is nothing in the rationales that it could read."""

    def deal(self, rationales: Any, gold: Ints, rng: np.random.Generator) -> Any:
        """Permute the rationales among the items with the same gold answer."""


def word_pairs(text: str) -> list[str]:
    """Split into words and pairs of neighbouring words."""
    single = words(text)
    return [*single, *(f"{a} {b}" for a, b in itertools.pairwise(single))]


class Weigher:
    """Weighs the terms of texts by TF-IDF, as learned from some of them.

    Terms that occur in a single text are left out: nothing can be learned from them.
    """

    def __init__(self, texts: Sequence[str], analyzer: Callable[[str], list[str]]) -> None:
        terms = [analyzer(text) for text in texts]
        seen = Counter(term for row in terms for term in set(row))
        known = sorted(term for term, count in seen.items() if count > 1)
        self._analyzer = analyzer
        self._weigher: TfidfVectorizer | None = None
        if known:
            self._weigher = TfidfVectorizer(
                analyzer=_as_it_is, vocabulary=known, sublinear_tf=True
            ).fit(terms)

    def __call__(self, texts: Sequence[str]) -> sp.csr_matrix:
        """Give a row for each text: [n, V], of length 1, or 0 where it holds no known term."""
        if self._weigher is None:
            return sp.csr_matrix((len(texts), 0))
        return sp.csr_matrix(self._weigher.transform([self._analyzer(text) for text in texts]))


def term_weights(texts: Sequence[str], analyzer: Callable[[str], list[str]]) -> sp.csr_matrix:
    """Weigh the terms of texts by what they themselves teach: [n, V]."""
    return Weigher(texts, analyzer)(texts)


def _as_it_is(terms: list[str]) -> list[str]:
    return terms


@dataclass(frozen=True)
class LabelSimulator:
    """TF-IDF of words and word pairs, and multinomial logistic regression, over a fixed set.

    Attributes:
        inputs: [n, V] what it reads of the inputs.
        folds: [n] from 0 to 4.
        labels: how many labels there are, K.
    """

    inputs: sp.csr_matrix
    folds: Ints
    labels: int

    @property
    def description(self) -> str:
        return (
            "logistic regression on TF-IDF of words and word pairs, L2 with C = 1, "
            f"{FOLDS}-fold cross-fit"
        )

    def guess(self, target: Ints, *, sees_input: bool, rationales: Any) -> Guesses:
        blocks = ([self.inputs] if sees_input else []) + (
            [] if rationales is None else [rationales]
        )
        if not blocks:
            raise ValueError("a simulator must see something")
        features = sp.hstack(blocks, format="csr")
        chances = np.empty((len(target), self.labels))
        for fold in range(FOLDS):
            held = self.folds == fold
            if held.any():
                chances[held] = self._fold(features, target, held)
        chances = (1 - SMOOTHING) * chances + SMOOTHING / self.labels
        bits = np.log2(chances[np.arange(len(target)), target])
        return Guesses(bits, chances.argmax(axis=1) == target)

    def _fold(self, features: sp.csr_matrix, target: Ints, held: Bools) -> Floats:
        """Fit on what is not held out, and guess what is: [held, K]."""
        taught = target[~held]
        present = np.unique(taught)
        chances = np.zeros((int(held.sum()), self.labels))
        if len(present) == 1 or not features.shape[1]:
            shares = np.bincount(taught, minlength=self.labels) / max(1, len(taught))
            return chances + (shares if len(taught) else 1 / self.labels)
        # At like accuracy in half the time of the default solver, which counts: permutations.
        model = LogisticRegression(C=1.0, solver="sag", tol=1e-3, max_iter=1_000, random_state=0)
        model.fit(features[~held], taught)
        chances[:, present] = model.predict_proba(features[held])
        return chances

    def told_gold(self) -> Simulator:
        # Rationales are dealt out within a class, so what they give away of gold is in both means.
        return self

    def is_empty(self, rationales: Any) -> bool:
        return not rationales.nnz

    def deal(self, rationales: Any, gold: Ints, rng: np.random.Generator) -> Any:
        source = np.arange(len(gold))
        for label in np.unique(gold):
            places = np.flatnonzero(gold == label)
            source[places] = rng.permutation(places)
        return rationales[source]


@dataclass(frozen=True)
class CandidateSimulator:
    """A conditional logit over each item's own candidates.

    Attributes:
        inputs: [M, D] what it reads of the inputs, for each candidate.
        folds: [n] from 0 to 4.
        sets: the candidates of each item.
        description: what the features are.
        gold: [M, G] what stating the gold answer would tell of each candidate; None where unknown.
    """

    inputs: Floats
    folds: Ints
    sets: Sets
    description: str
    gold: Floats | None = None

    def guess(self, target: Ints, *, sees_input: bool, rationales: Any) -> Guesses:
        blocks = [self.inputs] if sees_input else []
        # Columns of zeros would move the last digits, and an empty rationale has to tell nothing.
        if rationales is not None and not (blocks and self.is_empty(rationales)):
            blocks.append(rationales)
        if not blocks:
            raise ValueError("a simulator must see something")
        features = np.hstack(blocks)
        logs = np.empty(len(features))
        weights = np.zeros(features.shape[1])
        for fold in range(FOLDS):
            taught = self.folds != fold
            taught_sets, rows = self.sets.select(taught)
            held_sets, held_rows = self.sets.select(~taught)
            if not len(held_sets.sizes):
                continue
            if len(taught_sets.sizes):
                # Three quarters of the items were in the last fit too, so its end is a good start.
                weights = fit_weights(features[rows], taught_sets, target[taught], weights)
            logs[held_rows] = candidate_log_probs(features[held_rows], weights, held_sets)
        chances = (1 - SMOOTHING) * np.exp(logs) + SMOOTHING / np.repeat(
            self.sets.sizes, self.sets.sizes
        )
        wanted = self.sets.starts + target
        top = np.maximum.reduceat(chances, self.sets.starts)
        # Candidates that look alike share a guess: the first of them has it.
        first = _first_of(chances == np.repeat(top, self.sets.sizes), self.sets)
        return Guesses(np.log2(chances[wanted]), first == target)

    def told_gold(self) -> Simulator:
        """Let the simulator see gold, and what it has in common with each candidate.

        Candidates have no classes to deal rationales out within: without this, a rationale that
        states gold would seem to tell of the answers that are like it.
        """
        if self.gold is None:
            raise ValueError("no gold is known")
        return replace(self, inputs=np.hstack([self.inputs, self.gold]), gold=None)

    def is_empty(self, rationales: Any) -> bool:
        return not np.any(rationales)

    def deal(self, rationales: Any, gold: Ints, rng: np.random.Generator) -> Any:
        """Deal out how strongly rationales speak for gold, and for other candidates.

        Candidates differ from item to item, so the class that an item is of is the *role* that a
        candidate plays: what another item's rationale says of its gold answer is said of this
        item's, and what it says of its other candidates, strongest first, of this item's others, in
        random places. That keeps what a rationale gives away of gold, and nothing that it knows of
        the student's own answer beyond it.
        """
        starts, sizes = self.sets.starts, self.sets.sizes
        others = _others_by_strength(rationales, self.sets, gold)
        dealt = np.zeros_like(rationales)
        source = rng.permutation(len(gold))
        for item, other in enumerate(source):
            dealt[starts[item] + gold[item]] = rationales[starts[other] + gold[other]]
            places = rng.permutation(sizes[item] - 1)[: len(others[other])]
            places += places >= gold[item]
            dealt[starts[item] + places] = rationales[others[other][: len(places)]]
        return dealt


def _others_by_strength(rationales: Floats, sets: Sets, gold: Ints) -> list[Ints]:
    """List, for each item, the rows that are not gold and not all 0, the longest first."""
    strength = (rationales**2).sum(axis=1)
    strength[sets.starts + gold] = 0
    found = []
    for start, size in zip(sets.starts, sets.sizes, strict=True):
        order = start + np.argsort(-strength[start : start + size], kind="stable")
        found.append(order[strength[order] > 0])
    return found


def _first_of(is_top: Bools, sets: Sets) -> Ints:
    """Give the first marked candidate of each item, counted from the start of its set."""
    places = np.flatnonzero(is_top)
    item_of = np.repeat(np.arange(len(sets.sizes)), sets.sizes)[places]
    _, first = np.unique(item_of, return_index=True)
    found: Ints = places[first] - sets.starts
    return found
