"""What a user may ask of a split, checked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from mitools.errors import UsageError
from mitools.split.assign import Fractions, check_subsample

__all__ = ["NGRAM_WORDS", "Nearness", "SplitOptions"]

NGRAM_WORDS = 13
"""The n-grams of :mod:`overlap`, whose source has 13 words as the most."""


@dataclass(frozen=True)
class Nearness:
    """When two inputs are near-duplicates.

    Attributes:
        threshold: the least Jaccard index of their sets of shingles.
        shingle_chars: characters in a shingle. Five suit questions of a few sentences: a changed
            word costs as many shingles as it has letters, and four.

    Raises:
        UsageError: the threshold is not above 0 and at most 1, or a shingle has no character.
    """

    threshold: float = 0.8
    shingle_chars: int = 5

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            message = "--threshold must lie above 0 and not above 1"
            raise UsageError(message, hint="try --threshold 0.8")
        if self.shingle_chars < 1:
            raise UsageError("--shingle-chars must be at least 1", hint="try --shingle-chars 5")


@dataclass(frozen=True)
class SplitOptions:
    """How to split a run.

    Attributes:
        reassign: ignore the split that a record already has; otherwise it is kept.
        subsample: of the train records, pass on only this nested share.
        is_exact: sizes to the record, not as chance has them.
        stratify: dotted path of a field whose values are to be spread evenly; means ``is_exact``.
        dedup: keep inputs that are the same, or nearly so, in one split.
        nearness: what "nearly" means.
        against: files whose inputs should not be in valid or test; report what is.
        ngram_words: how many words in a row two texts must share to overlap.

    Raises:
        UsageError: a number is out of its range.
    """

    fractions: Fractions = field(default_factory=Fractions)
    seed: int = 0
    reassign: bool = False
    subsample: float = 1.0
    is_exact: bool = False
    stratify: str | None = None
    dedup: Literal["exact", "near"] | None = None
    nearness: Nearness = field(default_factory=Nearness)
    against: tuple[str, ...] = ()
    ngram_words: int = NGRAM_WORDS

    def __post_init__(self) -> None:
        check_subsample(self.subsample)
        if self.ngram_words < 1:
            raise UsageError("--ngram-words must be at least 1", hint="try --ngram-words 13")

    @property
    def sizes_are_exact(self) -> bool:
        return self.is_exact or self.stratify is not None

    @property
    def divides_units(self) -> bool:
        """Whether a record's split depends on more than its own key."""
        return self.sizes_are_exact or self.dedup is not None

    @property
    def reads_twice(self) -> bool:
        return self.divides_units or bool(self.against)
