"""Candidate answers of a word problem, its numbers joined by one or two operations, and features.

An open label has no list of choices, so the candidates are made from the input alone. Features of a
candidate are its operations and the places of its numbers in the text; features of a rationale are
whether it computes a candidate, supports it, or states it. Works on strings, not on records.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import TruncatedSVD

from mitools.evaluate.simulators.models import term_weights, word_pairs
from mitools.expressions import MAX_LENGTH, find_expressions, parse_expression
from mitools.tasks import task_named

__all__ = [
    "ABOUT",
    "MOST_NUMBERS",
    "SIGNS",
    "Candidate",
    "candidates_in",
    "form_features",
    "input_features",
    "numbers_in",
    "place_of",
    "told_features",
]

Floats = NDArray[np.float64]

ABOUT = (
    "conditional logit over the values that one or two operations make of the input's first four "
    "numbers; on operations, places of the numbers and topics of the text, and on the expressions "
    "and the answer of the rationale, 5-fold cross-fit"
)

MOST_NUMBERS = 4
"""Numbers of an input that candidates are made of; four give about 100 candidates."""

SIGNS = "+-*/"
"""The operators, in the order of their features."""
_TOPICS = 4
_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value, and its shortest expression.

    Attributes:
        value: of the expression.
        signs: the operations, in order; "" for a number as it stands.
        places: which of the input's numbers it joins, in order.
    """

    value: Fraction
    signs: str
    places: tuple[int, ...]


def numbers_in(text: str) -> list[Fraction]:
    """List the numbers of a text; one that is too long for an expression is left out."""
    return [
        Fraction(number.replace(",", ""))
        for number in _NUMBER.findall(text[:20_000])
        if len(number) <= MAX_LENGTH
    ]


def candidates_in(text: str) -> list[Candidate]:
    """List the candidates with values that are not negative, each value once, plain numbers first.

    With two operations, only whole numbers: fractions would double the candidates, and are rarely
    an answer.
    """
    numbers = numbers_in(text)[:MOST_NUMBERS]
    by_value: dict[Fraction, Candidate] = {}
    ways = [Candidate(value, "", (place,)) for place, value in enumerate(numbers)]
    for candidate in ways:
        by_value.setdefault(candidate.value, candidate)
    pairs = [way for pair in itertools.permutations(ways, 2) for way in _joined(*pair)]
    for candidate in pairs:
        if candidate.value >= 0:
            by_value.setdefault(candidate.value, candidate)
    for inner, outer in itertools.product(pairs, ways):
        if outer.places[0] not in inner.places:
            for candidate in (*_joined(inner, outer), *_joined(outer, inner)):
                if candidate.value >= 0 and candidate.value.denominator == 1:
                    by_value.setdefault(candidate.value, candidate)
    return list(by_value.values())


def _joined(left: Candidate, right: Candidate) -> Iterator[Candidate]:
    a, b = left.value, right.value
    places = left.places + right.places
    inner = left.signs + right.signs
    yield Candidate(a + b, inner + "+", places)
    yield Candidate(a - b, inner + "-", places)
    yield Candidate(a * b, inner + "*", places)
    if b:
        yield Candidate(a / b, inner + "/", places)


def input_features(
    texts: Sequence[str], candidates: Sequence[Sequence[Candidate]], seed: int
) -> Floats:
    """Compute the features of each candidate from its input: [M, 26].

    The number of each operator (4), and that times each of four topics of the text (16); whether
    there is no operation, or two; whether the numbers keep the order of the text, include its
    first, include its last; whether the value is whole (6).
    """
    terms = term_weights(texts, word_pairs)
    topics = np.zeros((len(texts), _TOPICS))
    if min(terms.shape) > _TOPICS:
        # Texts that differ in numbers alone have no variance, whose share nobody reads here.
        with np.errstate(invalid="ignore"):
            topics = TruncatedSVD(_TOPICS, random_state=seed).fit_transform(terms)
    rows = []
    for topic, row in zip(topics, candidates, strict=True):
        for form in form_features(row):
            signs, rest = form[: len(SIGNS)], form[len(SIGNS) :]
            rows.append(np.concatenate([signs, np.outer(signs, topic).ravel(), rest]))
    return np.array(rows).reshape(-1, 4 + 4 * _TOPICS + 6)


def form_features(candidates: Sequence[Candidate]) -> Floats:
    """Compute the features of the candidates of one input, apart from its words: [K, 10].

    The number of each operator (4); whether there is no operation, or two; whether the numbers keep
    the order of the text, include its first, include its last; whether the value is whole (6).
    """
    last = max(place for candidate in candidates for place in candidate.places)
    rows = [
        [
            *(candidate.signs.count(sign) for sign in SIGNS),
            not candidate.signs,
            len(candidate.signs) == 2,
            list(candidate.places) == sorted(candidate.places),
            0 in candidate.places,
            last in candidate.places,
            candidate.value.denominator == 1,
        ]
        for candidate in candidates
    ]
    return np.array(rows, dtype=np.float64)


def told_features(rationales: Sequence[str], candidates: Sequence[Sequence[Candidate]]) -> Floats:
    """Compute the features of each candidate from a rationale: [M, 3], all 0 for an empty one.

    Whether some expression has its value; whether the rationale supports it as an answer, by a cue
    or by its last expression; whether it is the last number of a rationale without expressions.
    """
    task = task_named("equation")
    rows: list[tuple[bool, bool, bool]] = []
    for rationale, row in zip(rationales, candidates, strict=True):
        values = {expression.value for expression in find_expressions(rationale)}
        label = task.supported(rationale)
        supported = parse_expression(label) if label is not None else None
        stated = [] if values else numbers_in(rationale)[-1:]
        rows += [
            (
                candidate.value in values,
                supported is not None and candidate.value == supported.value,
                candidate.value in stated,
            )
            for candidate in row
        ]
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


def place_of(label: str, candidates: Sequence[Candidate]) -> int | None:
    """Find the candidate with a label's value; None where no candidate has it."""
    expression = parse_expression(label)
    values = [candidate.value for candidate in candidates]
    return values.index(expression.value) if expression and expression.value in values else None
