"""Both texts of a record joined into one target sequence, and split again.

Pure functions on tensors; the caller chooses the order of the texts.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from mitools.student.codec import Pairs

__all__ = ["Joined", "join_targets"]


@dataclass(frozen=True)
class Joined:
    """B sequences of two targets each.

    Attributes:
        pairs: the prompts, and [B, T] the first target, its end token, and the second target.
        starts: [B] the column in which the second target begins; the first begins in column 0.
        widths: T_1 and T_2, the widths of the separate targets.
    """

    pairs: Pairs
    starts: Tensor
    widths: tuple[int, int]

    def split(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """Split [B, T, …] into the parts of both targets, [B, T_1, …] and [B, T_2, …].

        Entry t of a part belongs to token t of that target; entries at padding have no meaning.
        """
        columns = self.starts[:, None] + torch.arange(self.widths[1], device=values.device)
        rows = torch.arange(len(values), device=values.device)[:, None]
        second = values[rows, columns.clamp(max=values.shape[1] - 1)]
        return values[:, : self.widths[0]], second


def join_targets(first: Pairs, second: Pairs, end_id: int) -> Joined:
    """Append the second target of each row to the first one.

    A first target without an end token, because it was cut or is empty, gets one, as in inference.
    That token belongs to neither part, so the student does not learn to stop there.

    Args:
        first: prompts and targets of B rows.
        second: targets of the same rows; its prompts are ignored.
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
