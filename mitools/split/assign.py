"""Which split a record belongs to: a pure function of its key, the fractions and the seed.

A key is hashed to a number u in [0, 1). Test takes the numbers from 0 up, valid those from 1 down,
train what lies between; so no other record has a say, a record appended or moved never changes the
split of another, and a larger test part contains the smaller one. A pass over any number of
records needs no memory.

A nested subset of train is drawn by a second hash, of the first number, so that it knows nothing of
where train begins and ends.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from mitools.errors import MissingFieldError, UsageError
from mitools.records import Record

__all__ = [
    "SCALE",
    "Fractions",
    "Splitter",
    "check_subsample",
    "is_in_subset",
    "normalized_input",
    "position",
    "rehash",
    "split_key",
]

SCALE = 2**64
"""Places lie between 0 (inclusive) and this (exclusive)."""


def position(key: str, seed: int) -> int:
    """Hash a key to a place between 0 (inclusive) and 2^64 (exclusive), evenly spread.

    BLAKE2b with a digest of 8 bytes over the seed in decimal, a zero byte and the key in UTF-8,
    read as a big-endian integer. It is a promise: another number would move people's test sets.
    """
    return _hash(f"{seed}\0{key}")


def rehash(place: int, purpose: str) -> int:
    """Hash a place once more, to a number that is as evenly spread and independent of it.

    Its text is the purpose, a zero byte and the place as 16 hexadecimal digits; each purpose has
    numbers of its own.
    """
    return _hash(f"{purpose}\0{place:016x}")


def _hash(text: str) -> int:
    raw = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(raw, digest_size=8).digest(), "big")


def is_in_subset(place: int, fraction: float) -> bool:
    """Say whether a place is in the subset of this size; every larger subset has it too."""
    return rehash(place, "subsample") < int(fraction * SCALE)


def check_subsample(fraction: float) -> None:
    """Raise :class:`UsageError` where a subset cannot be that large."""
    if not 0 < fraction <= 1:
        raise UsageError("--subsample must lie above 0 and not above 1", hint="try --subsample 0.1")


def normalized_input(text: str) -> str:
    """Reduce an input to what makes it the same question: case and white space do not.

    Kept apart from the comparison of labels, which may improve; this may not change.
    """
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def split_key(record: Record) -> str:
    """Name what must stay on one side: the group, else the input, else the id of a record.

    Several records of one question (its rationales, its paraphrases) share their input or group.

    Raises:
        MissingFieldError: it has none of the three.
    """
    for name in ("group", "input", "id"):
        value = record.get(name)
        if value is not None:
            return normalized_input(value) if name == "input" else str(value)
    raise MissingFieldError('field "group" or "input" or "id" is missing')


@dataclass(frozen=True)
class Fractions:
    """How much of the data test and valid get; train gets the rest.

    Raises:
        UsageError: a fraction is not between 0 and 1, or they add up to more than 1.
    """

    test: float = 0.1
    valid: float = 0.1

    def __post_init__(self) -> None:
        for name in ("test", "valid"):
            if not 0 <= getattr(self, name) <= 1:
                raise UsageError(f"--{name} must lie between 0 and 1", hint=f"try --{name} 0.1")
        if self.test + self.valid > 1:
            total = f"{self.test:g} + {self.valid:g}"
            message = f"test and valid take more than everything ({total})"
            raise UsageError(message, hint="lower --test or --valid")

    def split_at(self, place: int) -> str:
        """Name the split that owns a place between 0 and 2^64."""
        # Whole numbers: as a float, 1 - 2^-64 would be 1 and belong to nobody.
        if place < int(self.test * SCALE):
            return "test"
        return "valid" if place >= SCALE - int(self.valid * SCALE) else "train"


@dataclass
class Splitter:
    """Write ``split`` on records, and count.

    Attributes:
        reassign: ignore the split that a record already has; otherwise it is kept.
        subsample: of the train records, pass on only this nested share.
        assigned: how many records were put into each split by their key.
        kept: how many had theirs already, by split.
        left_out: how many train records the subset is without; they are counted in the above.
    """

    fractions: Fractions = Fractions()
    seed: int = 0
    reassign: bool = False
    subsample: float = 1.0
    assigned: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)
    left_out: int = 0

    def __post_init__(self) -> None:
        check_subsample(self.subsample)

    def split(self, records: Iterable[Record]) -> Iterator[Record]:
        """Give each record its split, in order and as it comes."""
        for record in records:
            given = None if self.reassign else record.get("split")
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
