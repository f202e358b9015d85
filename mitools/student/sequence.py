"""Both texts of a record in one target sequence, and the way back to the parts.

Pure functions on tensors; the order of the texts is the caller's.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mitools.student.codec import Pairs

__all__ = ["Joined", "join_targets"]


@dataclass(frozen=True)
class Joined:
    """B sequences that hold two targets each.

    Attributes:
        pairs: the prompts, and [B, T] the first target, its end token, and the second target.
        starts: [B] the column in which the second target begins; the first begins in column 0.
        widths: T_1 and T_2, how wide the targets were before.
    """

    pairs: Pairs
    starts: Tensor
    widths: tuple[int, int]

    def split(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Give the parts of [B, T, …] back as [B, T_1, …] and [B, T_2, …].

        Entry t of a part belongs to token t of that target; entries of padding belong to nothing.
        """
        columns = self.starts[:, None] + torch.arange(self.widths[1], device=values.device)
        rows = torch.arange(len(values), device=values.device)[:, None]
        second = values[rows, columns.clamp(max=values.shape[1] - 1)]
        return values[:, : self.widths[0]], second


def join_targets(first: Pairs, second: Pairs, end_id: int) -> Joined:
    """Put the second target of each row behind the first one.

    A first target without an end token, because it was cut or is empty, gets one: it tells the
    second where it begins, as it does when the student is asked. It belongs to neither part, so
    nobody learns to stop there.

    Args:
        first: prompts and targets of B rows.
        second: targets of the same rows; its prompts are not read.
        end_id: the end token.
    """
    lengths, more = first.target_mask.sum(dim=-1), second.target_mask.sum(dim=-1)
    last = first.target_ids.gather(1, (lengths - 1).clamp(min=0)[:, None])[:, 0]
    is_open = (lengths == 0) | (last != end_id)
    starts = lengths + is_open
    widths = first.target_ids.shape[1], second.target_ids.shape[1]
    wider = max(0, int((starts + more).max()) - widths[0])
    ids = torch.nn.functional.pad(first.target_ids, (0, wider))
    mask = torch.nn.functional.pad(first.target_mask, (0, wider))
    rows = is_open.nonzero()[:, 0]
    ids[rows, lengths[rows]], mask[rows, lengths[rows]] = end_id, 1
    rows, columns = second.target_mask.nonzero(as_tuple=True)
    ids[rows, starts[rows] + columns] = second.target_ids[rows, columns]
    mask[rows, starts[rows] + columns] = 1
    return Joined(Pairs(first.prompt_ids, first.prompt_mask, ids, mask), starts, widths)
