"""N-grams of words: which texts share one, as comparing them word by word has it."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitools.split.ngrams import NgramIndex, words_of

WORDS = list("abcdefghijklmnopqrstuvwxyz")


def index_of(texts: list[list[str]], ngram_words: int = 13) -> NgramIndex:
    index = NgramIndex(ngram_words)
    for number, words in enumerate(texts):
        index.add(number, words)
    index.close()
    return index


def texts_found(index: NgramIndex, words: list[str]) -> set[int]:
    grams = index.find(words)
    return set(index.pair_texts[np.isin(index.pair_grams, grams)].tolist())


def overlap(own: list[str], other: list[str], ngram_words: int) -> bool:
    """The rule, spelled out."""
    length = min(ngram_words, len(own))
    if length < min(8, ngram_words):
        return own == other and bool(own)
    runs = {tuple(other[at : at + length]) for at in range(len(other) - length + 1)}
    return any(tuple(own[at : at + length]) in runs for at in range(len(own) - length + 1))


def test_words_have_no_case_and_no_punctuation() -> None:
    assert words_of("Don't STOP, at_once: 3.5 Straße! ﬁne 你好") == [
        *("don", "t", "stop", "at", "once", "3", "5", "strasse", "fine", "你", "好")
    ]
    assert words_of("T恤衫カタabc 한국어") == ["t", "恤", "衫", "カ", "タ", "abc", "한국어"]
    assert words_of(" … ?!") == []


def test_a_run_of_thirteen_words_is_found_anywhere() -> None:
    index = index_of([WORDS[:20]])
    assert texts_found(index, ["x", *WORDS[3:16], "y"]) == {0}
    assert texts_found(index, ["x", *WORDS[3:15], "y"]) == set()
    assert len(index) == 8


def test_a_text_of_eight_to_twelve_words_is_found_whole() -> None:
    index = index_of([WORDS[:8], WORDS[10:22]])
    assert texts_found(index, ["x", *WORDS[:8], "y"]) == {0}
    assert texts_found(index, ["x", *WORDS[:7], "y"]) == set()
    assert texts_found(index, ["x", *WORDS[10:22]]) == {1}


def test_a_shorter_text_overlaps_only_with_the_same() -> None:
    index = index_of([WORDS[:7]])
    assert texts_found(index, WORDS[:7]) == {0}
    assert texts_found(index, WORDS[:8]) == set()
    assert texts_found(index, []) == set()


def test_a_text_without_words_is_no_trouble() -> None:
    assert texts_found(index_of([[], WORDS]), WORDS) == {1}
    assert texts_found(index_of([]), WORDS) == set()
    assert len(index_of([[]])) == 0


@settings(deadline=None)
@given(st.integers(0, 10_000), st.sampled_from([13, 8, 5, 3, 1]))
def test_what_is_found_is_what_comparing_word_by_word_finds(seed: int, ngram_words: int) -> None:
    rng = random.Random(seed)
    whole = rng.choices(WORDS[:4], k=60)

    def piece() -> list[str]:
        start = rng.randrange(50)
        return whole[start : start + rng.randint(0, 25)]

    texts, other = [piece() for _ in range(8)], piece()
    expected = {number for number, own in enumerate(texts) if overlap(own, other, ngram_words)}
    assert texts_found(index_of(texts, ngram_words), other) == expected


def test_an_ngram_that_a_text_has_twice_counts_once() -> None:
    index = index_of([WORDS[:13] * 3])
    assert len(index) == len(index.pair_texts) == 13
    assert len(index.find(WORDS[:13] * 2)) == 13


def test_the_first_shared_words_are_quoted() -> None:
    index = index_of([WORDS[:20], WORDS[:9]])
    grams = index.find(WORDS[2:18])
    assert index.quote(WORDS[:20], grams) == " ".join(WORDS[2:15])
    assert index.quote(WORDS[:9], grams) == ""
    assert index.quote([], grams) == ""


@pytest.mark.parametrize("count", [1, 5])
def test_each_text_with_an_ngram_is_a_pair_of_it(count: int) -> None:
    index = index_of([WORDS[:13]] * count)
    assert index.pair_texts.tolist() == list(range(count))
    assert index.pair_grams.tolist() == [0] * count
