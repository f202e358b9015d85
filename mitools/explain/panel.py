"""A panel: the figures of one block of a summary that are read together. Computes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from mitools.explain.figure_text import Figure

__all__ = ["Panel", "PanelRow"]


@dataclass(frozen=True, slots=True)
class PanelRow:
    """One measure of a panel, with a figure or a reason for each student that has it.

    Attributes:
        direction: which direction is better, in words.
        beside: details of the first student's figure, in words.
    """

    name: str
    figures: tuple[Figure, ...]
    direction: str = ""
    beside: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """The figures of one block.

    Attributes:
        path: of the block in a summary.
        about: what the figures are.
        notes: notes on all of them, one sentence each.
        counts: number of times that a judge gave each score from 1 to 5; empty without scores.
    """

    path: str
    title: str
    about: str
    rows: tuple[PanelRow, ...]
    notes: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()
