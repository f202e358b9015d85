"""Terms that compare rows: bounds, slow loops, numbers by hand, masks, and Gaussians."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mitools.train.losses.contrastive import (
    Roles,
    barber_agakov_losses,
    batch_entropy,
    infonce_bound,
    infonce_losses,
    jsd_losses,
    nwj_losses,
    pair_roles,
    same_rows,
)
from mitools.train.losses.objective import ShapeError

EveryLoss = pytest.mark.parametrize("loss", [infonce_losses, jsd_losses, nwj_losses])
Loss = Callable[[Tensor, Roles], Tensor]


def random_scores(size: int, seed: int = 0, extra: int = 0) -> Tensor:
    chance = torch.Generator().manual_seed(seed)
    return torch.randn(size, size + extra, generator=chance) * 2


def simple_roles(size: int) -> Roles:
    return pair_roles(torch.ones(size).bool(), torch.eye(size).bool(), "mask")


def labelled_roles(policy: str, wrong: bool = False) -> Roles:
    """Rows 0 and 2 share a label, row 3 has no rationale, and row 1 has one known to be wrong."""
    same = torch.eye(5).bool()
    same[0, 2] = same[2, 0] = True
    is_pair = torch.tensor([True, True, True, False, True])
    has_wrong = torch.tensor([False, True, False, True, False]) if wrong else None
    return pair_roles(is_pair, same, policy, has_wrong)  # type: ignore[arg-type]


def slow(kind: str, scores: Tensor, roles: Roles) -> list[float]:
    """All three losses, a pair at a time."""
    size = len(scores)
    found = []
    for i in range(size):
        right = [j for j in range(size) if roles.right[i, j]]
        wrong = [j for j in range(scores.shape[1]) if roles.wrong[i, j]]
        row = [float(x) for x in scores[i]]
        if not right or (kind != "infonce" and not wrong):
            found.append(0.0)
        elif kind == "infonce":
            columns_right = [j for j in range(size) if roles.right[j, i]]
            columns_wrong = [j for j in range(size) if roles.wrong[j, i]]
            column = [float(x) for x in scores[:, i]]
            found.append(
                (_one_way(row, right, wrong) + _one_way(column, columns_right, columns_wrong)) / 2
            )
        elif kind == "jsd":
            yes = sum(math.log1p(math.exp(-row[j])) for j in right) / len(right)
            found.append(yes + sum(math.log1p(math.exp(row[j])) for j in wrong) / len(wrong))
        else:
            no = sum(math.exp(row[j] - 1) for j in wrong) / len(wrong)
            found.append(no - sum(row[j] for j in right) / len(right))
    return found


def _one_way(row: list[float], right: list[int], wrong: list[int]) -> float:
    total = math.log(sum(math.exp(row[j]) for j in right + wrong))
    return sum(total - row[j] for j in right) / len(right)


@pytest.mark.parametrize("policy", ["mask", "positive"])
@pytest.mark.parametrize("wrong", [False, True])
@pytest.mark.parametrize(
    ("kind", "loss"), [("infonce", infonce_losses), ("jsd", jsd_losses), ("nwj", nwj_losses)]
)
def test_losses_equal_a_slow_loop(kind: str, loss: Loss, policy: str, wrong: bool) -> None:
    roles = labelled_roles(policy, wrong)
    scores = random_scores(5, extra=5 if wrong else 0)
    assert loss(scores, roles).tolist() == pytest.approx(slow(kind, scores, roles), rel=1e-5)


def test_pairs_with_the_same_label_are_never_wrong() -> None:
    for policy, is_right in (("mask", False), ("positive", True)):
        roles = labelled_roles(policy)
        assert not roles.wrong[0, 2]
        assert bool(roles.right[0, 2]) is is_right
        assert roles.wrong[0, 1]


def test_a_row_without_a_rationale_takes_no_part() -> None:
    roles = labelled_roles("mask", wrong=True)
    assert not roles.right[3].any()
    assert not roles.right[:, 3].any()
    assert not roles.wrong[3].any()
    assert not roles.wrong[:, 3].any()
    assert roles.wrong[:, 5:].nonzero().tolist() == [[1, 1]]


def test_rows_are_the_same_whatever_stands_behind_their_end() -> None:
    ids = torch.tensor([[5, 6, 0], [5, 6, 9], [5, 7, 0], [5, 6, 9]])
    mask = torch.tensor([[1, 1, 0], [1, 1, 0], [1, 1, 0], [1, 1, 1]])
    assert same_rows(ids, mask).tolist() == [
        [True, True, False, False],
        [True, True, False, False],
        [False, False, True, False],
        [False, False, False, True],
    ]


def test_infonce_of_two_is_a_number_worked_by_hand() -> None:
    scores = torch.tensor([[math.log(3.0), 0.0], [0.0, math.log(3.0)]])
    assert infonce_losses(scores, simple_roles(2)).tolist() == pytest.approx([math.log(4 / 3)] * 2)
    bound = math.log(2) - math.log(4 / 3)
    assert infonce_bound(scores, simple_roles(2)).item() == pytest.approx(bound)


def test_equal_scores_show_nothing() -> None:
    scores = torch.zeros(4, 4)
    roles = simple_roles(4)
    assert infonce_bound(scores, roles).item() == pytest.approx(0, abs=1e-6)
    assert jsd_losses(scores, roles).tolist() == pytest.approx([2 * math.log(2)] * 4)
    assert nwj_losses(scores + 1, roles).tolist() == pytest.approx([0] * 4, abs=1e-6)


@settings(max_examples=50, deadline=None)
@given(size=st.integers(2, 12), seed=st.integers(0, 1000), scale=st.floats(0, 30))
def test_infonce_never_exceeds_log_b(size: int, seed: int, scale: float) -> None:
    scores = random_scores(size, seed) * scale + torch.eye(size) * scale
    assert infonce_bound(scores, simple_roles(size)) <= math.log(size) + 1e-5


def test_rationales_that_are_rolled_lower_the_bound() -> None:
    scores = torch.eye(6) * 5
    rolled = scores.roll(1, dims=1)
    roles = simple_roles(6)
    assert infonce_bound(rolled, roles) < 0 < infonce_bound(scores, roles)


@EveryLoss
def test_the_order_of_the_batch_changes_nothing(loss: Loss) -> None:
    scores = random_scores(6)
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    plain = loss(scores, simple_roles(6))
    assert torch.allclose(loss(scores[order][:, order], simple_roles(6)), plain[order], atol=1e-6)


@EveryLoss
def test_nothing_to_compare_is_zero_and_finite(loss: Loss) -> None:
    scores = random_scores(3).requires_grad_()
    nobody = pair_roles(torch.zeros(3).bool(), torch.eye(3).bool(), "mask")
    alone = pair_roles(torch.tensor([True, False, False]), torch.eye(3).bool(), "mask")
    alike = pair_roles(torch.ones(3).bool(), torch.ones(3, 3).bool(), "mask")
    total = torch.zeros(())
    for roles in (nobody, alone, alike):
        losses = loss(scores, roles)
        assert losses.tolist() == pytest.approx([0, 0, 0], abs=1e-6)
        total = total + losses.sum()
    total.backward()
    assert scores.grad is not None
    assert torch.isfinite(scores.grad).all()
    assert infonce_bound(scores, nobody) == 0


def test_nwj_of_an_absurd_critic_stays_finite() -> None:
    assert torch.isfinite(nwj_losses(torch.full((3, 3), 1000.0), simple_roles(3))).all()


@pytest.mark.parametrize("bound", ["infonce", "nwj", "jsd"])
def test_more_correlated_gaussians_have_more_information(bound: str) -> None:
    chance = torch.Generator().manual_seed(0)
    found = []
    size = 400
    left, noise = (torch.randn(size, generator=chance) for _ in range(2))
    roles = simple_roles(size)
    for rho in (0.1, 0.5, 0.8, 0.95):
        right = rho * left + math.sqrt(1 - rho**2) * noise
        x, y = left[:, None], right[None]
        # The log density ratio of the pair, which is the best critic there is.
        spread = 1 - rho**2
        ratio = (2 * rho * x * y - rho**2 * (x**2 + y**2)) / (2 * spread) - math.log(spread) / 2
        if bound == "infonce":
            found.append(infonce_bound(ratio, roles).item())
        elif bound == "nwj":
            found.append(-nwj_losses(ratio + 1, roles).mean().item())
        else:
            found.append(-jsd_losses(ratio, roles).mean().item())
        if bound != "jsd":
            truth = -math.log(spread) / 2
            assert found[-1] == pytest.approx(truth, abs=0.15)
    assert found == sorted(found)


def test_barber_agakov_is_a_number_worked_by_hand() -> None:
    log_q = torch.tensor([[1.0, 1e-30], [1e-30, 1.0], [0.5, 0.5]]).log()
    log_r = torch.tensor([[0.8, 0.2], [0.4, 0.6], [0.5, 0.5]]).log()
    is_pair = torch.tensor([True, True, False])
    losses = barber_agakov_losses(log_q, log_r, is_pair)
    assert losses.tolist() == pytest.approx([-math.log(0.8), -math.log(0.6), 0])
    # Labels half and half: one bit to know, of which the predictions give some.
    assert batch_entropy(log_q, is_pair).item() == pytest.approx(math.log(2))
    assert batch_entropy(log_q, torch.zeros(3).bool()) == 0


def test_scores_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match="do not fit together"):
        infonce_losses(random_scores(3), simple_roles(4))
