"""Similar pairs among texts that share most of their shingles, such as those of one template.

An index of all shingles finds each pair of such texts. So this one leaves out what most texts have.
A shingle that most texts have is common; a text's marks are the other shingles that it has, and the
common ones that it lacks. With C common shingles, l of them missing from a text, and s marks that
two texts share, the texts share

    C − l₁ − l₂ + s

shingles, for any choice of the common ones. s comes from an index of the marks, which is as large
as the parts in which texts differ. Only pairs that may be similar are then compared exactly.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["Crowd", "shingle_hashes"]

_SAMPLE = 256
_COLLISIONS = 1
"""Shared shingles to allow for: two shingles of a text may have the same hash."""

_BASE = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_LACKS = np.uint64(1 << 32)
"""Marks that a text lacks are above this, those that it has are below."""


def shingle_hashes(text: str, size: int) -> NDArray[np.uint32]:
    """Return the hashes of all shingles of a text, ascending, each once.

    Args:
        text: not empty.
        size: characters of a shingle; a shorter text is one shingle.
    """
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4").astype(np.uint64)
    count = max(1, len(codes) - size + 1)
    mixed = np.zeros(count, dtype=np.uint64)
    for start in range(min(size, len(codes))):
        mixed = (mixed + codes[start : start + count] + np.uint64(1)) * _BASE
        mixed ^= mixed >> _HALF
    return np.unique((mixed >> _HALF).astype(np.uint32))


class Crowd:
    """An index of N texts by the shingles in which they differ from most.

    Args:
        hashes: of each text, as from :func:`shingle_hashes`.
        threshold: least Jaccard index of similar texts, 0 to 1.
    """

    def __init__(self, hashes: Sequence[NDArray[np.uint32]], threshold: float) -> None:
        self._threshold = threshold
        self._sizes = np.array([len(one) for one in hashes], dtype=np.int64)
        common = _common(hashes)
        marks = [_marks(one, common) for one in hashes]
        self._lacking = np.array([int((one >= _LACKS).sum()) for one in marks], dtype=np.int64)
        self._common = len(common)
        self._ends = np.cumsum([len(one) for one in marks])
        _, self._ids, self._counts = np.unique(
            np.concatenate(marks), return_inverse=True, return_counts=True
        )
        owners = np.repeat(np.arange(len(marks)), np.diff(self._ends, prepend=0))
        self._owners = owners[np.argsort(self._ids, kind="stable")]
        self._starts = np.cumsum(self._counts) - self._counts

    def similar_to(self, place: int) -> NDArray[np.int64]:
        """Return the places of all texts that may be similar to one, itself included."""
        ids = self._ids[self._ends[place - 1] if place else 0 : self._ends[place]]
        begins = self._starts[ids].tolist()
        ends = (self._starts[ids] + self._counts[ids]).tolist()
        owners = [self._owners[low:high] for low, high in zip(begins, ends, strict=True)]
        shared = np.bincount(
            np.concatenate([*owners, self._owners[:0]]), minlength=len(self._sizes)
        )
        both = shared + (self._common + _COLLISIONS - self._lacking[place]) - self._lacking
        either = self._sizes + self._sizes[place] - both
        return np.flatnonzero(both >= self._threshold * either)


def _common(hashes: Sequence[NDArray[np.uint32]]) -> NDArray[np.uint32]:
    """Return the hashes that more than half of a sample of the texts have, ascending."""
    sample = hashes[:: max(1, len(hashes) // _SAMPLE)]
    values, counts = np.unique(np.concatenate(sample), return_counts=True)
    return values[2 * counts > len(sample)]


def _marks(hashes: NDArray[np.uint32], common: NDArray[np.uint32]) -> NDArray[np.uint64]:
    has = np.setdiff1d(hashes, common, assume_unique=True).astype(np.uint64)
    lacks = np.setdiff1d(common, hashes, assume_unique=True).astype(np.uint64)
    return np.concatenate([has, lacks | _LACKS])
