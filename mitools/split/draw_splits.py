"""Drawing splits for the units of a run, around those that have theirs already.

Pure functions on arrays; knows no record and no file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mitools.schema import SPLITS
from mitools.split.exact import (
    assign_exact,
    assign_hashed,
    hashed_subset,
    nested_subset,
    quotas,
    strata_of,
)
from mitools.split.options import SplitOptions
from mitools.split.report import SplitSize, Stratum, shares
from mitools.split.units import Units

__all__ = ["LEFT_OUT", "Drawing"]

LEFT_OUT = -1
"""Stands for the split of a record that the subset of train is without."""

_TRAIN = SPLITS.index("train")
_COUNT = len(SPLITS)


@dataclass(frozen=True)
class Drawing:
    """What the splits of a run are drawn from.

    A record's split is drawn unless it has one already. Where units are what is divided, the other
    records of a unit follow those that have one, to where most of them are.

    Attributes:
        given: [N] the index of the split that a record has; negative where it has none.
        strata: [N] the stratum of each record; all 0 without strata.
    """

    units: Units
    given: NDArray[np.int8]
    strata: NDArray[np.int64]
    plan: SplitOptions

    @cached_property
    def _residents(self) -> NDArray[np.int64]:
        """[U, 3] records of each unit that have a split already, by split."""
        is_kept = self.given >= 0
        cells = self.units.of_record[is_kept] * _COUNT + self.given[is_kept]
        return np.bincount(cells, minlength=len(self.units) * _COUNT).reshape(-1, _COUNT)

    @property
    def straddling(self) -> int:
        """Units that lie in several splits already, where units are what is divided."""
        several = (self._residents > 0).sum(axis=1) > 1
        return int(several.sum()) if self.plan.divides_units else 0

    @cached_property
    def is_follower(self) -> NDArray[np.bool_]:
        """[N] whether a record goes where others of its unit already are."""
        if not self.plan.divides_units:
            return np.zeros(len(self.given), dtype=np.bool_)
        residents: NDArray[np.int64] = self._residents.sum(axis=1)
        return (self.given < 0) & (residents[self.units.of_record] > 0)

    @cached_property
    def is_drawn(self) -> NDArray[np.bool_]:
        """[N] whether a record's split is drawn."""
        return (self.given < 0) & ~self.is_follower

    def splits(self) -> NDArray[np.int8]:
        """Decide for every record; [N] the index of its split."""
        chosen = self._residents.argmax(axis=1).astype(np.int8)
        owners = self.units.of_record[self.is_drawn]
        sizes = np.bincount(owners, minlength=len(self.units))
        rows = np.flatnonzero(sizes)
        places = self.units.places[rows]
        if self.plan.sizes_are_exact:
            strata = self._strata_of_units(self.is_drawn)
            chosen[rows] = assign_exact(places, sizes[rows], strata[rows], self.plan.fractions)
        else:
            chosen[rows] = assign_hashed(places, self.plan.fractions)
        return np.where(self.given >= 0, self.given, chosen[self.units.of_record])

    def _strata_of_units(self, of_records: NDArray[np.bool_]) -> NDArray[np.int64]:
        """[U] the stratum that each unit counts for, by some of its records."""
        if self.plan.stratify is None:
            return np.zeros(len(self.units), dtype=np.int64)
        owners = self.units.of_record[of_records]
        return strata_of(owners, self.strata[of_records], len(self.units))

    def without_rest(self, splits: NDArray[np.int8]) -> NDArray[np.int8]:
        """Leave out the train records that the subset is without.

        Returns:
            [N] as ``splits``, but :data:`LEFT_OUT` for those.
        """
        if self.plan.subsample == 1:
            return splits
        is_train = splits == _TRAIN
        owners = self.units.of_record[is_train]
        sizes = np.bincount(owners, minlength=len(self.units))
        rows = np.flatnonzero(sizes)
        places = self.units.places[rows]
        is_in = np.zeros(len(self.units), dtype=np.bool_)
        if self.plan.sizes_are_exact:
            strata = self._strata_of_units(is_train)
            is_in[rows] = nested_subset(places, sizes[rows], strata[rows], self.plan.subsample)
        else:
            is_in[rows] = hashed_subset(places, self.plan.subsample)
        return np.where(is_train & ~is_in[self.units.of_record], np.int8(LEFT_OUT), splits)

    def sizes(self, splits: NDArray[np.int8]) -> dict[str, SplitSize]:
        """Measure the splits."""
        found, kept, settled = (
            np.bincount(some, minlength=_COUNT)
            for some in (splits, self.given[self.given >= 0], splits[~self.is_drawn])
        )
        drawn = self.strata[self.is_drawn]
        if self.plan.sizes_are_exact:
            drawn_wanted = quotas(np.bincount(drawn).tolist(), self.plan.fractions).sum(axis=0)
        else:
            drawn_wanted = np.array(list(shares(self.plan.fractions).values())) * len(drawn)
        in_units = np.unique(self.units.of_record * _COUNT + splits) % _COUNT
        groups = np.bincount(in_units, minlength=_COUNT)
        return {
            name: SplitSize(
                records=int(found[code]),
                wanted=float(settled[code] + drawn_wanted[code]),
                kept=int(kept[code]),
                groups=int(groups[code]),
            )
            for code, name in enumerate(SPLITS)
        }

    def stratum_sizes(self, splits: NDArray[np.int8], names: Sequence[str]) -> list[Stratum]:
        """Measure the strata, the largest first."""
        cells = self.strata * _COUNT + splits

        def table(rows: NDArray[np.bool_]) -> NDArray[np.int64]:
            counts = np.bincount(cells[rows], minlength=len(names) * _COUNT)
            return counts.reshape(-1, _COUNT)

        found = table(np.ones(len(splits), dtype=np.bool_))
        drawn = table(self.is_drawn)
        wanted = found - drawn + quotas(drawn.sum(axis=1).tolist(), self.plan.fractions)
        strata = [
            Stratum(
                name,
                dict(zip(SPLITS, records.tolist(), strict=True)),
                dict(zip(SPLITS, quota.tolist(), strict=True)),
            )
            for name, records, quota in zip(names, found, wanted, strict=True)
        ]
        return sorted(strata, key=lambda stratum: (-stratum.total, stratum.value))
