"""Near-duplicates: what the signatures find is what comparing all pairs finds."""

from __future__ import annotations

import random
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitools.split.near_duplicates import NearDuplicates, jaccard, rows_per_band, shingles
from mitools.split.options import NearDuplicateRule, SplitOptions
from mitools.split.units import Components

NEAR = SplitOptions().near_duplicates


def clusters(texts: list[str], nearness: NearDuplicateRule = NEAR) -> list[int]:
    near = NearDuplicates(len(texts), lambda number: texts[number], nearness)
    for number, text in enumerate(texts):
        near.add(number, text)
    return [int(label) for label in near.clusters()]


def clusters_by_all_pairs(texts: list[str], nearness: NearDuplicateRule = NEAR) -> list[int]:
    pieces = [shingles(text, nearness.shingle_chars) for text in texts]
    components = Components(len(texts))
    for one, other in combinations(range(len(texts)), 2):
        if jaccard(pieces[one], pieces[other]) >= nearness.threshold:
            components.join(one, other)
    return [int(label) for label in components.labels()]


def planted(count: int, seed: int) -> tuple[list[str], list[int]]:
    """Texts of made-up words, half of them edited copies; and what each was made from."""
    rng = random.Random(seed)
    words = ["".join(rng.choices("abcdefghij", k=rng.randint(2, 9))) for _ in range(500)]
    texts: list[list[str]] = []
    origins: list[int] = []
    for number in range(count):
        if number % 2:
            origin = rng.choice(origins)
            text = list(texts[origin])
            for _ in range(rng.randint(1, 3)):
                text[rng.randrange(len(text))] = rng.choice(words)
        else:
            origin, text = number, rng.choices(words, k=rng.randint(8, 40))
        texts.append(text)
        origins.append(origin)
    return [" ".join(text) for text in texts], origins


def test_shingles_are_the_pieces_of_a_text() -> None:
    assert shingles("abcde", 3) == {b"abc", b"bcd", b"cde"}
    assert shingles("aaaa", 2) == {b"aa"}
    assert shingles("ab", 5) == {b"ab"}
    assert shingles("", 5) == set()
    assert shingles("größe", 3) == {piece.encode() for piece in ("grö", "röß", "öße")}


def test_similarity_is_what_both_have_out_of_what_either_has() -> None:
    assert jaccard({b"a", b"b", b"c"}, {b"b", b"c", b"d"}) == 0.5
    assert jaccard({b"a"}, {b"a"}) == 1
    assert jaccard({b"a"}, set()) == jaccard(set(), set()) == 0


@given(st.sets(st.binary(max_size=1)), st.sets(st.binary(max_size=1)))
def test_similarity_has_no_direction(one: set[bytes], other: set[bytes]) -> None:
    assert jaccard(one, other) == jaccard(other, one)
    assert 0 <= jaccard(one, other) <= 1


@pytest.mark.parametrize(("threshold", "rows"), [(0.8, 8), (0.9, 8), (0.5, 3), (0.05, 1)])
def test_a_band_still_finds_pairs_at_the_threshold(threshold: float, rows: int) -> None:
    assert rows_per_band(threshold) == rows
    missed = (1 - threshold**rows) ** (256 // rows)
    assert missed < 0.005 or rows == 1


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize("nearness", [NEAR, NearDuplicateRule(0.6, 4), NearDuplicateRule(0.9, 3)])
def test_clusters_are_those_of_all_pairs(seed: int, nearness: NearDuplicateRule) -> None:
    texts, _ = planted(300, seed)
    found = clusters(texts, nearness)
    assert found == clusters_by_all_pairs(texts, nearness)
    assert 1 < len(set(found)) < 300


def test_planted_copies_are_found_and_nothing_else_is_joined() -> None:
    texts, origins = planted(2000, seed=2)
    labels = clusters(texts)
    near = [
        number
        for number, origin in enumerate(origins)
        if number != origin
        and jaccard(shingles(texts[number], 5), shingles(texts[origin], 5)) >= 0.8
    ]
    missed = [number for number in near if labels[number] != labels[origins[number]]]
    roots = list(origins)
    for number, origin in enumerate(origins):
        roots[number] = roots[origin]
    pairs = set(zip(labels, roots, strict=True))
    assert len(near) > 300
    assert len(missed) <= 0.005 * len(near)
    assert len(pairs) == len(set(labels))  # no cluster of two roots


def test_the_order_of_texts_does_not_matter() -> None:
    texts, _ = planted(200, seed=3)
    order = random.Random(0).sample(range(200), 200)
    labels, shuffled = clusters(texts), clusters([texts[number] for number in order])
    for one, other in combinations(range(200), 2):
        is_joined = labels[order[one]] == labels[order[other]]
        assert (shuffled[one] == shuffled[other]) == is_joined


def test_likeness_is_transitive() -> None:
    start = "one two three four five six seven eight nine ten eleven twelve thirteen"
    middle = start.replace("thirteen", "fourteen")
    end = middle.replace("one two", "six four")
    assert jaccard(shingles(start, 5), shingles(end, 5)) < 0.8
    assert len(set(clusters([start, middle, end]))) == 1


def test_texts_without_likeness_stay_apart_whatever_their_length() -> None:
    long = " ".join(f"word{number}" for number in range(3000))
    texts = ["", "a", "ab", "abcd", "abcde", "größer 你好", "\ud83d", long]
    assert len(set(clusters(texts))) == len(texts)


def test_long_texts_are_compared_whole() -> None:
    long = " ".join(f"word{number}" for number in range(3000))
    assert len(set(clusters([long, long + " more"]))) == 1
    assert len(set(clusters([long, long[:12_000]]))) == 2


def test_a_bucket_of_many_equal_texts_is_one_comparison_each() -> None:
    texts = [f"the same question in nearly the same words {number % 10}" for number in range(300)]
    near = NearDuplicates(300, lambda number: texts[number], NEAR)
    for number, text in enumerate(texts):
        near.add(number, text)
    assert len(set(near.clusters().tolist())) == 1
    assert near.compared == 299
