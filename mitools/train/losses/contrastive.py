"""MI terms that compare the pair of a record with pairs of different records.

Pure functions on scores. A score s[i, j] is how well label i and rationale j match; higher is
better. A critic computes it, see :mod:`mitools.train.losses.critic`. B is the batch: these terms
compare the rows of one forward pass, so with gradient accumulation, or with several processes, a
row is compared with rows of its own piece only. The sums still make a mean over all pairs.

Losses are in nats, float32, and 0 for a row without anything to compare.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from mitools.train.losses.objective import SameLabel, ShapeError

__all__ = [
    "Roles",
    "barber_agakov_losses",
    "batch_entropy",
    "infonce_bound",
    "infonce_losses",
    "jsd_losses",
    "nwj_losses",
    "pair_roles",
    "same_rows",
]

_MAX_EXPONENT = 30.0
"""Largest exponent in ``nwj``: e³⁰ is beyond any useful critic and still finite."""


@dataclass(frozen=True)
class Roles:
    """Which pairs of a batch are right and which are wrong.

    Attributes:
        right: [B, B] label i and rationale j belong together.
        wrong: [B, B + W] they do not belong together. Columns beyond B are rationales known to be
            wrong.
    """

    right: Tensor
    wrong: Tensor

    @property
    def is_pair(self) -> Tensor:
        """[B], whether the row has a label and a rationale."""
        return self.right.diagonal()


def same_rows(ids: Tensor, mask: Tensor) -> Tensor:
    """Find rows with the same tokens: [B, B] bool; padded positions are ignored.

    Args:
        ids: [B, T] token ids, padded on the right.
        mask: [B, T] real tokens.
    """
    known = ids.masked_fill(mask == 0, -1)
    return (known[:, None] == known[None]).all(dim=-1)


def pair_roles(
    is_pair: Tensor, same_label: Tensor, policy: SameLabel, has_wrong: Tensor | None = None
) -> Roles:
    """Decide which pairs are right, which are wrong and which are neither.

    Two records with the same label are never a wrong pair: the rationale of one may support the
    label of the other.

    Args:
        is_pair: [B] rows with a label and a rationale; the others are excluded.
        same_label: [B, B] as from :func:`same_rows`.
        policy: ``mask`` excludes pairs with the same label, ``positive`` makes them right.
        has_wrong: [B] rows with a rationale known to be wrong; column B + i has that of row i, and
            is compared with label i alone.
    """
    both = is_pair[:, None] & is_pair[None]
    own = torch.eye(len(is_pair), dtype=torch.bool, device=is_pair.device) & both
    right = (same_label & both) | own if policy == "positive" else own
    wrong = both & ~same_label & ~own
    if has_wrong is not None:
        wrong = torch.cat([wrong, torch.diag(has_wrong & is_pair)], dim=1)
    return Roles(right, wrong)


def infonce_losses(scores: Tensor, roles: Roles) -> Tensor:
    """Cross-entropy of finding the right partner: ½ (over rows + over columns).

    Of a label i with right rationales R and wrong ones W: the mean over j in R of
    −s[i, j] + logsumexp over R and W; of a rationale likewise, among labels.

    Args:
        scores: [B, B + W] in the order of :class:`Roles`.
        roles: which pairs are right and wrong.

    Returns:
        [B] nats, lower is better; log of the number of candidates where all scores are equal, 0
        without a wrong pair (under ``mask``) or without a pair.

    Raises:
        ShapeError: the shapes of scores and roles differ.

    Source: arXiv:1807.03748; both directions as in arXiv:2103.00020; several right ones as L_out
    of arXiv:2004.11362.
    """
    _check(scores, roles)
    size = len(scores)
    row = _one_way(scores, roles.right, roles.wrong)
    # A rationale known to be wrong is right for no label, so it has no column loss.
    column = _one_way(scores[:, :size].T, roles.right.T, roles.wrong[:, :size].T)
    return (row + column) / 2


def _one_way(scores: Tensor, right: Tensor, wrong: Tensor) -> Tensor:
    wide = F.pad(right, (0, wrong.shape[1] - right.shape[1]))
    is_pair = right.any(dim=-1)
    floor = torch.finfo(scores.dtype).min
    everything = scores.masked_fill(~(wide | wrong), floor).logsumexp(dim=-1)
    count = right.sum(dim=-1).clamp(min=1)
    found = scores.masked_fill(~wide, 0).sum(dim=-1) / count
    return torch.where(is_pair, everything - found, torch.zeros_like(found))


def infonce_bound(scores: Tensor, roles: Roles) -> Tensor:
    """Compute a lower bound on the mutual information: log of the candidates − the loss.

    With one right partner a row among B it is log B − ½ (CE over rows + CE over columns), at most
    log B. Where pairs with the same label are masked, wrong pairs are not drawn from all pairs;
    then the number serves to compare runs and is not a bound.

    Returns:
        Scalar, nats, higher is better; 0 without a pair.
    """
    size = len(scores)
    wide = F.pad(roles.right, (0, roles.wrong.shape[1] - size))
    rows = (wide | roles.wrong).sum(dim=-1)
    columns = (roles.right | roles.wrong[:, :size]).sum(dim=-2)
    most = (rows.clamp(min=1).log() + columns.clamp(min=1).log()) / 2
    gains = torch.where(roles.is_pair, most - infonce_losses(scores, roles), 0)
    return gains.sum() / roles.is_pair.sum().clamp(min=1)


def jsd_losses(scores: Tensor, roles: Roles) -> Tensor:
    """Classify pairs as right or wrong: mean softplus(−s) + mean softplus(s).

    The Jensen–Shannon bound: its optimum is a monotone function of the mutual information, without
    InfoNCE's limit of log B, but its value does not estimate it.

    Args:
        scores: [B, B + W].
        roles: which pairs are right and wrong.

    Returns:
        [B] nats, lower is better; 2 log 2 where all scores are 0, 0 for a row without a wrong pair.

    Source: arXiv:1606.00709, eq. 4; arXiv:1808.06670, eq. 4.
    """
    _check(scores, roles)
    size = len(scores)
    right = _mean(F.softplus(-scores[:, :size]), roles.right)
    return _where_comparable(right + _mean(F.softplus(scores), roles.wrong), roles)


def nwj_losses(scores: Tensor, roles: Roles) -> Tensor:
    """The bound I ≥ E[s] − e⁻¹ E[eˢ], negated: mean right −s + mean wrong e^(s − 1).

    Unbiased and without a limit, but with a variance that grows exponentially in the mutual
    information. The optimal critic is 1 + the log density ratio.

    Args:
        scores: [B, B + W].
        roles: which pairs are right and wrong.

    Returns:
        [B] nats, lower is better; 0 where all scores are 1, and for a row without a wrong pair.

    Source: Nguyen, Wainwright and Jordan (arXiv:0809.0853); arXiv:1905.06922, section 2.1.
    """
    _check(scores, roles)
    size = len(scores)
    wrong = _mean((scores - 1).clamp(max=_MAX_EXPONENT).exp(), roles.wrong)
    return _where_comparable(wrong - _mean(scores[:, :size], roles.right), roles)


def _mean(values: Tensor, mask: Tensor) -> Tensor:
    return values.masked_fill(~mask, 0).sum(dim=-1) / mask.sum(dim=-1).clamp(min=1)


def _where_comparable(losses: Tensor, roles: Roles) -> Tensor:
    is_comparable = roles.is_pair & roles.wrong.any(dim=-1)
    return torch.where(is_comparable, losses, torch.zeros_like(losses))


def barber_agakov_losses(log_q: Tensor, log_r: Tensor, is_pair: Tensor) -> Tensor:
    """Compute the cross-entropy of the label's distribution q̄ and its prediction.

    I ≥ H(q̄) − this, for every predictor; H as from :func:`batch_entropy`.

    Args:
        log_q: [B, V] pooled label distributions.
        log_r: [B, V] their predictions from the rationale alone.
        is_pair: [B] rows with a label and a rationale.

    Returns:
        [B] nats, lower is better; 0 for a row that is not a pair.

    Source: Barber and Agakov, "The IM algorithm", NIPS 2003.
    """
    losses = -(log_q.exp() * log_r).sum(dim=-1)
    return torch.where(is_pair, losses, torch.zeros_like(losses))


def batch_entropy(log_q: Tensor, is_pair: Tensor) -> Tensor:
    """Compute the entropy of the mean label distribution of a batch.

    Returns:
        Scalar, nats, at most log V; 0 without a pair. With few rows it underestimates the entropy
        of the label's distribution, which cannot exceed log of the number of rows here.
    """
    if not bool(is_pair.any()):
        return log_q.sum() * 0
    mean = log_q[is_pair].logsumexp(dim=0) - is_pair.sum().log()
    return -(mean.exp() * mean).sum()


def _check(scores: Tensor, roles: Roles) -> None:
    fits = scores.shape == roles.wrong.shape and roles.right.shape == (len(scores), len(scores))
    if not fits:
        shapes = f"scores {tuple(scores.shape)} and roles {tuple(roles.wrong.shape)}"
        raise ShapeError(f"{shapes} do not fit together")
