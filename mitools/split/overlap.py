"""Words in a row that texts share: an index of the n-grams of some texts, to look others up in.

After the contamination study of GPT-3: a text overlaps with another where they share an n-gram of
words, whatever its case and punctuation. There n is the 5th percentile of the lengths of a data
set, at least 8 and at most 13; here it is taken text by text, so that questions of one data set
may have different lengths: 13 words, or all of a text of 8 to 12. A shorter text overlaps only with
one that is the same, since so few words prove nothing within a longer one. An n-gram that more than
ten texts of the run have is the wording of the task, a prompt or a template, and does not count;
GPT-3 leaves out those in more than ten documents of the training set, for the same reason.

Source: Brown et al., "Language Models are Few-Shot Learners", arXiv:2005.14165, appendix C.
"""

from __future__ import annotations

import re
import unicodedata
from array import array

import numpy as np
from numpy.typing import NDArray

__all__ = ["FEWEST_WORDS", "MOST_TEXTS", "NgramIndex", "words_of"]

FEWEST_WORDS = 8
MOST_TEXTS = 10

# Chinese and Japanese have no spaces: there a character is a word.
_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+")
_BASE = 0x9E3779B97F4A7C15
_MASK = 2**64 - 1


def words_of(text: str) -> list[str]:
    """Reduce a text to its words, without case and punctuation."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


class NgramIndex:
    """The n-grams of some texts, and which of them each text has.

    Texts are numbered by the caller. First :meth:`add` all, then :meth:`close`, then look up.
    N-grams are kept as numbers of 64 bits; that two share one is out of the question.

    Args:
        ngram_words: how many words make an n-gram.
    """

    def __init__(self, ngram_words: int) -> None:
        self.ngram_words = ngram_words
        self._grams = array("Q")
        self._texts = array("q")
        self._lengths: set[int] = set()
        self.pair_grams: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        """[P] which n-gram: one entry for each text and n-gram of it, by n-gram, then text."""
        self.pair_texts: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        """[P] which text."""
        self._sorted: NDArray[np.uint64] = np.zeros(0, dtype=np.uint64)

    def __len__(self) -> int:
        """Return how many distinct n-grams there are."""
        return len(self._sorted)

    def length_for(self, words: list[str]) -> int:
        """Return how many words of this text make an n-gram: all of them where there are few."""
        return min(self.ngram_words, len(words))

    def add(self, text: int, words: list[str]) -> None:
        """Take in the n-grams of a text; one without words has none."""
        length = self.length_for(words)
        if length:
            self._lengths.add(length)
            grams = np.unique(_grams(_hashes(words), length))
            self._grams.frombytes(grams.tobytes())
            self._texts.extend([text] * len(grams))

    def close(self) -> None:
        """Sort what was added."""
        grams = np.frombuffer(self._grams, dtype=np.uint64)
        texts = np.frombuffer(self._texts, dtype=np.int64)
        order = np.lexsort((texts, grams))
        self._sorted, self.pair_grams = np.unique(grams[order], return_inverse=True)
        self.pair_texts = texts[order]
        self._grams, self._texts = array("Q"), array("q")

    def find(self, words: list[str]) -> NDArray[np.int64]:
        """Find the n-grams that a text shares with the index, each once."""
        fitting = [length for length in self._lengths if self._may_match(length, len(words))]
        if not fitting:
            return np.zeros(0, dtype=np.int64)
        hashes = _hashes(words)
        places = np.concatenate([self._places(_grams(hashes, length)) for length in fitting])
        return np.unique(places[places >= 0])

    def quote(self, words: list[str], grams: NDArray[np.int64]) -> str:
        """Spell out the first of these n-grams in a text of the index; empty: it has none."""
        length = self.length_for(words)
        if not length:
            return ""
        found = self._places(_grams(_hashes(words), length))
        for start in np.flatnonzero(np.isin(found, grams)).tolist():
            return " ".join(words[start : start + length])
        return ""

    def _places(self, grams: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Find each n-gram; -1 where it is not in the index."""
        places = np.searchsorted(self._sorted, grams)
        places[places == len(self._sorted)] = 0
        return np.where(self._sorted[places] == grams, places, -1)

    def _may_match(self, length: int, words: int) -> bool:
        if length < min(FEWEST_WORDS, self.ngram_words):
            return length == words
        return length <= words


def _hashes(words: list[str]) -> NDArray[np.uint64]:
    return np.fromiter((hash(word) & _MASK for word in words), dtype=np.uint64, count=len(words))


def _grams(hashes: NDArray[np.uint64], length: int) -> NDArray[np.uint64]:
    """Hash each run of ``length`` words: a polynomial in the hashes of the words, modulo 2^64."""
    powers = [pow(_BASE, power, 2**64) for power in range(length)]
    runs = np.lib.stride_tricks.sliding_window_view(hashes, length)
    return np.asarray((runs * np.array(powers, dtype=np.uint64)).sum(axis=1, dtype=np.uint64))
