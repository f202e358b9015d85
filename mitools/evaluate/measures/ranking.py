"""Does confidence separate right answers from wrong ones? AUROC, AURC, accuracy at coverage.

Pure functions on counts of right and wrong answers at each distinct confidence. Only the order of
the confidences matters: a monotone map changes no figure. Ties are not broken; a figure that
depends on their order is the mean over all orders.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["COVERAGES", "accuracy_at", "area_under_risk", "auroc", "least_area", "rank_statistics"]

Floats = NDArray[np.float64]

COVERAGES = (50, 80, 90, 95)
"""Percent of the answers that are kept, most confident first."""


def rank_statistics(right: Floats, wrong: Floats) -> Floats:
    """Compute AUROC, AURC, excess AURC and the accuracy at each of :data:`COVERAGES`.

    Args:
        right: [..., G] right answers at each distinct confidence, ascending.
        wrong: [..., G] wrong answers likewise.

    Returns:
        [..., 7]; AUROC is NaN where all are right or all are wrong.
    """
    area = area_under_risk(right, wrong)
    excess = area - least_area(right.sum(axis=-1), wrong.sum(axis=-1))
    # The two sums are rounded differently.
    excess = np.where(np.abs(excess) < 1e-12, 0.0, excess)
    kept = [accuracy_at(share, right, wrong) for share in COVERAGES]
    return np.stack([auroc(right, wrong), area, excess, *kept], axis=-1)


def auroc(right: Floats, wrong: Floats) -> Floats:
    """Compute the probability that a right answer has a higher confidence than a wrong one.

    Ties count half. A probability, higher is better; NaN where all are right or all are wrong, or
    there are none.
    """
    below = np.cumsum(wrong, axis=-1) - wrong
    wins = (right * (below + wrong / 2)).sum(axis=-1)
    pairs = right.sum(axis=-1) * wrong.sum(axis=-1)
    chance: Floats = np.divide(wins, pairs, out=np.full_like(wins, np.nan), where=pairs > 0)
    return chance


def area_under_risk(right: Floats, wrong: Floats) -> Floats:
    """Compute the mean, over k = 1 … n, of the error rate of the k most confident answers (AURC).

    A fraction, lower is better; within ties it is the expected one. Summed in closed form, group
    by group: inside a group of m answers with e errors, after N answers with E errors, the
    expected risk at k is (E + (k - N)·e/m) / k; its sum over the group is
    e + (E - N·e/m)·(H(N+m) - H(N)).

    Source: Geifman, Uziel and El-Yaniv, arXiv:1805.08206.
    """
    sizes, errors = (right + wrong)[..., ::-1], wrong[..., ::-1]  # most confident group first
    ends = np.cumsum(sizes, axis=-1)
    n = ends[..., -1]
    harmonic = _harmonic(n)
    spans = harmonic[ends.astype(np.int64)] - harmonic[(ends - sizes).astype(np.int64)]
    rate = np.divide(errors, sizes, out=np.zeros_like(errors), where=sizes > 0)
    offset = np.cumsum(errors, axis=-1) - errors - (ends - sizes) * rate
    area: Floats = (errors + offset * spans).sum(axis=-1) / n
    return area


def least_area(right: Floats, wrong: Floats) -> Floats:
    """Compute the AURC of the ranking with every right answer above every wrong one.

    Args:
        right: [...] right answers; together with ``wrong`` at least one.
        wrong: [...] wrong answers.

    Returns:
        [...] (w - r·(H(n) - H(r))) / n for w wrong and r right ones.
    """
    n = right + wrong
    harmonic = _harmonic(n)
    spans = harmonic[n.astype(np.int64)] - harmonic[right.astype(np.int64)]
    least: Floats = (wrong - right * spans) / n
    return least


def accuracy_at(share: int, right: Floats, wrong: Floats) -> Floats:
    """Compute the accuracy of the most confident ``share`` percent of the answers, rounded up.

    A fraction, higher is better; where the cut falls into ties, it is the expected one.
    """
    sizes, hits = (right + wrong)[..., ::-1], right[..., ::-1]
    ends = np.cumsum(sizes, axis=-1)
    kept = np.ceil(share * ends[..., -1] / 100)
    inside = np.clip(kept[..., None] - (ends - sizes), 0, sizes)
    rate = np.divide(hits, sizes, out=np.zeros_like(hits), where=sizes > 0)
    accuracy: Floats = (inside * rate).sum(axis=-1) / kept
    return accuracy


def _harmonic(n: Floats) -> Floats:
    """List H(0) … H(n), for the largest of ``n``."""
    return np.concatenate(([0.0], np.cumsum(1.0 / np.arange(1, int(np.max(n)) + 1))))
