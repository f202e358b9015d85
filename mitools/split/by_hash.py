"""Splits by hash: a pure function of a record's key, the fractions and the seed.

A key is hashed to a number u in [0, 1). Test takes the numbers from 0 up, valid those from 1 down,
and train the numbers between. So a record's split does not depend on other records: adding or
reordering records never changes it, and a larger test split contains every smaller one. A pass over
the records needs constant memory.

A nested subset of train is drawn by a second hash, of the first number. It is therefore independent
of the bounds of train.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from mitools.errors import InvalidFieldError, MissingFieldError, UsageError
from mitools.records import Record
from mitools.schema import SPLITS

__all__ = [
    "SCALE",
    "Fractions",
    "HashSplitter",
    "check_subsample",
    "is_in_subset",
    "kept_split",
    "normalized_input",
    "position",
    "rehash",
    "split_key",
]

SCALE = 2**64
"""Places lie between 0 (inclusive) and this (exclusive)."""


def position(key: str, seed: int) -> int:
    """Hash a key to a place between 0 (inclusive) and 2^64 (exclusive), uniformly.

    BLAKE2b with a digest of 8 bytes over the seed in decimal, a zero byte and the key in UTF-8,
    read as a big-endian integer. This must never change: it would move records between splits.
    """
    return _hash(f"{seed}\0{key}")


def rehash(place: int, purpose: str) -> int:
    """Hash a place to a second place, uniform and independent of the first.

    The hashed text is the purpose, a zero byte and the place as 16 hexadecimal digits. Different
    purposes give independent places.
    """
    return _hash(f"{purpose}\0{place:016x}")


def _hash(text: str) -> int:
    raw = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), "big")


def is_in_subset(place: int, fraction: float) -> bool:
    """Return whether a place is in the subset of this size; then every larger one has it too."""
    return rehash(place, "subsample") < int(fraction * SCALE)


def check_subsample(fraction: float) -> None:
    """Raise :class:`UsageError` unless the size of a subset is above 0 and at most 1."""
    if not 0 < fraction <= 1:
        message = f"--subsample must be above 0 and at most 1, not {fraction:g}"
        raise UsageError(message, hint="try --subsample 0.1")


def normalized_input(text: str) -> str:
    """Normalize case, white space and compatibility characters of an input.

    Separate from the normalization of labels: that one may improve, this one must never change.
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def split_key(record: Record) -> str:
    """Return the key that decides the split: the group, else the input, else the id of a record.

    Records of one question (several rationales, paraphrases) share their input or their group.

    Raises:
        MissingFieldError: the record has none of the three.
    """
    for name in ("group", "input", "id"):
        value = record.get(name)
        if value is not None:
            return normalized_input(value) if name == "input" else str(value)
    raise MissingFieldError('field "group" or "input" or "id" is missing')


def kept_split(record: Record, reassigned: Collection[str]) -> str | None:
    """Return the split that a record has and keeps; None if it is to be assigned.

    Raises:
        InvalidFieldError: it has another one than train, valid or test.
    """
    split: str | None = record.get("split")
    if split is None or split in reassigned:
        return None
    if split not in SPLITS:
        message = f'field "split" must be one of {", ".join(SPLITS)}, not {json.dumps(split)}'
        raise InvalidFieldError(message, hint="change it, or remove the field to assign a split")
    return split


@dataclass(frozen=True)
class Fractions:
    """The shares of test and valid; train gets the rest.

    Raises:
        UsageError: a fraction is not between 0 and 1, or their sum is more than 1.
    """

    test: float
    valid: float

    def __post_init__(self) -> None:
        for name in ("test", "valid"):
            if not 0 <= getattr(self, name) <= 1:
                message = f"--{name} must be between 0 and 1, not {getattr(self, name):g}"
                raise UsageError(message, hint=f"try --{name} 0.1")
        if self.test + self.valid > 1:
            total = f"{self.test:g} + {self.valid:g}"
            message = f"the shares of test and valid add up to more than 1 ({total})"
            raise UsageError(message, hint="lower --test or --valid")

    def split_at(self, place: int) -> str:
        """Return the split of a place between 0 and 2^64."""
        # Whole numbers: as a float, 1 - 2^-64 would be 1 and lie in no split.
        if place < int(self.test * SCALE):
            return "test"
        return "valid" if place >= SCALE - int(self.valid * SCALE) else "train"


@dataclass
class HashSplitter:
    """Sets the field ``split`` of records by their hash, and counts them.

    Attributes:
        reassigned: splits that are ignored where a record already has them; others are kept.
        subsample: share of the train records to pass on, as a nested subset.
        assigned: records assigned by their hash, by split.
        kept: records that already had a split, by split.
        left_out: train records outside the subset; the counts above include them.
    """

    fractions: Fractions
    seed: int = 0
    reassigned: Collection[str] = ()
    subsample: float = 1.0
    assigned: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    left_out: int = 0

    def __post_init__(self) -> None:
        check_subsample(self.subsample)

    def split(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield each record with its split, in input order, without buffering."""
        for record in records:
            given = kept_split(record, self.reassigned)
            name = given or self.fractions.split_at(self._place(record))
            (self.kept if given else self.assigned)[name] += 1
            if name == "train" and not self._is_in_subset(record):
                self.left_out += 1
            else:
                yield {**record, "split": name}

    def _place(self, record: Record) -> int:
        return position(split_key(record), self.seed)

    def _is_in_subset(self, record: Record) -> bool:
        return self.subsample == 1 or is_in_subset(self._place(record), self.subsample)
