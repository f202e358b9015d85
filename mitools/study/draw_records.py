"""Which records a run trains on, validates with and is tested on.

A seed draws its own training records; those of a smaller size are among those of a larger one, and
all objectives of one seed get the same. The records of the splits valid and test are the same for
all seeds, drawn by a hash if they are limited; unless the study has folds: then all records are
dealt into parts, and each part is the test of one run.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from itertools import accumulate, chain
from pathlib import Path

from mitools.errors import DataError
from mitools.records import Reader, Record
from mitools.schema import SPLITS
from mitools.study.plan import Run, Study
from mitools.train.drawn import draw

__all__ = ["digest_of", "draw_records", "read_records"]

_MOST_VALID_SHARE = 0.1
"""Share of the records outside a fold that validate where the study sets no number."""


def read_records(path: Path) -> list[Record]:
    """Read the prepared records of a study.

    Raises:
        DataError, SourceError: a line is not a record, or the file cannot be read.
    """
    return list(Reader((str(path),), ("id", "input")))


def digest_of(path: Path) -> str:
    """A hash of a file's bytes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()[:16]


def draw_records(records: Sequence[Record], study: Study, run: Run) -> Iterator[Record]:
    """Draw the records of one run, each with its split.

    Args:
        records: all that the study has.

    Raises:
        DataError: there are fewer training records than the run asks for, or no test record.
    """
    parts = _own_parts(records) if run.fold is None else _fold(records, study, run)
    if run.fold is None:
        for split, most in (("valid", study.valid), ("test", study.test)):
            parts[split] = list(draw(parts[split].__iter__, most))
        random.Random(f"mitools study {run.seed}").shuffle(parts["train"])
    if not parts["test"]:
        hint = 'add "[split]" to the study file; records of "--records" need "mitools split" before'
        raise DataError("no record is of the split test", hint=hint)
    if run.size is not None and run.size > len(parts["train"]):
        message = f"{run.name} asks for {run.size:,} training records of {len(parts['train']):,}"
        raise DataError(message, hint='lower "sizes" in "[grid]", or load more records')
    parts["train"] = parts["train"][: run.size]
    for split, members in parts.items():
        for record in members:
            yield {**record, "split": split}


def _own_parts(records: Sequence[Record]) -> dict[str, list[Record]]:
    parts: dict[str, list[Record]] = {split: [] for split in SPLITS}
    for record in records:
        if record.get("split") in parts:
            parts[record["split"]].append(record)
    return parts


def _fold(records: Sequence[Record], study: Study, run: Run) -> dict[str, list[Record]]:
    """Deal all records into folds, another way for each seed; records of a group stay together."""
    groups: dict[str, list[Record]] = {}
    for number, record in enumerate(records):
        group = record.get("group")
        groups.setdefault(f"{number}" if group is None else f"group {group}", []).append(record)
    order = list(groups)
    random.Random(f"mitools study {run.seed}").shuffle(order)
    test: list[Record] = []
    rest: list[list[Record]] = []
    for place, name in enumerate(order):
        if place % (study.folds or 1) == run.fold:
            test.extend(groups[name])
        else:
            rest.append(groups[name])
    most = study.valid or max(1, int(sum(map(len, rest)) * _MOST_VALID_SHARE))
    count = _count_valid(rest, most)
    valid, train = (list(chain.from_iterable(part)) for part in (rest[:count], rest[count:]))
    return {"train": train, "valid": valid[:most], "test": test}


def _count_valid(groups: Sequence[Sequence[Record]], most: int) -> int:
    """Count the first groups that validate: those that fit, at least one, and never all.

    Of a first group with more records, the others are left out: the student must not train on them.
    """
    fitting = sum(total <= most for total in accumulate(map(len, groups)))
    return min(max(1, fitting), len(groups) - 1)
