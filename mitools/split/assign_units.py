"""Assigning splits to the units of a run; records that already have a split keep it.

Works on arrays, not on records or files.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mitools.schema import SPLITS
from mitools.split.exact_sizes import (
    assign_exact,
    assign_hashed,
    hashed_subset,
    nested_subset,
    quotas,
    strata_of,
)
from mitools.split.options import SplitOptions
from mitools.split.report import SplitSize, StratumSize, shares
from mitools.split.units import Units

__all__ = ["LEFT_OUT", "UnitAssignment"]

LEFT_OUT = -1
"""In place of a split: the record is a train record outside the subset."""

_TRAIN = SPLITS.index("train")
_COUNT = len(SPLITS)


@dataclass(frozen=True)
class UnitAssignment:
    """The assignment of splits to the records of a run.

    A record that already has a split keeps it. Where whole units are assigned, the other records of
    its unit follow it, to the split that most of them have. All other records are drawn.

    Attributes:
        units: the unit of each record.
        given: [N] the index of the split that a record already has; negative if it has none.
        strata: [N] the stratum of each record; all 0 without strata.
        options: how to split.
    """

    units: Units
    given: NDArray[np.int8]
    strata: NDArray[np.int64]
    options: SplitOptions

    @cached_property
    def _residents(self) -> NDArray[np.int64]:
        """[U, 3] records of each unit that already have a split, by split."""
        is_kept = self.given >= 0
        cells = self.units.of_record[is_kept] * _COUNT + self.given[is_kept]
        return np.bincount(cells, minlength=len(self.units) * _COUNT).reshape(-1, _COUNT)

    @property
    def straddling(self) -> int:
        """Number of units that already lie in several splits, where whole units are assigned."""
        several = (self._residents > 0).sum(axis=1) > 1
        return int(several.sum()) if self.options.assigns_units else 0

    @cached_property
    def is_follower(self) -> NDArray[np.bool_]:
        """[N] whether a record follows others of its unit."""
        if not self.options.assigns_units:
            return np.zeros(len(self.given), dtype=np.bool_)
        residents: NDArray[np.int64] = self._residents.sum(axis=1)
        return (self.given < 0) & (residents[self.units.of_record] > 0)

    @cached_property
    def is_drawn(self) -> NDArray[np.bool_]:
        """[N] whether a record's split is drawn."""
        return (self.given < 0) & ~self.is_follower

    def splits(self) -> NDArray[np.int8]:
        """Return [N] the index of each record's split."""
        # Units with a given split start there; the draw below replaces only the other units.
        chosen = self._residents.argmax(axis=1).astype(np.int8)
        owners = self.units.of_record[self.is_drawn]
        sizes = np.bincount(owners, minlength=len(self.units))
        rows = np.flatnonzero(sizes)
        places = self.units.places[rows]
        if self.options.has_exact_sizes:
            strata = self._strata_of_units(self.is_drawn)
            chosen[rows] = assign_exact(places, sizes[rows], strata[rows], self.options.fractions)
        else:
            chosen[rows] = assign_hashed(places, self.options.fractions)
        return np.where(self.given >= 0, self.given, chosen[self.units.of_record])

    def _strata_of_units(self, of_records: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return [U] the stratum of each unit, by those of its records."""
        if self.options.stratify is None:
            return np.zeros(len(self.units), dtype=np.int64)
        owners = self.units.of_record[of_records]
        return strata_of(owners, self.strata[of_records], len(self.units))

    def without_rest(self, splits: NDArray[np.int8]) -> NDArray[np.int8]:
        """Leave out the train records outside the subset.

        Returns:
            [N] ``splits``, with :data:`LEFT_OUT` for those records.
        """
        if self.options.subsample == 1:
            return splits
        is_train = splits == _TRAIN
        owners = self.units.of_record[is_train]
        sizes = np.bincount(owners, minlength=len(self.units))
        rows = np.flatnonzero(sizes)
        places = self.units.places[rows]
        is_in = np.zeros(len(self.units), dtype=np.bool_)
        if self.options.has_exact_sizes:
            strata = self._strata_of_units(is_train)
            is_in[rows] = nested_subset(places, sizes[rows], strata[rows], self.options.subsample)
        else:
            is_in[rows] = hashed_subset(places, self.options.subsample)
        return np.where(is_train & ~is_in[self.units.of_record], np.int8(LEFT_OUT), splits)

    def sizes(self, splits: NDArray[np.int8]) -> dict[str, SplitSize]:
        """Count the records and units of each split."""
        found, kept, settled = (
            np.bincount(some, minlength=_COUNT)
            for some in (splits, self.given[self.given >= 0], splits[~self.is_drawn])
        )
        drawn = self.strata[self.is_drawn]
        if self.options.has_exact_sizes:
            drawn_wanted = quotas(np.bincount(drawn).tolist(), self.options.fractions).sum(axis=0)
        else:
            drawn_wanted = np.array(list(shares(self.options.fractions).values())) * len(drawn)
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

    def stratum_sizes(self, splits: NDArray[np.int8], names: Sequence[str]) -> list[StratumSize]:
        """Count the records of each stratum by split, the largest stratum first."""
        cells = self.strata * _COUNT + splits

        def table(rows: NDArray[np.bool_]) -> NDArray[np.int64]:
            counts = np.bincount(cells[rows], minlength=len(names) * _COUNT)
            return counts.reshape(-1, _COUNT)

        found = table(np.ones(len(splits), dtype=np.bool_))
        drawn = table(self.is_drawn)
        wanted = found - drawn + quotas(drawn.sum(axis=1).tolist(), self.options.fractions)
        strata = [
            StratumSize(
                name,
                dict(zip(SPLITS, records.tolist(), strict=True)),
                dict(zip(SPLITS, quota.tolist(), strict=True)),
            )
            for name, records, quota in zip(names, found, wanted, strict=True)
        ]
        return sorted(strata, key=lambda stratum: (-stratum.total, stratum.value))
