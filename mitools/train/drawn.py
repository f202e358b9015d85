"""A bounded number of records that stand for all: drawn by a hash, not the first ones of a file.

A file may be sorted by label, by source or by length.
"""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

__all__ = ["draw"]

R = TypeVar("R", bound=Mapping[str, Any])


def draw(read: Callable[[], Iterator[R]], most: int | None) -> Iterator[R]:
    """Draw records by a hash of id and input, so that order, seed and other records do not matter.

    Two passes over the records keep two numbers for each drawn one, and no record.

    Args:
        read: starts to read the records from the first one; each has an ``id`` and an ``input``.
        most: how many to draw; None takes all, in one pass.

    Yields:
        All records where there are at most ``most``, else those with the smallest hashes; both in
        the order in which they are read.
    """
    if most is None:
        yield from read()
        return
    kept: list[tuple[int, int]] = []  # (minus the hash, minus the place)
    for place, record in enumerate(read()):
        entry = (-_hash(record), -place)
        if len(kept) < most:
            heapq.heappush(kept, entry)
        elif entry > kept[0]:
            heapq.heapreplace(kept, entry)
    places = {-place for _, place in kept}
    yield from (record for place, record in enumerate(read()) if place in places)


def _hash(record: Mapping[str, Any]) -> int:
    # "split" hashes the same texts in another way, so its parts do not decide what is drawn.
    text = f"drawn\0{record['id']}\0{record['input']}"
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest)
