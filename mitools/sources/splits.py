"""The splits of a source's parts: by the names of splits of a data set, or of files.

A name tells a split if it holds exactly one of the usual words: ``train-00000-of-00002.parquet``,
``validation_matched``, ``test_r1``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["USUAL_SPLITS", "splits_by_name", "usual_splits"]

USUAL_SPLITS: Mapping[str, str] = {
    "train": "train",
    "training": "train",
    "validation": "valid",
    "valid": "valid",
    "val": "valid",
    "dev": "valid",
    "test": "test",
}
"""The split of records by the name that data sets give it."""

_WORD = re.compile(r"[a-z]+")


def usual_splits(names: list[str]) -> list[tuple[str, str | None]]:
    """Pair the names of splits with those of records; a single one has none of them."""
    if len(names) == 1:
        return [(names[0], None)]
    return [(name, _split_in(name)) for name in names]


def splits_by_name(files: Sequence[str]) -> dict[str, str]:
    """Read the splits of files from their names, or from those of their folders.

    Returns:
        The split of each file that tells one; empty unless at least two different ones are told.
    """
    found = {}
    for file in files:
        path = Path(file)
        has_word = any(word in USUAL_SPLITS for word in _words(path.name))
        split = _split_in(path.name) if has_word else USUAL_SPLITS.get(path.parent.name.lower())
        if split is not None:
            found[file] = split
    return found if len({*found.values()}) > 1 else {}


def _split_in(name: str) -> str | None:
    splits = {USUAL_SPLITS[word] for word in _words(name) if word in USUAL_SPLITS}
    return splits.pop() if len(splits) == 1 else None


def _words(name: str) -> list[str]:
    return _WORD.findall(name.lower())
