"""The training objective: pure functions on tensors, no model, no file, no trainer.

    L = α · label_loss + (1 − α) · rationale_loss + β · mi_loss

B is the batch, T the target length (T_l of labels, T_r of rationales), V the vocabulary. A mask
[B, T] is 1 (or true) on real tokens. Losses are in nats and in float32 whatever the logits are.

Sums and counts are kept apart, so that a batch that is processed in pieces, or by several
processes, has exactly the gradient of the whole: divide each sum by the count over all pieces.

This module has the losses of single records. Which of them are summed is in
:mod:`mitools.train.losses.combination`. Terms that compare records are in
:mod:`mitools.train.losses.contrastive`, and the term that reads the label behind the rationale is
in :mod:`mitools.train.losses.conclude`. :mod:`mitools.train.losses.fused` computes the same results
as this module without [B, T, V] tensors.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from mitools.train.choices import (
    CONTRASTIVE_TERMS,
    DIVERGENCES,
    MI_TERMS,
    POOLS,
    Critic,
    Divergence,
    MiTerm,
    Pool,
    SameLabel,
)
from mitools.train.losses.combination import Objective, check_weights

__all__ = [
    "CONTRASTIVE_TERMS",
    "DIVERGENCES",
    "MI_TERMS",
    "POOLS",
    "Critic",
    "Divergence",
    "MiTerm",
    "Objective",
    "Pool",
    "SameLabel",
    "ShapeError",
    "check_weights",
    "divergence_losses",
    "maxpool_mi_losses",
    "normalize_pooled",
    "paper_mi_loss",
    "pooled_log_probs",
    "token_losses",
]


class ShapeError(ValueError):
    """Two tensors that must agree in batch or vocabulary size do not."""


def token_losses(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Compute the cross-entropy of every target token; 0 without a gradient on padding.

    Args:
        logits: [B, T, V] raw scores.
        targets: [B, T] token ids.
        mask: [B, T] real tokens.

    Returns:
        [B, T] nats, float32. Their sum over the number of real tokens is the usual mean loss.
    """
    _check(logits.shape[:2] == targets.shape == mask.shape, "logits", logits, "targets", targets)
    ignored = targets.masked_fill(mask == 0, -100)
    flat = F.cross_entropy(
        _float(logits).flatten(0, 1), ignored.flatten(), ignore_index=-100, reduction="none"
    )
    return flat.view_as(targets)


def paper_mi_loss(label_logits: Tensor, rationale_logits: Tensor) -> Tensor:
    """Compute the mutual-information term exactly as the authors' code does.

    Probabilities are maximized over *all* positions, padding included, and then passed to a
    cross-entropy that applies a second softmax. With q and p the pooled label and rationale
    probabilities of a row and S = Σ q, its value is S · logsumexp(p) − ⟨q, p⟩. Because of the
    padding, the loss of a row depends on the longest row of its batch; use ``maxpool`` unless you
    want to reproduce the paper.

    Args:
        label_logits: [B, T_l, V] raw scores; no gradient flows here.
        rationale_logits: [B, T_r, V] raw scores.

    Returns:
        Scalar, float32, mean over the batch; lower is better.

    Raises:
        ShapeError: batch or vocabulary sizes differ.

    Source: arXiv:2403.03348, section 3, and ``compute_loss`` of
    https://github.com/xinchen9/cot_distillation_ACL2024 (model_utils.py).
    """
    _check_pair(label_logits, rationale_logits)
    label_probs = label_logits.detach().float().softmax(dim=-1)
    rationale_probs = rationale_logits.float().softmax(dim=-1)
    label_pooled = label_probs.amax(dim=-2)  # (B, V)
    rationale_pooled = rationale_probs.amax(dim=-2)  # (B, V)
    return F.cross_entropy(rationale_pooled, label_pooled)


def pooled_log_probs(logits: Tensor, mask: Tensor, pool: Pool = "max") -> Tensor:
    """Pool the distributions at all positions of a target into one, in log space.

    ``max``: the maximum of a word's probability over positions; ``mean``: the mean of its
    log-probability (a geometric mean); ``logsumexp``: the mean of its probability. The result is
    normalized.

    Args:
        logits: [B, T, V] raw scores.
        mask: [B, T] positions that take part.
        pool: how positions are reduced.

    Returns:
        [B, V] log-probabilities that add up to 1, float32; uniform for a row that is all masked.
    """
    log_probs = _float(logits).log_softmax(dim=-1)
    is_out = (mask == 0)[..., None]
    if pool == "mean":
        count = mask.ne(0).sum(dim=-1, keepdim=True).clamp(min=1)
        return normalize_pooled(log_probs.masked_fill(is_out, 0).sum(dim=-2) / count)  # (B, V)
    masked = log_probs.masked_fill(is_out, torch.finfo(log_probs.dtype).min)
    return normalize_pooled(masked.amax(dim=-2) if pool == "max" else masked.logsumexp(dim=-2))


def normalize_pooled(pooled: Tensor) -> Tensor:
    """Normalize pooled scores [B, V] to log-probabilities."""
    return pooled.log_softmax(dim=-1)


def divergence_losses(log_q: Tensor, log_p: Tensor, divergence: Divergence = "ce") -> Tensor:
    """Compare the label's distribution q with the rationale's distribution p, row by row.

    ``ce``: −Σ_v q(v) log p(v). ``kl``: ``ce`` less the entropy of q, so 0 where both agree, with
    the same gradient in p. ``jsd``: half of KL(q‖m) plus half of KL(p‖m), with m the mean of both;
    symmetric and at most log 2, so a word with almost no probability in p cannot dominate.

    Args:
        log_q: [B, V] log-probabilities.
        log_p: [B, V] log-probabilities.
        divergence: the divergence to compute.

    Returns:
        [B] nats; lower is better.
    """
    q = log_q.exp()
    if divergence == "ce":
        return -(q * log_p).sum(dim=-1)
    if divergence == "kl":
        return (q * (log_q - log_p)).sum(dim=-1)
    middle = torch.logaddexp(log_q, log_p) - math.log(2)
    towards_q = (q * (log_q - middle)).sum(dim=-1)
    return (towards_q + (log_p.exp() * (log_p - middle)).sum(dim=-1)) / 2


def maxpool_mi_losses(
    label_logits: Tensor,
    label_mask: Tensor,
    rationale_logits: Tensor,
    rationale_mask: Tensor,
    pool: Pool = "max",
    divergence: Divergence = "ce",
) -> tuple[Tensor, Tensor]:
    """Compare the pooled rationale distribution p̄ with the pooled label distribution q̄.

    By default −Σ_v q̄(v) log p̄(v): the term of the paper with padding and end tokens excluded from
    the pooling, the pooled scores normalized to distributions, and no second softmax. The loss of a
    row depends on that row alone.

    Args:
        label_logits: [B, T_l, V] raw scores; no gradient flows here.
        label_mask: [B, T_l] label positions that take part (no padding, no end token).
        rationale_logits: [B, T_r, V] raw scores.
        rationale_mask: [B, T_r] likewise.
        pool: see :func:`pooled_log_probs`.
        divergence: see :func:`divergence_losses`.

    Returns:
        [B] nats, 0 for a row without a label or a rationale; [B] whether the row has both.

    Raises:
        ShapeError: batch or vocabulary sizes differ.
    """
    _check_pair(label_logits, rationale_logits)
    log_q = pooled_log_probs(label_logits.detach(), label_mask, pool)
    log_p = pooled_log_probs(rationale_logits, rationale_mask, pool)
    is_pair = label_mask.bool().any(dim=-1) & rationale_mask.bool().any(dim=-1)
    losses = divergence_losses(log_q, log_p, divergence)
    return torch.where(is_pair, losses, torch.zeros_like(losses)), is_pair


def _float(tensor: Tensor) -> Tensor:
    """Convert to at least float32: half precision is too coarse for a loss."""
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def _check_pair(left: Tensor, right: Tensor) -> None:
    same = left.shape[0] == right.shape[0] and left.shape[-1] == right.shape[-1]
    _check(same, "label_logits", left, "rationale_logits", right)


def _check(is_ok: bool, name: str, tensor: Tensor, other_name: str, other: Tensor) -> None:
    if not is_ok:
        shapes = f"{name} {tuple(tensor.shape)} and {other_name} {tuple(other.shape)}"
        raise ShapeError(f"{shapes} do not fit together")
