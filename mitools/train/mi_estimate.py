"""A lower bound on the mutual information of label and rationale distributions.

The critic of ``infonce`` has seen the training records, and other objectives have none. So the
reported number comes from a separate probe, the same for every student and every objective but
``conclude``, which has an estimate of its own (see :mod:`mitools.train.validate`):

1. Z is the label's word distribution q̄, V the rationale's p̄, each pooled over positions by the
   maximum, as in the paper. Of both the square roots are taken (so that inner products are
   Bhattacharyya affinities) and hashed to a fixed number of features, by a fixed seed.
2. On four fifths of the records the features are whitened, and their canonical correlations ρ are
   found. The critic is the log density ratio of Gaussians with these correlations. How many
   directions it uses, and how much they are shrunk, is chosen on a part of the four fifths.
3. On the other fifth, which the critic has not seen, InfoNCE is computed; five folds are averaged.

A critic that is fixed before it sees the pairs can only underestimate, so this is a lower bound in
expectation: for this family of critics, and at most log of the fold's size. It is 0 where no
direction is useful. The control is the same procedure, fitting included, with the rationales of
other records; where it is close to the estimate, the rationale carries no information.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from mitools.train.losses.contrastive import infonce_bound, pair_roles

__all__ = ["FEATURES", "MiEstimate", "estimate_information", "sketch"]

FEATURES = 256
"""Number of hashed features of a distribution."""

FEWEST_PAIRS = 20
"""Minimum number of pairs: with fewer, a fold has too little to fit on."""

_FOLDS = 5
_RANKS = (1, 2, 4, 8, 16, 32)
_SHRINKAGES = (0.5, 0.8, 0.95)
_MAX_CORRELATION = 0.995
_RIDGE = 1e-3


@dataclass(frozen=True)
class MiEstimate:
    """The estimate of the probe in nats; higher is more.

    Attributes:
        true: with the records' own rationales.
        shuffled: with the rationales of other records.
        pairs: records with a label and a rationale.
    """

    true: float
    shuffled: float
    pairs: int

    @property
    def net(self) -> float:
        return self.true - self.shuffled


def sketch(log_probs: Tensor, seed: int = 0) -> Tensor:
    """Hash the square roots of distributions to few features that keep their inner products.

    Args:
        log_probs: [B, V].
        seed: the same seed and V give the same hash, on every machine.

    Returns:
        [B, FEATURES] float32; inner products are Bhattacharyya affinities, but for the noise of
        words that share a feature.

    Source: count sketch; Charikar, Chen and Farach-Colton, ICALP 2002.
    """
    chance = torch.Generator().manual_seed(seed)
    words = log_probs.shape[-1]
    places = torch.randint(0, FEATURES, (words,), generator=chance)
    signs = torch.randint(0, 2, (words,), generator=chance) * 2 - 1
    roots = (log_probs.float() / 2).exp() * signs.to(log_probs.device)
    empty = roots.new_zeros(len(roots), FEATURES)
    return empty.index_add_(1, places.to(log_probs.device), roots)


def estimate_information(labels: Tensor, rationales: Tensor, seed: int = 0) -> MiEstimate | None:
    """Estimate the mutual information of two sets of features of the same records.

    Args:
        labels: [N, K].
        rationales: [N, K]; row n belongs to row n of ``labels``.
        seed: decides folds and shuffling; the same input and seed give the same numbers.

    Returns:
        The estimate and its control; None with fewer than :data:`FEWEST_PAIRS` records.
    """
    size = len(labels)
    if size < FEWEST_PAIRS:
        return None
    chance = torch.Generator().manual_seed(seed)
    order = torch.randperm(size, generator=chance)
    left, right = (side.cpu().double()[order] for side in (labels, rationales))
    # Roll by one in random order: no record keeps its own rationale.
    moved = right.roll(1, dims=0)
    return MiEstimate(_cross_validated(left, right), _cross_validated(left, moved), size)


def _cross_validated(left: Tensor, right: Tensor) -> float:
    fold = torch.arange(len(left)) % _FOLDS
    found = []
    for index in range(_FOLDS):
        seen, unseen = fold != index, fold == index
        critic = _choose_critic(left[seen], right[seen])
        found.append(critic.bound(left[unseen], right[unseen]))
    return sum(found) / _FOLDS


@dataclass(frozen=True)
class _Critic:
    """Log density ratio of Gaussians: Σ_k [2 ρ x y − ρ² (x² + y²)] / (2 (1 − ρ²)) + a constant.

    The constant is left out: InfoNCE does not see it.
    """

    centers: tuple[Tensor, Tensor]
    directions: tuple[Tensor, Tensor]  # each (K, R)
    correlations: Tensor  # (R,)

    def shrunk(self, share: float) -> _Critic:
        """Shrink the correlations by a share: they are too large on the records of the fit."""
        return replace(self, correlations=self.correlations * share)

    def bound(self, left: Tensor, right: Tensor) -> float:
        """Compute InfoNCE of pairs, in nats."""
        x, y = (
            ((side - center) @ direction).clamp(-5, 5)  # an outlier must not ruin a fold
            for side, center, direction in zip(
                (left, right), self.centers, self.directions, strict=True
            )
        )
        rho = self.correlations
        cross, square = rho / (1 - rho**2), rho**2 / (2 * (1 - rho**2))
        scores = (x * cross) @ y.T
        scores = scores - (x**2 @ square)[:, None] - (y**2 @ square)[None]
        everyone = torch.ones(len(x), dtype=torch.bool)
        roles = pair_roles(everyone, torch.eye(len(x), dtype=torch.bool), "mask")
        return float(infonce_bound(scores, roles))


def _choose_critic(left: Tensor, right: Tensor) -> _Critic:
    """Choose the number of directions and the shrinkage, on every fourth record."""
    is_inner = torch.arange(len(left)) % 4 > 0
    best, gain = (0, 0.0), 0.0
    fitted = _fit(left[is_inner], right[is_inner])
    for rank in _RANKS:
        if rank > len(left) // 4:
            break
        narrow = fitted.narrowed(rank)
        for shrinkage in _SHRINKAGES:
            found = narrow.shrunk(shrinkage).bound(left[~is_inner], right[~is_inner])
            if found > gain:
                best, gain = (rank, shrinkage), found
    return _fit(left, right).narrowed(best[0]).shrunk(best[1])


@dataclass(frozen=True)
class _Fit:
    """Whitened principal directions of both sides, for critics of any rank."""

    centers: tuple[Tensor, Tensor]
    whitened: tuple[Tensor, Tensor]  # each (K, R), by falling variance
    data: tuple[Tensor, Tensor]  # each (N, R)

    def narrowed(self, rank: int) -> _Critic:
        """Return the critic of the first ``rank`` principal directions of both sides."""
        x, y = (side[:, :rank] for side in self.data)
        u, rho, vt = torch.linalg.svd(x.T @ y / len(x), full_matrices=False)
        a, b = self.whitened[0][:, :rank] @ u, self.whitened[1][:, :rank] @ vt.T
        return _Critic(self.centers, (a, b), rho.clamp(max=_MAX_CORRELATION))


def _fit(left: Tensor, right: Tensor) -> _Fit:
    centers, whitened, data = [], [], []
    for side in (left, right):
        center = side.mean(dim=0)
        spread, directions = torch.linalg.eigh((side - center).T @ (side - center) / len(side))
        # The largest come last. Directions without variance are noise, which must stay small.
        spread, directions = spread.flip(0)[: _RANKS[-1]], directions.flip(1)[:, : _RANKS[-1]]
        direction = directions / (spread.clamp(min=0) + _RIDGE * spread[:1] + 1e-12).sqrt()
        centers.append(center)
        whitened.append(direction)
        data.append((side - center) @ direction)
    return _Fit((centers[0], centers[1]), (whitened[0], whitened[1]), (data[0], data[1]))
