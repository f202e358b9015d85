"""The splits of a source's parts: by the names of splits of a data set, or of files."""

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
    """Pair the names of splits with those of records; a single one is none of them."""
    if len(names) == 1:
        return [(names[0], None)]
    return [(name, USUAL_SPLITS.get(name)) for name in names]


def splits_by_name(files: Sequence[str]) -> dict[str, str]:
    """Read the splits of files from their names, such as ``dev-00000-of-00002.parquet``.

    Returns:
        The split of each file; empty unless every name has exactly one, and they differ.
    """
    found = {}
    for file in files:
        words = _WORD.findall(Path(file).name.lower())
        splits = {USUAL_SPLITS[word] for word in words if word in USUAL_SPLITS}
        if len(splits) != 1:
            return {}
        found[file] = splits.pop()
    return found if len({*found.values()}) > 1 else {}
