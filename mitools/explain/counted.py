"""Which records the figures of a run are of: one rule for the overview, the page and the index.

``eval`` takes records of the test split and those without a split by default. Those that chose a
threshold or fitted a parameter are in none of its figures; it marks them with a role.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Literal, get_args

from mitools.evaluate.operating.roles import role_in
from mitools.explain.summary_file import Summary
from mitools.records import Record

__all__ = ["NOT_EVALUATED", "PARTS", "Part", "part_of_summary", "parts_of", "usual_part"]

Part = Literal["evaluated", "unmarked", "whole"]
"""Records that figures are of: without a role and not of train or valid; without a role; all."""

PARTS: tuple[Part, ...] = get_args(Part)

_WITH_ROLE, _NOT_TAKEN = PARTS[2:], PARTS[1:]

NOT_EVALUATED = ("train", "valid")
"""Splits that ``eval`` does not take by default."""


def parts_of(record: Record) -> tuple[Part, ...]:
    """Return the parts that a record is in."""
    if role_in(record) is not None:
        return _WITH_ROLE
    return _NOT_TAKEN if record.get("split") in NOT_EVALUATED else PARTS


def usual_part(answered: Collection[Part]) -> Part:
    """Return the part that figures are of without a summary.

    Args:
        answered: the parts that have an answer of the student.
    """
    return next((part for part in PARTS if part in answered), "whole")


def part_of_summary(summary: Summary, sizes: Mapping[Part, int]) -> Part | None:
    """Return the part that a summary is of, by its number of records; None if none fits.

    Args:
        summary: that ``eval`` wrote. ``eval --split all`` counts every record without a role.
        sizes: number of records in each part.
    """
    count = summary.get("records")
    fitting: tuple[Part, ...] = ("unmarked", "evaluated")
    return next((part for part in fitting if sizes[part] == count), None)
