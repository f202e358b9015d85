"""Rows that fill the last batch of an epoch, so that all processes get as many.

Otherwise the engine would fill it with records of the epoch's first batch, which then count twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from torch.utils.data import Dataset

__all__ = ["FILLS", "FilledRows", "fill_up"]

FILLS = "fills"
"""The field of a row that only fills a batch."""


def fill_up(batch: Sequence[int], piece: int, pieces: int) -> list[int]:
    """Spread the rows of a batch over pieces of one size.

    Args:
        batch: numbers of rows, the shortest one first.
        piece: rows of a forward pass.
        pieces: the number of pieces is made a multiple of this one.

    Returns:
        ``piece`` numbers for each piece, similar lengths together; a number below 0 stands for a
        row that fills, see :class:`FilledRows`.
    """
    count = -(-len(batch) // (piece * pieces)) * pieces
    bounds = [len(batch) * number // count for number in range(count + 1)]
    found: list[int] = []
    for low, high in pairwise(bounds):
        like = batch[min(low, len(batch) - 1)]
        found += [*batch[low:high], *[-1 - like] * (piece - (high - low))]
    return found


class FilledRows(Dataset[Mapping[str, Any]]):
    """Tokenized rows, and under the number -1 - n a row like row n that adds nothing to a loss.

    It has the weight 0 and no more than one target, so it is not a pair for the MI term. Its
    forward pass uses the same weights of the model as that of any other row, as several processes
    require.
    """

    def __init__(self, rows: Any) -> None:
        self.rows = rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, place: int) -> Mapping[str, Any]:
        return self.__getitems__([place])[0]

    def __getitems__(self, places: Sequence[int]) -> list[Mapping[str, Any]]:
        rows = self.rows.__getitems__([max(place, -1 - place) for place in places])
        return [
            row if place >= 0 else _filler(row) for place, row in zip(places, rows, strict=True)
        ]


def _filler(row: Mapping[str, Any]) -> dict[str, Any]:
    found = {**row, FILLS: True, "label_weight": 0.0, "rationale_weight": 0.0}
    if row["label_target"]:
        found |= {"rationale_target": [], "rationales": []}
    return {**found, "wrong_rationales": []}
