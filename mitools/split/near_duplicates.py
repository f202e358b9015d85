"""Near-duplicates: texts that share most of their shingles, found among any number of them.

A shingle is a piece of ``shingle_chars`` characters of a normalized text. The similarity of two
texts is the Jaccard index of their sets of shingles. MinHash signatures find pairs that may be
similar (locality-sensitive hashing); each such pair is then compared exactly, so that no pair is
joined by chance. Texts of large buckets share a template, or are copies: they are compared by
:mod:`mitools.split.crowd`. Clusters are transitive. Owns ``datasketch``.

The buckets are not ``datasketch.MinHashLSH``: its dictionaries take 6.3 kB per text; a sorted
column of numbers takes 8 bytes.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import Any

import numpy as np
from datasketch import MinHash
from numpy.typing import NDArray

from mitools.split.crowd import Crowd, shingle_hashes
from mitools.split.options import NearDuplicateRule
from mitools.split.units import Components

__all__ = ["NearDuplicates", "jaccard", "rows_per_band", "shingles"]

_SLOTS = 256
_MOST_ROWS = 8  # a band is one number of 64 bits
_MOST_MISSED = 0.005
_SHINGLES_AT_ONCE = 4096
_MIXER = np.uint32(0x9E3779B1)
_LARGE = 64
"""Texts of a bucket whose shingles are kept while its pairs are compared; above it is a crowd."""

Candidates = Callable[[int, NDArray[np.int64]], NDArray[np.int64]]


def rows_per_band(threshold: float) -> int:
    """Choose the slots per band: the most that still find 99.5% of the pairs at the threshold.

    A band of r slots agrees with probability s^r at similarity s, and one of b bands with
    1 - (1 - s^r)^b. Source: Leskovec, Rajaraman, Ullman, "Mining of Massive Datasets", 3.4.
    """
    rows = _MOST_ROWS
    while rows > 1 and (1 - threshold**rows) ** (_SLOTS // rows) > _MOST_MISSED:
        rows -= 1
    return rows


def shingles(text: str, size: int) -> set[bytes]:
    """Return all pieces of ``size`` characters, in UTF-8; a shorter text is one piece."""
    if not text:
        return set()
    starts = range(max(1, len(text) - size + 1))
    if text.isascii():
        raw = text.encode()
        return {raw[start : start + size] for start in starts}
    return {text[start : start + size].encode("utf-8", "surrogatepass") for start in starts}


def jaccard(left: set[bytes], right: set[bytes]) -> float:
    """Return the Jaccard index, 0 to 1; 0 if both sets are empty."""
    both = len(left & right)
    return both / (len(left) + len(right) - both) if both else 0.0


class NearDuplicates:
    """Signatures of texts: added one by one, then clustered.

    A signature has one byte for each of 256 hash functions. The share of equal bytes of two texts
    estimates their similarity (plus 1/256). Source: Li and König, "b-bit minwise hashing", WWW
    2010.

    Args:
        count: number of texts; their numbers are below it.
        text_of: returns a text again, for the exact comparison.
        rule: when two texts are near-duplicates.
    """

    def __init__(self, count: int, text_of: Callable[[int], str], rule: NearDuplicateRule) -> None:
        self._rule = rule
        self._rows = rows_per_band(rule.threshold)
        self._signatures = np.zeros((count, _SLOTS), dtype=np.uint8)
        self._has_text = np.zeros(count, dtype=np.bool_)
        self._empty = MinHash(num_perm=_SLOTS, hashfunc=zlib.crc32)
        self._components = Components(count)
        self.compared = 0

        self._text_of = text_of

        @lru_cache(maxsize=_LARGE)
        def shingles_of(number: int) -> set[bytes]:
            return shingles(text_of(number), rule.shingle_chars)

        self._shingles_of = shingles_of

    def add(self, number: int, text: str) -> None:
        """Add the signature of a text."""
        pieces = list(shingles(text, self._rule.shingle_chars))
        if not pieces:
            return
        minhash = self._empty.copy()
        for start in range(0, len(pieces), _SHINGLES_AT_ONCE):
            minhash.update_batch(pieces[start : start + _SHINGLES_AT_ONCE])
        # The highest byte of a product depends on all bits of the factor.
        self._signatures[number] = (minhash.hashvalues * _MIXER) >> np.uint32(24)
        self._has_text[number] = True

    @property
    def bands(self) -> int:
        """Number of bands to compare."""
        return _SLOTS // self._rows

    def clusters(self, on_band: Callable[[], None] = lambda: None) -> NDArray[np.int64]:
        """Join all similar texts.

        Args:
            on_band: called after each band.

        Returns:
            [count] equal numbers for texts of one cluster.
        """
        crowds = self._crowds()
        for crowd in _buckets(crowds, self._has_text):
            self._join_crowd(crowd)
        for band in self._bands():
            for bucket in _buckets(band, self._has_text):
                if (crowds[bucket] != crowds[bucket[0]]).any():
                    self._join_bucket(bucket)
            on_band()
        return self._components.labels()

    def _crowds(self) -> NDArray[np.int64]:
        """Return equal numbers for texts that a chain of large buckets joins: [count]."""
        crowds = Components(len(self._has_text))
        for band in self._bands():
            for bucket in _buckets(band, self._has_text):
                if len(bucket) > _LARGE:
                    for number in bucket[1:].tolist():
                        crowds.join(int(bucket[0]), number)
        return crowds.labels()

    def _bands(self) -> Iterator[NDArray[np.uint64]]:
        rows = self._rows
        for start in range(0, _SLOTS - rows + 1, rows):
            band = np.zeros((len(self._signatures), _MOST_ROWS), dtype=np.uint8)
            band[:, :rows] = self._signatures[:, start : start + rows]
            yield band.view(np.uint64)[:, 0]

    def _join_bucket(self, bucket: NDArray[np.int64]) -> None:
        def candidates(place: int, others: NDArray[np.int64]) -> NDArray[np.int64]:
            return others[self._may_be_similar(int(bucket[place]), bucket[others])]

        self._join_similar(bucket, candidates)

    def _join_crowd(self, crowd: NDArray[np.int64]) -> None:
        size = self._rule.shingle_chars
        hashes = [shingle_hashes(self._text_of(number), size) for number in crowd.tolist()]
        index = Crowd(hashes, self._rule.threshold)

        def candidates(place: int, _others: NDArray[np.int64]) -> NDArray[np.int64]:
            found = index.similar_to(place)
            return found[found > place]

        self._join_similar(crowd, candidates)

    def _join_similar(self, texts: NDArray[np.int64], candidates: Candidates) -> None:
        """Compare each text with the later ones that are candidates; join those that are similar.

        Args:
            texts: their numbers.
            candidates: gets the place of a text and the later places of other sets; returns the
                later places to compare.
        """
        find = self._components.find
        sets = np.array([find(number) for number in texts.tolist()])
        # Texts that are already in one set need no comparison, so a bucket of copies is linear.
        for place, one in enumerate(texts[:-1].tolist()):
            others = np.flatnonzero(sets[place + 1 :] != sets[place]) + place + 1
            if not len(others):
                continue
            for other in candidates(place, others).tolist():
                if sets[other] != sets[place] and self._are_similar(one, int(texts[other])):
                    self._components.join(one, int(texts[other]))
                    sets[sets == sets[other]] = sets[place]

    def _may_be_similar(self, one: int, others: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return which texts the signatures do not exclude, at 3.5 standard deviations."""
        threshold = self._rule.threshold
        error = math.sqrt(threshold * (1 - threshold) / _SLOTS)
        least = _SLOTS * (threshold - 3.5 * error)
        equal = (self._signatures[others] == self._signatures[one]).sum(axis=1)
        return np.asarray(equal >= least)

    def _are_similar(self, one: int, other: int) -> bool:
        self.compared += 1
        similarity = jaccard(self._shingles_of(one), self._shingles_of(other))
        return similarity >= self._rule.threshold


def _buckets(band: NDArray[Any], is_in: NDArray[np.bool_]) -> Iterator[NDArray[np.int64]]:
    """Yield the numbers of texts that agree in a band, two or more at a time."""
    numbers = np.flatnonzero(is_in)
    numbers = numbers[np.argsort(band[numbers], kind="stable")]
    starts = np.flatnonzero(np.diff(band[numbers]) != 0) + 1
    edges = np.concatenate(([0], starts, [len(numbers)]))
    for index in np.flatnonzero(np.diff(edges) > 1).tolist():
        yield numbers[edges[index] : edges[index + 1]]
