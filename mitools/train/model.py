"""Both tasks of a student in one module, so that every kind of parallelism sees one forward."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from mitools.student.codec import Codec, Pairs
from mitools.student.network import target_logits
from mitools.train.objective import MiTerm, maxpool_mi_losses, paper_mi_loss, token_losses

__all__ = ["COUNTS", "Task", "TwoTaskModel", "count_targets", "word_mask"]

COUNTS = ("label_tokens", "rationale_tokens", "pairs", "rows")


Task = dict[str, Tensor]
"""The fields of a :class:`Pairs`: one task of B records."""


def count_targets(label: Task, rationale: Task | None, end_id: int) -> Tensor:
    """Count what the losses of a batch are means over, as :data:`COUNTS` names it: [4] float64."""
    rows = label["target_mask"].new_tensor(len(label["target_mask"]))
    label_tokens = label["target_mask"].sum()
    if rationale is None:
        none = torch.zeros_like(rows)
        return torch.stack([label_tokens, none, none, rows]).double()
    says = [word_mask(task, end_id).any(dim=-1) for task in (label, rationale)]
    pairs = (says[0] & says[1]).sum()
    return torch.stack([label_tokens, rationale["target_mask"].sum(), pairs, rows]).double()


def word_mask(task: Task, end_id: int) -> Tensor:
    """Mark target positions that say something, neither padding nor the end: [B, T] bool."""
    return task["target_mask"].bool() & (task["target_ids"] != end_id)


class TwoTaskModel(nn.Module):
    """Compute α · label_loss + (1 − α) · rationale_loss + β · mi_loss in one forward.

    Attributes:
        student: the transformers model that is trained and saved.
    """

    def __init__(self, student: Any, codec: Codec, mi: MiTerm, alpha: float, beta: float) -> None:
        super().__init__()
        self.student = student
        self.codec = codec
        self.mi = mi
        self.alpha = alpha
        self.beta = beta
        self.end_id: int = codec.tokenizer.eos_token_id

    def forward(
        self,
        label: Task,
        rationale: Task | None = None,
        counts: Tensor | None = None,
    ) -> dict[str, Tensor]:
        """Run both tasks.

        Args:
            label: the fields of a :class:`Pairs`, B rows.
            rationale: the same records' rationale task; None trains labels only.
            counts: [4] what to divide by, as :func:`count_targets` gives it for all pieces of an
                accumulated batch together; None means this piece alone.

        Returns:
            ``loss`` and its parts ``label_loss``, ``rationale_loss``, ``mi_loss``: scalars whose
            sums over the pieces are the losses of the whole.
        """
        if counts is None:
            counts = count_targets(label, rationale, self.end_id)
        totals = counts.float().clamp(min=1).to(label["target_ids"].device)
        label_logits = target_logits(self.student, self.codec.kind, Pairs(**label))
        losses = {"label_loss": _sum_losses(label_logits, label) / totals[0]}
        loss = self.alpha * losses["label_loss"]
        if rationale is not None:
            logits = target_logits(self.student, self.codec.kind, Pairs(**rationale))
            losses["rationale_loss"] = _sum_losses(logits, rationale) / totals[1]
            loss = loss + (1 - self.alpha) * losses["rationale_loss"]
            if self.mi != "none":
                losses["mi_loss"] = self._mi_loss(label_logits, label, logits, rationale, totals)
                loss = loss + self.beta * losses["mi_loss"]
        return {"loss": loss, **{name: value.detach() for name, value in losses.items()}}

    def weigh(self, losses: Mapping[str, float]) -> float:
        """Combine both tasks' losses by α, as training does, without the MI term."""
        return self.alpha * losses["label_loss"] + (1 - self.alpha) * losses["rationale_loss"]

    def _mi_loss(
        self,
        label_logits: Tensor,
        label: Task,
        rationale_logits: Tensor,
        rationale: Task,
        totals: Tensor,
    ) -> Tensor:
        if self.mi == "paper":
            share = len(label_logits) / totals[3]
            return paper_mi_loss(label_logits, rationale_logits) * share
        label_words, rationale_words = (word_mask(t, self.end_id) for t in (label, rationale))
        losses, _ = maxpool_mi_losses(label_logits, label_words, rationale_logits, rationale_words)
        return losses.sum() / totals[2]


def _sum_losses(logits: Tensor, task: Task) -> Tensor:
    return token_losses(logits, task["target_ids"], task["target_mask"]).sum()
