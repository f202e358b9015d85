"""The options of a split, their defaults and their checks."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, get_args

from mitools.errors import UsageError
from mitools.schema import SPLITS
from mitools.split.by_hash import Fractions, check_subsample

__all__ = ["DEDUP_MODES", "DedupMode", "NearDuplicateRule", "SplitOptions"]

DedupMode = Literal["exact", "near"]
DEDUP_MODES: tuple[str, ...] = get_args(DedupMode)


@dataclass(frozen=True)
class NearDuplicateRule:
    """When two inputs are near-duplicates.

    Attributes:
        threshold: the least Jaccard similarity of their sets of shingles.
        shingle_chars: characters per shingle.

    Raises:
        UsageError: the threshold is not above 0 and at most 1, or a shingle has no characters.
    """

    threshold: float
    shingle_chars: int

    def __post_init__(self) -> None:
        if not 0 < self.threshold <= 1:
            message = f"--threshold must be above 0 and at most 1, not {self.threshold:g}"
            raise UsageError(message, hint="try --threshold 0.8")
        if self.shingle_chars < 1:
            message = f"--shingle-chars must be at least 1, not {self.shingle_chars}"
            raise UsageError(message, hint="try --shingle-chars 5")


@dataclass(frozen=True)
class SplitOptions:
    """How to split records. The names are those of the options of ``mitools split``.

    Attributes:
        test: share of the test split, 0 to 1.
        valid: share of the validation split, 0 to 1; train gets the rest.
        reassign: assign again the records that already have a split; otherwise they keep it.
        reassign_split: assign again the records of this split only. Data that comes as train and
            test gets validation records with ``train`` here and ``test=0``.
        exact: exact split sizes, instead of sizes in expectation.
        stratify: dotted path of a field whose values keep the same shares in every split; implies
            ``exact``.
        dedup: keep records with equal (``exact``) or similar (``near``) inputs in one split.
        threshold: least Jaccard similarity of near-duplicate inputs.
        shingle_chars: characters per shingle. Five suit questions of a few sentences: one changed
            word changes as many shingles as it has letters, plus four.
        subsample: share of the train records to pass on; a larger subset contains every smaller
            one.
        against: files to compare the valid and test inputs with; overlaps are reported.
        ngram_words: words per n-gram of that comparison; 13 is the most that its source uses, see
            :mod:`mitools.split.ngrams`.
        select: the splits to pass on.
        seed: seed of the hash.

    Raises:
        UsageError: a value is out of its range.
    """

    test: float = 0.1
    valid: float = 0.1
    reassign: bool = False
    reassign_split: str | None = None
    exact: bool = False
    stratify: str | None = None
    dedup: DedupMode | None = None
    threshold: float = 0.8
    shingle_chars: int = 5
    subsample: float = 1.0
    against: tuple[str, ...] = ()
    ngram_words: int = 13
    select: tuple[str, ...] = SPLITS
    seed: int = 0

    def __post_init__(self) -> None:
        # Both check their ranges.
        self.fractions  # noqa: B018
        self.near_duplicates  # noqa: B018
        check_subsample(self.subsample)
        if self.ngram_words < 1:
            message = f"--ngram-words must be at least 1, not {self.ngram_words}"
            raise UsageError(message, hint="try --ngram-words 13")
        named = [("--select", name) for name in self.select]
        if self.reassign_split is not None:
            named.append(("--reassign-split", self.reassign_split))
        for option, name in named:
            if name not in SPLITS:
                hint = f"choose from {', '.join(SPLITS)}"
                raise UsageError(f'{option}: "{name}" is not a split', hint=hint)
        if self.reassign and self.reassign_split is not None:
            message = "--reassign assigns every record again, --reassign-split those of one split"
            raise UsageError(message, hint="leave one of them out")

    def check(self, given: Collection[str] = ()) -> None:
        """Check that no option is without effect.

        Args:
            given: names of the fields that the user has set for this run. The default of another
                field, or its value in a recipe, may be without effect.

        Raises:
            UsageError: a field of ``given`` needs another option.
        """
        needs = {
            "threshold": ("--dedup near", self.dedup == "near"),
            "shingle_chars": ("--dedup near", self.dedup == "near"),
            "ngram_words": ("--against", bool(self.against)),
        }
        for name, (needed, is_set) in needs.items():
            if name in given and not is_set:
                message = f"--{name.replace('_', '-')} has no effect without {needed}"
                raise UsageError(message, hint=f"add {needed}")

    @property
    def fractions(self) -> Fractions:
        """The shares of test and valid."""
        return Fractions(self.test, self.valid)

    @property
    def reassigned(self) -> tuple[str, ...]:
        """The splits whose records are assigned again."""
        if self.reassign:
            return SPLITS
        return () if self.reassign_split is None else (self.reassign_split,)

    @property
    def near_duplicates(self) -> NearDuplicateRule:
        """When two inputs are near-duplicates."""
        return NearDuplicateRule(self.threshold, self.shingle_chars)

    @property
    def has_exact_sizes(self) -> bool:
        """Whether the split sizes are exact."""
        return self.exact or self.stratify is not None

    @property
    def assigns_units(self) -> bool:
        """Whether whole units are assigned: a split then depends on more than a record's key."""
        return self.has_exact_sizes or self.dedup is not None

    @property
    def reads_twice(self) -> bool:
        """Whether all records are read before the first one is passed on."""
        return self.assigns_units or bool(self.against)
