"""The information estimate: true for Gaussians, nothing for nothing, and never too much."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from mitools.train.mi_estimate import FEATURES, FEWEST_PAIRS, estimate_information, sketch


def gaussians(size: int, rho: float, dimensions: int = 2, seed: int = 0) -> tuple[Tensor, Tensor]:
    """Correlated Gaussians, hidden in many noisy features."""
    chance = torch.Generator().manual_seed(seed)
    left, noise = (torch.randn(size, dimensions, generator=chance) for _ in range(2))
    right = rho * left + math.sqrt(1 - rho**2) * noise
    sides = []
    for side in (left, right):
        spread = torch.randn(dimensions, 40, generator=chance)
        sides.append(side @ spread + 0.05 * torch.randn(size, 40, generator=chance))
    return sides[0], sides[1]


def test_more_correlated_gaussians_say_more_about_each_other() -> None:
    found = []
    for rho in (0.0, 0.4, 0.7, 0.9):
        estimate = estimate_information(*gaussians(300, rho))
        assert estimate is not None
        truth = -math.log(1 - rho**2)  # of two dimensions
        assert truth - 0.3 < estimate.true < truth + 0.15
        assert abs(estimate.shuffled) < 0.1
        found.append(estimate.true)
    assert found == sorted(found)


def test_it_never_exceeds_the_log_of_a_fold() -> None:
    left, _ = gaussians(100, 0.0, dimensions=8)
    estimate = estimate_information(left, left)
    assert estimate is not None
    assert 2 < estimate.true <= math.log(20)
    assert estimate.net == estimate.true - estimate.shuffled
    assert estimate.pairs == 100


@pytest.mark.parametrize("constant", [0, 1])
def test_a_side_that_never_changes_says_nothing(constant: int) -> None:
    sides = list(gaussians(60, 0.9))
    sides[constant] = torch.ones_like(sides[constant])
    estimate = estimate_information(*sides)
    assert estimate is not None
    assert estimate.true == pytest.approx(0, abs=1e-6)


def test_the_same_seed_gives_the_same_numbers() -> None:
    sides = gaussians(60, 0.8)
    assert estimate_information(*sides, seed=3) == estimate_information(*sides, seed=3)
    assert estimate_information(*sides, seed=3) != estimate_information(*sides, seed=4)


def test_too_few_records_give_no_number() -> None:
    sides = gaussians(FEWEST_PAIRS, 0.8)
    assert estimate_information(*sides) is not None
    assert estimate_information(sides[0][1:], sides[1][1:]) is None


def test_a_sketch_keeps_the_affinity_of_distributions() -> None:
    chance = torch.Generator().manual_seed(0)
    log_probs = (torch.randn(6, 5000, generator=chance) * 4).log_softmax(-1)
    affinities = (log_probs / 2).exp() @ (log_probs / 2).exp().T
    found = sketch(log_probs)
    assert found.shape == (6, FEATURES)
    assert torch.allclose(found @ found.T, affinities, atol=0.25)
    one_word = torch.full((2, 50), -1e4)
    one_word[0, 3] = one_word[1, 4] = 0
    assert torch.allclose(sketch(one_word) @ sketch(one_word).T, torch.eye(2), atol=1e-6)
    assert torch.equal(sketch(log_probs), sketch(log_probs))
    assert not torch.equal(sketch(log_probs), sketch(log_probs, seed=1))
