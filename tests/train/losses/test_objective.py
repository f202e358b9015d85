"""The losses: against slow loops, hand-worked numbers, degenerate input and padding."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mitools.train.losses.objective import (
    DIVERGENCES,
    POOLS,
    Divergence,
    Pool,
    ShapeError,
    divergence_losses,
    maxpool_mi_losses,
    paper_mi_loss,
    pooled_log_probs,
    token_losses,
)


def random_logits(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 3


def official_mi_loss(pred_logits: Tensor, expl_logits: Tensor) -> Tensor:
    """The order of operations of ``TaskPrefixTrainer.compute_loss`` in the authors' code."""
    pred_prob = pred_logits.detach().softmax(dim=-1)
    expl_prob = expl_logits.softmax(dim=-1)
    pred_pooled = torch.max(pred_prob, dim=-2)[0]
    expl_pooled = torch.max(expl_prob, dim=-2)[0]
    return torch.nn.CrossEntropyLoss()(expl_pooled, pred_pooled)


def pad(logits: Tensor, mask: Tensor, width: int) -> tuple[Tensor, Tensor]:
    """Append positions that hold strong scores but are masked."""
    extra = random_logits(logits.shape[0], width, logits.shape[2], seed=99) * 5
    return torch.cat([logits, extra], 1), torch.cat([mask, mask.new_zeros(len(mask), width)], 1)


def ones(logits: Tensor) -> Tensor:
    return torch.ones(logits.shape[:2], dtype=torch.long)


def test_paper_term_equals_the_official_code_bit_for_bit() -> None:
    label, rationale = random_logits(5, 4, 50), random_logits(5, 9, 50, seed=1)
    assert torch.equal(paper_mi_loss(label, rationale), official_mi_loss(label, rationale))


def test_paper_term_equals_its_closed_form() -> None:
    label, rationale = random_logits(3, 4, 20), random_logits(3, 6, 20, seed=1)
    q = label.softmax(-1).amax(1)
    p = rationale.softmax(-1).amax(1)
    expected = (q.sum(-1) * p.logsumexp(-1) - (q * p).sum(-1)).mean()
    assert paper_mi_loss(label, rationale).item() == pytest.approx(expected.item(), rel=1e-6)


def test_paper_term_changes_with_padding_which_is_its_documented_fault() -> None:
    label, rationale = random_logits(3, 4, 20), random_logits(3, 6, 20, seed=1)
    padded, _ = pad(rationale, ones(rationale), 5)
    assert abs(paper_mi_loss(label, padded) - paper_mi_loss(label, rationale)) > 1e-3


def test_paper_term_is_a_number_worked_by_hand() -> None:
    label = torch.tensor([[[0.0, 0.0]]])  # q = (1/2, 1/2), S = 1
    rationale = torch.tensor([[[math.log(3.0), 0.0]]])  # p = (3/4, 1/4)
    expected = math.log(math.exp(0.75) + math.exp(0.25)) - 0.5
    assert paper_mi_loss(label, rationale).item() == pytest.approx(expected, rel=1e-6)


def test_maxpool_is_a_number_worked_by_hand() -> None:
    label = torch.tensor([[[math.log(3.0), 0.0]]])  # q = (3/4, 1/4)
    # word probabilities (1/2, 1/2) and (1/5, 4/5): maxima (1/2, 4/5), normalized (5/13, 8/13)
    rationale = torch.tensor([[[0.0, 0.0], [0.0, math.log(4.0)]]])
    losses, is_pair = maxpool_mi_losses(label, ones(label), rationale, ones(rationale))
    expected = -(0.75 * math.log(5 / 13) + 0.25 * math.log(8 / 13))
    assert losses.tolist() == [pytest.approx(expected, rel=1e-6)]
    assert is_pair.tolist() == [True]


def slow_maxpool(label: Tensor, label_mask: Tensor, why: Tensor, why_mask: Tensor) -> list[float]:
    def pooled(logits: Tensor, mask: Tensor) -> list[float]:
        best = [0.0] * logits.shape[1]
        for scores, is_real in zip(logits.tolist(), mask.tolist(), strict=True):
            if is_real:
                total = sum(map(math.exp, scores))
                best = [max(b, math.exp(s) / total) for b, s in zip(best, scores, strict=True)]
        return [b / sum(best) for b in best]

    losses = []
    for row in range(len(label)):
        q, p = pooled(label[row], label_mask[row]), pooled(why[row], why_mask[row])
        losses.append(-sum(a * math.log(b) for a, b in zip(q, p, strict=True)))
    return losses


def test_maxpool_equals_a_slow_loop() -> None:
    label, rationale = random_logits(4, 3, 11), random_logits(4, 7, 11, seed=1)
    label_mask = torch.tensor([[1, 1, 1], [1, 0, 0], [1, 1, 0], [1, 1, 1]])
    why_mask = torch.tensor([[1] * n + [0] * (7 - n) for n in (7, 3, 1, 5)])
    losses, _ = maxpool_mi_losses(label, label_mask, rationale, why_mask)
    assert losses.tolist() == pytest.approx(
        slow_maxpool(label, label_mask, rationale, why_mask), rel=1e-5
    )


def slow_pool(logits: Tensor, mask: Tensor, pool: Pool) -> list[float]:
    """Pool one row, [T, V], a word at a time."""
    said = logits[mask.bool()].double().softmax(-1)
    found = []
    for word in range(logits.shape[1]):
        shares = [float(position[word]) for position in said]
        if pool == "max":
            found.append(max(shares))
        elif pool == "logsumexp":
            found.append(sum(shares) / len(shares))
        else:
            found.append(math.prod(shares) ** (1 / len(shares)))
    return [share / sum(found) for share in found]


@pytest.mark.parametrize("pool", POOLS)
def test_every_pooling_equals_a_slow_loop(pool: Pool) -> None:
    logits = random_logits(3, 7, 11)
    mask = torch.tensor([[1] * n + [0] * (7 - n) for n in (7, 3, 1)])
    pooled = pooled_log_probs(logits, mask, pool).exp()
    for row in range(3):
        assert pooled[row].tolist() == pytest.approx(
            slow_pool(logits[row], mask[row], pool), rel=1e-5
        )


def test_divergences_are_numbers_worked_by_hand() -> None:
    q, p = torch.tensor([[0.75, 0.25]]).log(), torch.tensor([[0.5, 0.5]]).log()
    entropy = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    middle = 0.625, 0.375
    q_part = 0.75 * math.log(0.75 / middle[0]) + 0.25 * math.log(0.25 / middle[1])
    p_part = 0.5 * math.log(0.5 / middle[0]) + 0.5 * math.log(0.5 / middle[1])
    assert divergence_losses(q, p, "ce").item() == pytest.approx(math.log(2), rel=1e-6)
    assert divergence_losses(q, p, "kl").item() == pytest.approx(math.log(2) - entropy, rel=1e-6)
    assert divergence_losses(q, p, "jsd").item() == pytest.approx((q_part + p_part) / 2, rel=1e-5)


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000))
def test_kl_and_jsd_are_zero_for_equals_and_jsd_stays_below_log_2(seed: int) -> None:
    q, p = random_logits(4, 9, seed=seed).log_softmax(-1), random_logits(4, 9).log_softmax(-1)
    for divergence in ("kl", "jsd"):
        assert divergence_losses(q, q, divergence).abs().max() < 1e-5  # type: ignore[arg-type]
        assert divergence_losses(q, p, divergence).min() > -1e-6  # type: ignore[arg-type]
    assert divergence_losses(q * 50, p, "jsd").max() < math.log(2) + 1e-5
    assert torch.allclose(divergence_losses(q, p, "jsd"), divergence_losses(p, q, "jsd"))


@pytest.mark.parametrize("divergence", DIVERGENCES)
@pytest.mark.parametrize("pool", POOLS)
def test_every_form_of_maxpool_ignores_padding_and_batch_mates(
    pool: Pool, divergence: Divergence
) -> None:
    label, rationale = random_logits(3, 2, 9), random_logits(3, 5, 9, seed=1)
    rationale.requires_grad_()
    plain, _ = maxpool_mi_losses(label, ones(label), rationale, ones(rationale), pool, divergence)
    wide, mask = pad(rationale, ones(rationale), 4)
    padded, _ = maxpool_mi_losses(label, ones(label), wide, mask, pool, divergence)
    assert torch.allclose(plain, padded, rtol=1e-6)
    one = slice(1, 2)
    alone, _ = maxpool_mi_losses(
        label[one], ones(label[one]), rationale[one], ones(rationale[one]), pool, divergence
    )
    assert alone.item() == pytest.approx(plain[1].item(), rel=1e-5)
    mask[0] = 0
    empty, is_pair = maxpool_mi_losses(label, ones(label), wide, mask, pool, divergence)
    assert is_pair.tolist() == [False, True, True]
    empty.sum().backward()
    assert empty[0] == 0
    assert rationale.grad is not None
    assert torch.isfinite(rationale.grad).all()


@settings(max_examples=25, deadline=None)
@given(width=st.integers(1, 6), seed=st.integers(0, 1000))
def test_extra_padding_changes_no_maxpool_or_token_loss(width: int, seed: int) -> None:
    label, rationale = random_logits(3, 2, 9, seed=seed), random_logits(3, 5, 9, seed=seed + 1)
    plain, _ = maxpool_mi_losses(label, ones(label), rationale, ones(rationale))
    padded, _ = maxpool_mi_losses(
        *pad(label, ones(label), width), *pad(rationale, ones(rationale), width)
    )
    assert torch.equal(plain, padded)
    targets = torch.zeros(3, 5, dtype=torch.long)
    wide, mask = pad(rationale, ones(rationale), width)
    wide_targets = torch.cat([targets, targets.new_full((3, width), 7)], 1)
    assert torch.equal(
        token_losses(wide, wide_targets, mask)[:, :5],
        token_losses(rationale, targets, ones(rationale)),
    )


def test_a_rows_maxpool_loss_does_not_depend_on_its_batch_mates() -> None:
    label, rationale = random_logits(4, 3, 11), random_logits(4, 7, 11, seed=1)
    together, _ = maxpool_mi_losses(label, ones(label), rationale, ones(rationale))
    for row in range(4):
        one = slice(row, row + 1)
        alone, _ = maxpool_mi_losses(
            label[one], ones(label[one]), rationale[one], ones(rationale[one])
        )
        assert alone.item() == pytest.approx(together[row].item(), rel=1e-6)


def test_all_masked_rows_are_finite_zero_and_do_not_count() -> None:
    label, rationale = random_logits(2, 3, 11), random_logits(2, 7, 11, seed=1).requires_grad_()
    empty = torch.tensor([[1] * 7, [0] * 7])
    losses, is_pair = maxpool_mi_losses(label, ones(label), rationale, empty)
    losses.sum().backward()
    assert is_pair.tolist() == [True, False]
    assert losses[1].item() == 0
    assert rationale.grad is not None
    assert torch.isfinite(rationale.grad).all()
    assert rationale.grad[1].abs().sum() == 0
    assert token_losses(label, torch.zeros(2, 3, dtype=torch.long), torch.zeros(2, 3)).sum() == 0


def test_no_gradient_reaches_padding_or_the_stopped_side() -> None:
    label = random_logits(2, 3, 11).requires_grad_()
    rationale = random_logits(2, 7, 11, seed=1).requires_grad_()
    mask = torch.tensor([[1] * 4 + [0] * 3] * 2)
    losses, _ = maxpool_mi_losses(label, ones(label), rationale, mask)
    (losses.sum() + paper_mi_loss(label, rationale) * 0).backward()
    assert label.grad is None
    assert rationale.grad is not None
    assert rationale.grad[:, 4:].abs().sum() == 0
    assert rationale.grad[:, :4].abs().sum() > 0


def test_gradients_are_right_in_float64() -> None:
    label, rationale = random_logits(2, 2, 5).double(), random_logits(2, 3, 5, seed=1).double()

    def loss(x: Tensor) -> Tensor:
        # The losses compute in float32 by design; check the same formula at full precision.
        q = label.log_softmax(-1).amax(1).log_softmax(-1).exp()
        return -(q * x.log_softmax(-1).amax(1).log_softmax(-1)).sum()

    assert torch.autograd.gradcheck(loss, rationale.requires_grad_())
    reference = torch.autograd.grad(loss(rationale), rationale)[0]
    single = rationale.detach().float().requires_grad_()
    losses, _ = maxpool_mi_losses(label.float(), ones(label), single, ones(single))
    found = torch.autograd.grad(losses.sum(), single)[0]
    assert torch.allclose(found.double(), reference, rtol=1e-4, atol=1e-7)


def test_pooled_probabilities_add_up_to_one() -> None:
    pooled = pooled_log_probs(random_logits(3, 6, 40), torch.ones(3, 6)).exp()
    assert torch.allclose(pooled.sum(-1), torch.ones(3))


def test_token_loss_is_the_usual_cross_entropy() -> None:
    logits = random_logits(2, 3, 7)
    targets = torch.tensor([[1, 2, 3], [4, 5, 6]])
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]])
    expected = -logits.log_softmax(-1).gather(-1, targets[..., None])[..., 0] * mask
    assert torch.allclose(token_losses(logits, targets, mask), expected, atol=1e-6)


def test_shapes_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ShapeError, match="do not fit together"):
        paper_mi_loss(random_logits(2, 3, 5), random_logits(3, 3, 5))
    with pytest.raises(ShapeError, match="do not fit together"):
        token_losses(random_logits(2, 3, 5), torch.zeros(2, 4, dtype=torch.long), torch.ones(2, 4))
