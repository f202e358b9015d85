"""The answers that a word problem could have: its numbers, joined by one or two operations.

An open label has no list of choices, so a simulator gets one made of the input alone. What it
reads of the candidates are their operations and the places of their numbers in the text; of a
rationale, whether it works a candidate out, supports it, or states it. Knows strings, no record.
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
from mitools.expressions import find_expressions, parse_expression
from mitools.tasks import task_named

__all__ = [
    "ABOUT",
    "MOST_NUMBERS",
    "Candidate",
    "candidates_in",
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
"""Numbers of an input that candidates are made of: four give some 100 of them."""

SIGNS = "+-*/"
_TOPICS = 4
_NUMBER = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?(?!\d)|\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Candidate:
    """A value, and the shortest way to it.

    Attributes:
        value: what it comes to.
        signs: the operations, in order; "" for a number as it stands.
        places: which of the input's numbers it joins, in order.
    """

    value: Fraction
    signs: str
    places: tuple[int, ...]


def numbers_in(text: str) -> list[Fraction]:
    return [Fraction(found.replace(",", "")) for found in _NUMBER.findall(text[:20_000])]


def candidates_in(text: str) -> list[Candidate]:
    """List the values that are not negative, each once, numbers as they stand first.

    Of what takes two operations, only whole numbers: fractions double the candidates, and hardly
    any answer is one.
    """
    numbers = numbers_in(text)[:MOST_NUMBERS]
    found: dict[Fraction, Candidate] = {}
    ways = [Candidate(value, "", (place,)) for place, value in enumerate(numbers)]
    for candidate in ways:
        found.setdefault(candidate.value, candidate)
    pairs = [way for pair in itertools.permutations(ways, 2) for way in _joined(*pair)]
    for candidate in pairs:
        if candidate.value >= 0:
            found.setdefault(candidate.value, candidate)
    for inner, outer in itertools.product(pairs, ways):
        if outer.places[0] not in inner.places:
            for candidate in (*_joined(inner, outer), *_joined(outer, inner)):
                if candidate.value >= 0 and candidate.value.denominator == 1:
                    found.setdefault(candidate.value, candidate)
    return list(found.values())


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
    """Describe each candidate by what its input tells: [M, 25].

    How often it has each sign, and that times each of four topics of the text; whether it has no
    operation, or two; whether its numbers stand in the order of the text, are its first, are its
    last; whether its value is whole.
    """
    terms = term_weights(texts, word_pairs)
    topics = np.zeros((len(texts), _TOPICS))
    if min(terms.shape) > _TOPICS:
        topics = TruncatedSVD(_TOPICS, random_state=seed).fit_transform(terms)
    rows = []
    for topic, row in zip(topics, candidates, strict=True):
        last = max(place for one in row for place in one.places)
        for one in row:
            signs = np.array([one.signs.count(sign) for sign in SIGNS], dtype=np.float64)
            rest = [
                not one.signs,
                len(one.signs) == 2,
                list(one.places) == sorted(one.places),
                0 in one.places,
                last in one.places,
            ]
            whole = one.value.denominator == 1
            rows.append(np.concatenate([signs, np.outer(signs, topic).ravel(), rest, [whole]]))
    return np.array(rows).reshape(-1, 4 + 4 * _TOPICS + 6)


def told_features(rationales: Sequence[str], candidates: Sequence[Sequence[Candidate]]) -> Floats:
    """Describe each candidate by what a rationale tells of it: [M, 3], all 0 for an empty one.

    Whether some expression comes to its value; whether the rationale supports it as an answer, by
    its cue or its last expression; whether its value is the last number, where there is no
    expression.
    """
    task = task_named("equation")
    rows: list[tuple[bool, bool, bool]] = []
    for rationale, row in zip(rationales, candidates, strict=True):
        values = {found.value for found in find_expressions(rationale)}
        label = task.supported(rationale)
        supported = parse_expression(label) if label is not None else None
        stated = [] if values else numbers_in(rationale)[-1:]
        rows += [
            (
                one.value in values,
                supported is not None and one.value == supported.value,
                one.value in stated,
            )
            for one in row
        ]
    return np.array(rows, dtype=np.float64).reshape(-1, 3)


def place_of(label: str, candidates: Sequence[Candidate]) -> int | None:
    """Find the candidate with a label's value; None where no candidate has it."""
    found = parse_expression(label)
    values = [one.value for one in candidates]
    return values.index(found.value) if found and found.value in values else None
