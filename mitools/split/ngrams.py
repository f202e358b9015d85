"""Word n-grams that texts share: an index of the n-grams of some texts, to look up other texts.

After the contamination study of GPT-3: two texts overlap if they share an n-gram of words, without
regard to case and punctuation. There n is the 5th percentile of the lengths of a data set, at least
8 and at most 13. Here n is chosen for each text, since the questions of one data set may differ in
length: 13 words, or the whole text if it has 8 to 12. A shorter text overlaps only with an equal
text, since so few words prove nothing within a longer one. An n-gram that more than ten texts of
the run have belongs to the task's prompt or template and does not count; GPT-3 ignores those in
more than ten documents of the training set, for the same reason.

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
    """Return the words of a text, without case and punctuation."""
    return _WORD.findall(unicodedata.normalize("NFKC", text).casefold())


class NgramIndex:
    """The n-grams of some texts, and the texts that have them.

    Texts are numbered by the caller. Call :meth:`add` for each, then :meth:`close`, then look up.
    N-grams are stored as hashes of 64 bits; collisions are negligible.

    Args:
        ngram_words: words per n-gram.
    """

    def __init__(self, ngram_words: int) -> None:
        self.ngram_words = ngram_words
        self._grams = array("Q")
        self._texts = array("q")
        self._lengths: set[int] = set()
        self.pair_grams: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        """[P] the n-gram of each pair of an n-gram and a text; sorted by n-gram, then text."""
        self.pair_texts: NDArray[np.int64] = np.zeros(0, dtype=np.int64)
        """[P] the text of each pair."""
        self._sorted: NDArray[np.uint64] = np.zeros(0, dtype=np.uint64)

    def __len__(self) -> int:
        """Return the number of distinct n-grams."""
        return len(self._sorted)

    def length_for(self, words: list[str]) -> int:
        """Return the words per n-gram for this text; all of its words if it is short."""
        return min(self.ngram_words, len(words))

    def add(self, text: int, words: list[str]) -> None:
        """Add the n-grams of a text; a text without words has none."""
        length = self.length_for(words)
        if length:
            self._lengths.add(length)
            grams = np.unique(_grams(_hashes(words), length))
            self._grams.frombytes(grams.tobytes())
            self._texts.extend([text] * len(grams))

    def close(self) -> None:
        """Sort the added n-grams."""
        grams = np.frombuffer(self._grams, dtype=np.uint64)
        texts = np.frombuffer(self._texts, dtype=np.int64)
        order = np.lexsort((texts, grams))
        self._sorted, self.pair_grams = np.unique(grams[order], return_inverse=True)
        self.pair_texts = texts[order]
        self._grams, self._texts = array("Q"), array("q")

    def find(self, words: list[str]) -> NDArray[np.int64]:
        """Return the n-grams that a text shares with the index, each once."""
        fitting = [length for length in self._lengths if self._may_match(length, len(words))]
        if not fitting:
            return np.zeros(0, dtype=np.int64)
        hashes = _hashes(words)
        places = np.concatenate([self._places(_grams(hashes, length)) for length in fitting])
        return np.unique(places[places >= 0])

    def quote(self, words: list[str], grams: NDArray[np.int64]) -> str:
        """Return the words of the first of these n-grams in a text of the index; "" if none."""
        length = self.length_for(words)
        if not length:
            return ""
        found = self._places(_grams(_hashes(words), length))
        for start in np.flatnonzero(np.isin(found, grams)).tolist():
            return " ".join(words[start : start + length])
        return ""

    def _places(self, grams: NDArray[np.uint64]) -> NDArray[np.int64]:
        """Return the number of each n-gram; -1 if it is not in the index."""
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
    """Hash each n-gram of ``length`` words: a polynomial in the words' hashes, modulo 2^64."""
    powers = [pow(_BASE, power, 2**64) for power in range(length)]
    runs = np.lib.stride_tricks.sliding_window_view(hashes, length)
    return np.asarray((runs * np.array(powers, dtype=np.uint64)).sum(axis=1, dtype=np.uint64))
