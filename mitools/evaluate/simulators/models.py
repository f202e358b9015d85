"""Simulators: small models that guess an answer from the input, the rationale, or both.

A simulator never guesses the answer of an item that it was fitted on: there are five folds, and
each is guessed by a model fitted on the other four. Features of texts are computed once, so that
the same rationales can be permuted and used again.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from mitools.evaluate.measures.surface import words
from mitools.evaluate.sample import FOLDS
from mitools.evaluate.simulators.logit import CandidateSets, candidate_log_probs, fit_weights

__all__ = [
    "INPUT_WEIGHTS",
    "SMOOTHING",
    "CandidateSimulator",
    "Guesses",
    "LabelSimulator",
    "Simulator",
    "TermWeigher",
    "term_weights",
    "word_pairs",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

SMOOTHING = 0.01
"""Share of every guess that is spread evenly over the K possible answers: an answer that a
simulator never saw costs log₂(K / 0.01) bits, not infinitely many."""

INPUT_WEIGHTS = (1.0, 2.0, 4.0, 8.0, 16.0)
"""Factors of the input's features, from which :meth:`LabelSimulator.for_target` takes one."""

_MOST_BALANCED = 4.0
_BALANCED: Mapping[str, Any] = {"solver": "sag", "tol": 1e-3}
_SKEWED: Mapping[str, Any] = {"solver": "lbfgs", "tol": 1e-4}


@dataclass(frozen=True, slots=True)
class Guesses:
    """A simulator's guesses.

    Attributes:
        bits: [n] log₂ of the probability of the target.
        is_right: [n] whether the target has the highest probability.
    """

    bits: Floats
    is_right: Bools


class Simulator(Protocol):
    """A family of models for one kind of answer.

    ``rationales`` are features of the items' rationales, as they are or permuted; None hides them.
    """

    @property
    def description(self) -> str:
        """The family, for people."""

    def guess(self, target: Ints, *, sees_input: bool, rationales: Any) -> Guesses:
        """Guess ``target`` [n], cross-fitted.

        Raises:
            ValueError: neither the input nor the rationales are shown.
        """

    def for_target(self, target: Ints) -> Simulator:
        """Return the simulator whose input, by itself, tells ``target`` as well as it can."""

    def with_gold(self) -> Simulator:
        """Return the simulator for which a rationale counts only by what it adds to gold."""

    def is_empty(self, rationales: Any) -> bool:
        """Return whether all features of the rationales are 0."""

    def permute(self, rationales: Any, gold: Ints, rng: np.random.Generator) -> Any:
        """Permute the rationales among the items with the same gold answer."""


def word_pairs(text: str) -> list[str]:
    """Split into words and pairs of neighbouring words."""
    single = words(text)
    return [*single, *(f"{a} {b}" for a, b in itertools.pairwise(single))]


class TermWeigher:
    """Weights terms of texts by TF-IDF, fitted on some texts.

    Terms that occur in one text only are left out.
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
        """Compute a row for each text: [n, V], of length 1, or 0 without a known term."""
        if self._weigher is None:
            return sp.csr_matrix((len(texts), 0))
        return sp.csr_matrix(self._weigher.transform([self._analyzer(text) for text in texts]))


def term_weights(texts: Sequence[str], analyzer: Callable[[str], list[str]]) -> sp.csr_matrix:
    """Compute TF-IDF weights of texts, fitted on these texts: [n, V]."""
    return TermWeigher(texts, analyzer)(texts)


def _as_it_is(terms: list[str]) -> list[str]:
    return terms


@dataclass(frozen=True)
class LabelSimulator:
    """TF-IDF of words and word pairs, and multinomial logistic regression, over a fixed set.

    Attributes:
        inputs: [n, V] features of the inputs.
        folds: [n] from 0 to 4.
        labels: the number of labels, K.
        weight: factor of the features of the inputs.
    """

    inputs: sp.csr_matrix
    folds: Ints
    labels: int
    weight: float = 1.0

    @property
    def description(self) -> str:
        return (
            "logistic regression on TF-IDF of words and word pairs, L2 with C = 1, input weighted "
            f"by its own fit, {FOLDS}-fold cross-fit"
        )

    def guess(self, target: Ints, *, sees_input: bool, rationales: Any) -> Guesses:
        blocks = ([self.inputs * self.weight] if sees_input else []) + (
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
        """Fit on the items that are not held out, and guess the others: [held, K]."""
        taught = target[~held]
        present = np.unique(taught)
        chances = np.zeros((int(held.sum()), self.labels))
        if len(present) == 1 or not features.shape[1]:
            shares = np.bincount(taught, minlength=self.labels) / max(1, len(taught))
            return chances + (shares if len(taught) else 1 / self.labels)
        # The faster solver of the two, as permutations multiply its time. Features of different
        # scales slow "sag" down, and leave it less accurate than the other one.
        solver = _BALANCED if self.weight <= _MOST_BALANCED else _SKEWED
        model = LogisticRegression(C=1.0, max_iter=1_000, random_state=0, **solver)
        with warnings.catch_warnings():
            # Where rationales are alike, a few weights of the convex loss converge slowly.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model.fit(features[~held], taught)
        chances[:, present] = model.predict_proba(features[held])
        return chances

    def for_target(self, target: Ints) -> LabelSimulator:
        """Weight the features of the input so that S_X guesses ``target`` best, cross-fitted.

        A rationale that repeats words of its input shows their features twice, which weakens the
        penalty on them. Where the penalty is too strong for the input, S_XE then guesses better
        than S_X, and a permutation takes that away: a mere copy would look informative. At the
        best weight a weaker penalty gains nothing.

        Weights are tried from 1 up, until S_X becomes worse.
        """
        best, most = self, -math.inf
        for weight in INPUT_WEIGHTS:
            one = replace(self, weight=weight)
            bits = float(one.guess(target, sees_input=True, rationales=None).bits.mean())
            if bits <= most:
                break
            best, most = one, bits
        return best

    def with_gold(self) -> Simulator:
        # Permutations keep the gold class, so information on gold is in both means.
        return self

    def is_empty(self, rationales: Any) -> bool:
        return not rationales.nnz

    def permute(self, rationales: Any, gold: Ints, rng: np.random.Generator) -> Any:
        source = np.arange(len(gold))
        for label in np.unique(gold):
            places = np.flatnonzero(gold == label)
            source[places] = rng.permutation(places)
        return rationales[source]


@dataclass(frozen=True)
class CandidateSimulator:
    """A conditional logit over each item's own candidates.

    Attributes:
        inputs: [M, D] features of the inputs, for each candidate.
        folds: [n] from 0 to 4.
        sets: the candidates of each item.
        description: of the features.
        gold: [M, G] features of the gold answer as a text, for each candidate; None where unknown.
    """

    inputs: Floats
    folds: Ints
    sets: CandidateSets
    description: str
    gold: Floats | None = None

    def guess(self, target: Ints, *, sees_input: bool, rationales: Any) -> Guesses:
        blocks = [self.inputs] if sees_input else []
        # Columns of zeros would change the last digits, and empty rationales must change nothing.
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
                # Three quarters of the items were in the last fit too: its weights are a good
                # start.
                weights = fit_weights(features[rows], taught_sets, target[taught], weights)
            logs[held_rows] = candidate_log_probs(features[held_rows], weights, held_sets)
        # Smoothing: a share of the probability is spread evenly over each item's candidates.
        chances = (1 - SMOOTHING) * np.exp(logs) + SMOOTHING / np.repeat(
            self.sets.sizes, self.sets.sizes
        )
        wanted = self.sets.starts + target
        top = np.maximum.reduceat(chances, self.sets.starts)
        # Candidates with equal features have equal probabilities: the first one is the guess.
        first = _first_of(chances == np.repeat(top, self.sets.sizes), self.sets)
        return Guesses(np.log2(chances[wanted]), first == target)

    def for_target(self, target: Ints) -> Simulator:
        # A few dense features, each of spread 1: the penalty on them hardly counts.
        return self

    def with_gold(self) -> Simulator:
        """Show gold to the simulator, by its features for each candidate.

        Candidates differ by item, so permutations cannot keep a gold class. Without the features of
        gold, a rationale that states gold would seem informative on answers that resemble gold.
        """
        if self.gold is None:
            raise ValueError("no gold is known")
        return replace(self, inputs=np.hstack([self.inputs, self.gold]), gold=None)

    def is_empty(self, rationales: Any) -> bool:
        return not np.any(rationales)

    def permute(self, rationales: Any, gold: Ints, rng: np.random.Generator) -> Any:
        """Permute the support of rationales for gold, and for other candidates.

        Candidates differ by item, so the class of a candidate is its *role*: gold, or not gold. The
        features of another item's gold answer become those of this item's gold answer. The features
        of its other candidates, strongest first, go to this item's other candidates in random
        places. That keeps the information on gold, and removes all on the student's own answer
        beyond gold.
        """
        starts, sizes = self.sets.starts, self.sets.sizes
        others = _others_by_strength(rationales, self.sets, gold)
        permuted = np.zeros_like(rationales)
        source = rng.permutation(len(gold))
        for item, other in enumerate(source):
            permuted[starts[item] + gold[item]] = rationales[starts[other] + gold[other]]
            # Draw places among the candidates that are not gold: those from gold on move by one.
            places = rng.permutation(sizes[item] - 1)[: len(others[other])]
            places += places >= gold[item]
            permuted[starts[item] + places] = rationales[others[other][: len(places)]]
        return permuted


def _others_by_strength(rationales: Floats, sets: CandidateSets, gold: Ints) -> list[Ints]:
    """List, for each item, the rows that are neither gold nor all 0, strongest first."""
    strength = (rationales**2).sum(axis=1)
    strength[sets.starts + gold] = 0
    rows = []
    for start, size in zip(sets.starts, sets.sizes, strict=True):
        order = start + np.argsort(-strength[start : start + size], kind="stable")
        rows.append(order[strength[order] > 0])
    return rows


def _first_of(is_top: Bools, sets: CandidateSets) -> Ints:
    """Return the first marked candidate of each item, counted from the start of its set."""
    places = np.flatnonzero(is_top)
    item_of = np.repeat(np.arange(len(sets.sizes)), sets.sizes)[places]
    _, first = np.unique(item_of, return_index=True)
    first_places: Ints = places[first] - sets.starts
    return first_places
