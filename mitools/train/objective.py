"""The training objective: pure functions on tensors, no model, no file, no trainer.

    L = α · label_loss + (1 − α) · rationale_loss + β · mi_loss

B is the batch, T the target length (T_l of labels, T_r of rationales), V the vocabulary. A mask
[B, T] is 1 (or true) on real tokens. Losses are in nats and in float32 whatever the logits are.

Sums and counts are kept apart, so that a batch that is worked off in pieces, or by several
processes, has exactly the gradient of the whole: divide each sum by the count over all pieces.
"""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from mitools.errors import UsageError

__all__ = [
    "MI_TERMS",
    "MiTerm",
    "ShapeError",
    "check_weights",
    "maxpool_mi_losses",
    "paper_mi_loss",
    "pooled_log_probs",
    "token_losses",
]

MiTerm = Literal["none", "paper", "maxpool"]
MI_TERMS: tuple[MiTerm, ...] = ("none", "paper", "maxpool")


class ShapeError(ValueError):
    """Two tensors that must agree in batch or vocabulary size do not."""


def check_weights(alpha: float, beta: float, mi: MiTerm) -> None:
    """Refuse weights under which the objective makes no sense.

    Raises:
        UsageError: α outside [0, 1], negative β, or a mutual-information term without a rationale
            task to inform.
    """
    if not 0 <= alpha <= 1:
        raise UsageError(f"--alpha {alpha} is no share", hint="choose a number from 0 to 1")
    if beta < 0:
        raise UsageError(f"--beta {beta} would minimize the mutual information", hint="use >= 0")
    if alpha == 1 and mi != "none" and beta > 0:
        message = "--alpha 1 leaves the rationale task out, so there is nothing to inform"
        raise UsageError(message, hint='add "--mi none", or choose a smaller --alpha')


def token_losses(logits: Tensor, targets: Tensor, mask: Tensor) -> Tensor:
    """Cross-entropy of every target token; 0 on padding, through which no gradient flows.

    Args:
        logits: [B, T, V] raw scores.
        targets: [B, T] token ids.
        mask: [B, T] real tokens.

    Returns:
        [B, T] nats, float32. Their sum over the count of real tokens is the usual mean loss.
    """
    _check(logits.shape[:2] == targets.shape == mask.shape, "logits", logits, "targets", targets)
    ignored = targets.masked_fill(mask == 0, -100)
    flat = F.cross_entropy(
        logits.flatten(0, 1).float(), ignored.flatten(), ignore_index=-100, reduction="none"
    )
    return flat.view_as(targets)


def paper_mi_loss(label_logits: Tensor, rationale_logits: Tensor) -> Tensor:
    """The mutual-information term exactly as the authors' code computes it.

    Probabilities are maximized over *all* positions, padding included, and the results are handed
    to a cross-entropy that applies a softmax once more. With q and p the pooled label and rationale
    probabilities of a row and S = Σ q, its value is S · logsumexp(p) − ⟨q, p⟩. Because padding
    takes part, a row's loss depends on the longest row of its batch; use ``maxpool`` unless you
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


def pooled_log_probs(logits: Tensor, mask: Tensor) -> Tensor:
    """Log-probability of each word being said anywhere in the target: max over real positions.

    Args:
        logits: [B, T, V] raw scores.
        mask: [B, T] positions that take part.

    Returns:
        [B, V] log-probabilities that add up to 1, float32; uniform for a row that is all masked.
    """
    log_probs = logits.float().log_softmax(dim=-1)
    floor = torch.finfo(log_probs.dtype).min
    highest = log_probs.masked_fill((mask == 0)[..., None], floor).amax(dim=-2)  # (B, V)
    return highest.log_softmax(dim=-1)


def maxpool_mi_losses(
    label_logits: Tensor, label_mask: Tensor, rationale_logits: Tensor, rationale_mask: Tensor
) -> tuple[Tensor, Tensor]:
    """Cross-entropy from the pooled label distribution q̄ to the pooled rationale distribution p̄.

    −Σ_v q̄(v) log p̄(v): the paper's idea, with padding and end tokens left out of the pooling, the
    pooled scores normalized to distributions, and no second softmax. A row's loss depends on
    nothing but that row.

    Args:
        label_logits: [B, T_l, V] raw scores; no gradient flows here.
        label_mask: [B, T_l] label positions that take part (no padding, no end token).
        rationale_logits: [B, T_r, V] raw scores.
        rationale_mask: [B, T_r] likewise.

    Returns:
        [B] nats, 0 for a row without a label or without a rationale; [B] whether the row counts.

    Raises:
        ShapeError: batch or vocabulary sizes differ.
    """
    _check_pair(label_logits, rationale_logits)
    q = pooled_log_probs(label_logits.detach(), label_mask).exp()
    log_p = pooled_log_probs(rationale_logits, rationale_mask)
    is_pair = label_mask.bool().any(dim=-1) & rationale_mask.bool().any(dim=-1)
    losses = -(q * log_p).sum(dim=-1)
    return torch.where(is_pair, losses, torch.zeros_like(losses)), is_pair


def _check_pair(left: Tensor, right: Tensor) -> None:
    same = left.shape[0] == right.shape[0] and left.shape[-1] == right.shape[-1]
    _check(same, "label_logits", left, "rationale_logits", right)


def _check(is_ok: bool, name: str, tensor: Tensor, other_name: str, other: Tensor) -> None:
    if not is_ok:
        shapes = f"{name} {tuple(tensor.shape)} and {other_name} {tuple(other.shape)}"
        raise ShapeError(f"{shapes} do not fit together")
