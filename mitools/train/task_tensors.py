"""One task of B records as tensors, and the counts that normalize the losses of a batch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from mitools.student.codec import Pairs
from mitools.train.fill import FILLS

__all__ = [
    "COUNTS",
    "LOSS_COUNTS",
    "Task",
    "count_targets",
    "counting_rows",
    "find_pairs",
    "pairs_of",
    "soft_of",
    "weights_of",
    "with_soft",
    "word_mask",
]

COUNTS = ("label_tokens", "rationale_tokens", "pairs", "rows", "conclusion_tokens")
LOSS_COUNTS: Mapping[str, str] = {
    "label_loss": "label_tokens",
    "rationale_loss": "rationale_tokens",
    "conclusion_loss": "conclusion_tokens",
    "naming_loss": "pairs",
    "mi_loss": "pairs",
}
"""The count that normalizes each loss; ``mi_loss`` of some terms has another one, see
:attr:`mitools.train.losses.objective.Objective.mi_count`."""

Task = dict[str, Tensor]
"""The fields of a :class:`Pairs` for one task of B records. Optional: ``weights`` [B], else all are
1; ``label_words`` [B, T], 1 on tokens of a rationale that belong to words of the label; ``fills``
[B] bool, whether a row only fills the batch, see :mod:`mitools.train.fill`; ``name_places`` and so
on, see :func:`mitools.train.naming.naming_tensors`; and ``soft_prompt_ids`` and so on, see
:func:`soft_of`."""

_SOFT = "soft_"
_FIELDS = ("prompt_ids", "prompt_mask", "target_ids", "target_mask")


def pairs_of(task: Task) -> Pairs:
    """Return the prompts and targets of a task."""
    return Pairs(*(task[name] for name in _FIELDS))


def count_targets(label: Task, rationale: Task | None, end_id: int) -> Tensor:
    """Count what normalizes the losses of a batch, in the order of :data:`COUNTS`: [5] float64.

    Tokens and pairs count with their record's weight; those of soft labels, if there are any, are
    the label tokens, each with its share. A pair, and each token of a label that is
    read behind a rationale, has the weight of its rationale. Rows that fill a batch do not count.
    """
    rows = counting_rows(label).sum().double()
    lengths = label["target_mask"].sum(dim=-1)  # (B)
    label_tokens = (lengths * weights_of(label)).sum()
    if (soft := soft_of(label)) is not None:
        label_tokens = (soft["target_mask"].sum(dim=-1) * weights_of(soft)).sum()
    if rationale is None:
        none = torch.zeros_like(rows)
        return torch.stack([label_tokens, none, none, rows, none])
    rationale_tokens = (rationale["target_mask"].sum(dim=-1) * weights_of(rationale)).sum()
    pair_weights = find_pairs(label, rationale, end_id) * weights_of(rationale)
    conclusion_tokens = (lengths * pair_weights).sum()
    return torch.stack(
        [label_tokens, rationale_tokens, pair_weights.sum(), rows, conclusion_tokens]
    )


def counting_rows(label: Task) -> Tensor:
    """Find the rows of a label task that do not only fill the batch: [B] bool."""
    if FILLS in label:
        return ~label[FILLS]
    return label["target_mask"].new_ones(len(label["target_mask"]), dtype=torch.bool)


def with_soft(label: Task, soft: Task) -> Task:
    """Add the rows of soft labels to a label task; :func:`soft_of` returns them."""
    return {**label, **{f"{_SOFT}{name}": tensor for name, tensor in soft.items()}}


def soft_of(label: Task) -> Task | None:
    """Return the task that stands for the losses of a label task with soft labels, else None.

    It has a row for each label of each distribution, in any order, with its share as weight.
    """
    found = {
        name.removeprefix(_SOFT): tensor for name, tensor in label.items() if name.startswith(_SOFT)
    }
    return found or None


def weights_of(task: Task) -> Tensor:
    """Return the weights of a task's records: [B] float64."""
    weights = task.get("weights")
    size = len(task["target_ids"])
    return task["target_mask"].new_ones(size).double() if weights is None else weights.double()


def find_pairs(label: Task, rationale: Task, end_id: int) -> Tensor:
    """Find the records with words in both targets: [B] bool."""
    return word_mask(label, end_id).any(dim=-1) & word_mask(rationale, end_id).any(dim=-1)


def word_mask(task: Task, end_id: int) -> Tensor:
    """Find the target positions that are neither padding nor an end token: [B, T] bool."""
    return task["target_mask"].bool() & (task["target_ids"] != end_id)
