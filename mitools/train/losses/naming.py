"""The term ``name``: the choice that a rationale is about to name, and its distillation.

Just before the rationale names one of a record's C choices, the student's next token decides which.
With q the distribution over the choices by their first tokens at that place, behind the words of
the learned rationale, and p the one by the first tokens of the labels in the predict pass,

    γ · (−log q(y)) + β · [ q(y) > p(y) ] · KL( sg q ‖ p )

is added to the loss of each record with label y, as a mean over records with both texts. So the one
token that decides has more weight than its share of the rationale, and the predict pass learns from
it where it knows more. H(Y|X) − E[−log q(y)] is the Barber–Agakov bound on the information about
the label of the rationale before it names one. sg stops the gradient.

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

__all__ = ["Naming", "choice_log_probs", "choice_scores", "compare_choices"]


@dataclass(frozen=True)
class Naming:
    """Losses of B records; 0 for those without the term.

    Attributes:
        losses: [B] −log q(y) in nats.
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
        places: [B] positions, 0 to T − 1.
        ids: [B, C] token ids.
        logits: [B, T, V] of the same positions, where they are more than a product with the head.

    Returns:
        [B, C] in at least float32, also under autocast.
    """
    rows = torch.arange(len(places), device=states.device)
    if logits is not None:
        found = logits[rows, places].gather(-1, ids)
        return found if found.dtype == torch.float64 else found.float()
    full = torch.float64 if states.dtype == torch.float64 else torch.float32
    # A dense gradient of the weights would take longer than all else here; it joins that of the
    # token losses, which is dense.
    weight = F.embedding(ids, head.weight, sparse=True).to(full)  # (B, C, D)
    # Products, then a sum, and not a matrix product, which autocast would round.
    scores = (states[rows, places][:, None].to(full) * weight).sum(dim=-1)
    return scores if head.bias is None else scores + head.bias[ids].to(full)


def choice_log_probs(scores: Tensor, is_choice: Tensor) -> Tensor:
    """Normalize scores over the choices of each record.

    Args:
        scores: [B, C].
        is_choice: [B, C] whether there is such a choice.

    Returns:
        [B, C] log-probabilities; of a missing choice, about the least finite number, so that its
        probability is 0. Uniform in a row without a choice.
    """
    least = torch.finfo(scores.dtype).min
    return scores.masked_fill(~is_choice, least).log_softmax(dim=-1)


def compare_choices(log_q: Tensor, log_p: Tensor, gold: Tensor, is_there: Tensor) -> Naming:
    """Compute the losses from both distributions over choices.

    Args:
        log_q: [B, C] of what the rationale names, as from :func:`choice_log_probs`.
        log_p: [B, C] of the label in the predict pass.
        gold: [B] index of the label among the choices.
        is_there: [B] records with the term.
    """
    of_gold = gold[:, None]
    losses = -log_q.gather(-1, of_gold)[:, 0]
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
