"""The term ``name``: the choice that a rationale is about to name, and its distillation.

Just before the rationale names one of a record's C choices, the student's next token decides which.
With P the student's distribution over all tokens at that place, behind the words of the learned
rationale, m = Σ_c P(c) its probability of the first tokens of the choices, q = P / m the
distribution over the choices, and p the one by the first tokens of the labels in the predict pass,

    γ · (−log q(y) − w · log m) + β · [ q(y) > p(y) ] · KL( sg q ‖ p )

is added to the loss of each record with label y, as a mean over records with both texts. So the one
token that decides has more weight than its share of the rationale, and the predict pass learns from
it where it knows more. H(Y|X) − E[−log q(y)] is the Barber–Agakov bound on the information about
the label of the rationale before it names one. sg stops the gradient.

q does not depend on m: without the second part (w = 0) half of the rationales name no choice, and
with a large one the label gains less (recipes/study/LOG.md). w is :data:`NAMES_WEIGHT`.

B is the batch, C the most choices of a record, T a number of target positions, D the size of
decoder states, V the vocabulary.

Sources: Barber and Agakov, "The IM algorithm", NIPS 2003; arXiv:1503.02531 for distillation.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mitools.train.losses.fused import Head

__all__ = [
    "NAMES_WEIGHT",
    "Naming",
    "choice_scores",
    "compare_choices",
    "vocabulary_log_sums",
]

NAMES_WEIGHT = 0.1
"""w, the weight of the probability that any of the choices is named."""


@dataclass(frozen=True)
class Naming:
    """Losses of B records; 0 for those without the term.

    Attributes:
        losses: [B] −log q(y) − w · log m in nats.
        divergences: [B] KL(q ‖ p) in nats where q(y) > p(y), else 0; no gradient in q.
        information: [B] log q(y) − log p(y) in nats, without a gradient; below 0 where the
            rationale misleads.
        is_there: [B] records with the term.
    """

    losses: Tensor
    divergences: Tensor
    information: Tensor
    is_there: Tensor


def choice_scores(
    states: Tensor, head: Head, places: Tensor, ids: Tensor, logits: Tensor | None = None
) -> Tensor:
    """Compute the scores of a token of each choice at one position of each record.

    Args:
        states: [B, T, D] decoder states, the input of the vocabulary head.
        head: the vocabulary head.
        places: [B] positions; those outside of 0 to T − 1 become the nearest one.
        ids: [B, C] token ids; negative for a missing choice.
        logits: [B, T, V] of the same positions, where they are more than a product with the head.

    Returns:
        [B, C] in at least float32, also under autocast; of a missing choice the least finite
        number, so that its probability is 0.
    """
    known = ids.clamp(min=0)
    if logits is not None:
        scores = _at_least_float32(_at(logits, places)).gather(-1, known)
    else:
        found = _at_least_float32(_at(states, places))
        # A dense gradient of the weights would take longer than all else here; it joins that of the
        # token losses, which is dense.
        weight = F.embedding(known, head.weight, sparse=True).to(found.dtype)  # (B, C, D)
        # Products, then a sum, and not a matrix product, which autocast would round.
        scores = (found[:, None] * weight).sum(dim=-1)
        scores = scores if head.bias is None else scores + head.bias[known].to(found.dtype)
    return scores.masked_fill(ids < 0, torch.finfo(scores.dtype).min)


def vocabulary_log_sums(
    states: Tensor, head: Head, places: Tensor, logits: Tensor | None = None
) -> Tensor:
    """Compute the normalizer of the scores of all tokens at one position of each record.

    Args:
        states, head, places, logits: as in :func:`choice_scores`.

    Returns:
        [B] log Σ_v exp score(v), in at least float32, also under autocast.
    """
    if logits is not None:
        return _at_least_float32(_at(logits, places)).logsumexp(dim=-1)
    found = _at_least_float32(_at(states, places))
    bias = None if head.bias is None else head.bias.to(found.dtype)
    with torch.autocast(found.device.type, enabled=False):
        return F.linear(found, head.weight.to(found.dtype), bias).logsumexp(dim=-1)


def _at(tensor: Tensor, places: Tensor) -> Tensor:
    """Take one position of each record: [B, T, N] to [B, N]."""
    rows = torch.arange(len(places), device=tensor.device)
    return tensor[rows, places.clamp(0, tensor.shape[1] - 1)]


def _at_least_float32(tensor: Tensor) -> Tensor:
    return tensor if tensor.dtype == torch.float64 else tensor.float()


def compare_choices(
    log_q: Tensor, log_p: Tensor, log_named: Tensor, gold: Tensor, is_there: Tensor
) -> Naming:
    """Compute the losses from both distributions over choices.

    Args:
        log_q: [B, C] of what the rationale names, normalized over the choices.
        log_p: [B, C] of the label in the predict pass.
        log_named: [B] log m, of the probability that the rationale names any of the choices.
        gold: [B] index of the label among the choices.
        is_there: [B] records with the term.
    """
    of_gold = gold[:, None]
    losses = -log_q.gather(-1, of_gold)[:, 0] - NAMES_WEIGHT * log_named
    target = log_q.detach()
    gain = target.gather(-1, of_gold)[:, 0] - log_p.detach().gather(-1, of_gold)[:, 0]
    # A choice that is not there has the probability 0 in both, so its part of the sum is 0.
    divergences = (target.exp() * (target - log_p)).sum(dim=-1)
    zero = torch.zeros_like(losses)
    return Naming(
        torch.where(is_there, losses, zero),
        torch.where(is_there & (gain > 0), divergences, zero),
        torch.where(is_there, gain, zero),
        is_there,
    )
