"""Which records choose the threshold, fit a confidence, or are evaluated.

A record serves for one of these: a threshold that is chosen on the records that a confidence was
fitted on would promise too much.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal, get_args

from mitools.operating.confidence import FITTED, NEEDS_RATIONALE, ConfidenceName
from mitools.records import Record

__all__ = ["CALIBRATED_ON", "CalibratedOn", "Role", "Roles", "is_in_first_half", "role_in"]

Role = Literal["calibration", "fitting"]
"""What a record served for that is in no figure: it chose the threshold, or fitted a parameter."""

CalibratedOn = Literal["valid", "test"]
CALIBRATED_ON: tuple[CalibratedOn, ...] = get_args(CalibratedOn)
"""Where the threshold is chosen: on the valid split, or on half of the test split."""


@dataclass(frozen=True, slots=True)
class Roles:
    """How records are divided.

    Attributes:
        is_asked: whether a threshold is chosen at all.
        confidence: the confidence that it is chosen for.
        calibrate_on: the split that it is chosen on.
        fits_weight: whether a weight of the readings is fitted too, on valid records.
    """

    is_asked: bool
    confidence: ConfidenceName
    calibrate_on: CalibratedOn
    fits_weight: bool

    @property
    def halves_valid(self) -> bool:
        """Whether the valid records are divided: half of them fit, the others calibrate."""
        fits = self.fits_weight or self.confidence in FITTED
        return self.is_asked and fits and self.calibrate_on == "valid"

    @property
    def uses_valid(self) -> bool:
        """Whether valid records choose the threshold, or fit its confidence."""
        return self.is_asked and (self.calibrate_on == "valid" or self.confidence in FITTED)

    @property
    def reads_rationale(self) -> bool:
        """Whether calibration records need a rationale."""
        return self.is_asked and self.confidence in NEEDS_RATIONALE

    def calibrates(self, record: Record) -> bool:
        """Return whether the threshold is chosen on a record."""
        if not self.is_asked:
            return False
        split = record.get("split")
        if self.calibrate_on == "test":
            return split in (None, "test") and is_in_first_half(record)
        return split == "valid" and not (self.halves_valid and is_in_first_half(record))

    def fits(self, record: Record) -> bool:
        """Return whether a weight, or parameters of the confidence, may be fitted on a record."""
        if record.get("split") != "valid":
            return False
        return not self.halves_valid or is_in_first_half(record)


def role_in(record: Record) -> Role | None:
    """Return the role that ``eval`` wrote into a judged record; None where it was evaluated."""
    role: Role | None = (record.get("scores") or {}).get("role")
    return role


def is_in_first_half(record: Record) -> bool:
    """Divide records in two by a hash: those of a group, or with the same input, stay together."""
    group = record.get("group")
    text = f"input\0{record.get('input')}" if group is None else f"group\0{group}"
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return digest[0] < 128
