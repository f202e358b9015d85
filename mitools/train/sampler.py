"""The order of the training records."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch.utils.data import Sampler

__all__ = ["BatchesByLength"]


class BatchesByLength(Sampler[int]):
    """Random batches, each sorted by length: for batches that are worked off in pieces.

    What a batch holds is as random as ever, and the gradient of a batch is the sum over its pieces
    however it is cut (except for the contrastive terms, which compare within a piece). So pieces of
    similar length save padding and change nothing. Whole batches of one length would: they hold
    records of one kind. On the demo, whose kinds differ in length, 600 steps of them reach 43% of
    the test labels, and the same steps in random order 95%.
    """

    def __init__(self, lengths: ArrayLike, batch_size: int, seed: int) -> None:
        self.lengths = np.asarray(lengths)
        self.batch_size = batch_size
        self.seed = seed
        self.epoch = 0

    def set_epoch(self, epoch: int) -> None:
        self.epoch = epoch

    def __len__(self) -> int:
        return len(self.lengths)

    def __iter__(self) -> Iterator[int]:
        chance = torch.Generator().manual_seed(self.seed + self.epoch)
        order = torch.randperm(len(self.lengths), generator=chance).numpy()
        for low in range(0, len(order), self.batch_size):
            batch = order[low : low + self.batch_size]
            yield from batch[np.lexsort((batch, self.lengths[batch]))].tolist()
