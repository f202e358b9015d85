"""Texts of a template: the index finds each similar pair, in a time that does not depend on it."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.split.crowd import Crowd, shingle_hashes
from mitools.split.near_duplicates import NearDuplicates, jaccard, shingles
from mitools.split.options import NearDuplicateRule, SplitOptions
from tests.clock import cpu_seconds

NEAR = SplitOptions().near_duplicates
TEMPLATE = (
    "Read the ticket of a customer below, and answer with one of the queues. Answer with the name "
    "of the queue alone, and with nothing else. If it fits no queue, answer with the word other. "
)


def tickets(count: int, words: int, seed: int = 0) -> list[str]:
    """Texts of one template, each with its own words; every fifth is another one with an edit."""
    rng = random.Random(seed)
    known = ["".join(rng.choices("abcdefghij", k=rng.randint(3, 9))) for _ in range(400)]
    own = [rng.choices(known, k=words) for _ in range(count)]
    for number in range(4, count, 5):
        own[number] = [*own[rng.randrange(number)]]
        own[number][rng.randrange(words)] = rng.choice(known)
    return [TEMPLATE + " ".join(one) for one in own]


@given(st.text(min_size=1, max_size=30), st.integers(1, 7))
def test_a_text_has_as_many_hashes_as_shingles(text: str, size: int) -> None:
    hashes = shingle_hashes(text, size)
    assert len(hashes) == len(shingles(text, size))
    assert sorted(set(hashes.tolist())) == hashes.tolist()


@given(st.text(min_size=1, max_size=40), st.text(min_size=1, max_size=40), st.integers(1, 7))
def test_texts_share_as_many_hashes_as_shingles(one: str, other: str, size: int) -> None:
    shared = set(shingle_hashes(one, size).tolist()) & set(shingle_hashes(other, size).tolist())
    assert len(shared) == len(shingles(one, size) & shingles(other, size))


@pytest.mark.parametrize("words", [2, 8, 30])
@pytest.mark.parametrize("threshold", [0.6, 0.8, 1.0])
def test_the_index_finds_each_similar_pair_and_few_others(words: int, threshold: float) -> None:
    # One text is short, and one has nothing of the template.
    texts = [*tickets(120, words), "Read", "no more than this"]
    index = Crowd([shingle_hashes(text, 5) for text in texts], threshold)
    pieces = [shingles(text, 5) for text in texts]
    for one in range(len(texts)):
        found = set(index.similar_to(one).tolist())
        alike = [jaccard(pieces[one], other) for other in pieces]
        assert {place for place, value in enumerate(alike) if value >= threshold} <= found
        assert all(alike[place] > threshold - 0.02 for place in found if len(texts[place]) > 20)


def test_texts_of_a_template_are_joined_by_their_own_words() -> None:
    texts = tickets(300, 12)
    near = NearDuplicates(len(texts), lambda number: texts[number], NEAR)
    for number, text in enumerate(texts):
        near.add(number, text)
    labels = near.clusters().tolist()
    pieces = [shingles(text, NEAR.shingle_chars) for text in texts]
    joined = {number: {number} for number in range(len(texts))}
    for one, other in combinations(range(len(texts)), 2):
        if jaccard(pieces[one], pieces[other]) >= NEAR.threshold:
            whole = joined[one] | joined[other]
            joined |= dict.fromkeys(whole, whole)
    assert [min(joined[number]) for number in range(len(texts))] == labels
    assert 1 < len(set(labels)) < len(texts)


def test_a_template_costs_no_comparison_of_all_pairs() -> None:
    rule = NearDuplicateRule(0.8, 5)
    texts = tickets(2_000, 8)
    near = NearDuplicates(len(texts), lambda number: texts[number], rule)
    for number, text in enumerate(texts):
        near.add(number, text)
    assert cpu_seconds(near.clusters, runs=1) < 3  # 0.3 s
    assert near.compared < 5 * len(texts)
