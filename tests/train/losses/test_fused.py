"""The fused head: the plain form's numbers and gradients, whatever the chunk, and nothing large."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mitools.train.losses.fused import Head, fused_losses
from mitools.train.losses.objective import POOLS, Pool, pooled_log_probs, token_losses

EveryPool = pytest.mark.parametrize("pool", POOLS)
B, T, D, V = 4, 6, 5, 23


def make(seed: int = 0, dtype: torch.dtype = torch.float32, bias: bool = False) -> tuple:
    """States, head, targets and masks: a full row, a short one, one without words, an empty one."""
    chance = torch.Generator().manual_seed(seed)
    states = torch.randn(B, T, D, generator=chance).to(dtype).requires_grad_()
    weight = (torch.randn(V, D, generator=chance) * 2).to(dtype).requires_grad_()
    offset = torch.randn(V, generator=chance).to(dtype).requires_grad_() if bias else None
    targets = torch.randint(0, V, (B, T), generator=chance)
    mask = torch.tensor([[1] * n + [0] * (T - n) for n in (6, 3, 1, 0)])
    words = mask.bool().clone()
    words[0, 5] = words[1, 2] = words[2, 0] = False  # the end token
    words[0, 2] = False  # and one in the middle
    return states, Head(weight, offset), targets, (mask, words)


def plain(
    states: Tensor, head: Head, targets: Tensor, masks: tuple[Tensor, Tensor], pool: Pool
) -> tuple[Tensor, Tensor]:
    logits = states @ head.weight.T
    if head.bias is not None:
        logits = logits + head.bias
    return token_losses(logits, targets, masks[0]), pooled_log_probs(logits, masks[1], pool)


def gradients(losses: Tensor, pooled: Tensor, leaves: list[Tensor]) -> list[Tensor]:
    chance = torch.Generator().manual_seed(7)
    mix = torch.randn(pooled.shape, generator=chance)
    weights = torch.rand(losses.shape, generator=chance)
    total = (losses * weights).sum() + (pooled.exp() * mix).sum()
    return list(torch.autograd.grad(total, leaves))


@EveryPool
@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("chunk", [1, 2, 3, 5, 100])
def test_it_equals_the_plain_form_whatever_the_chunk(pool: Pool, bias: bool, chunk: int) -> None:
    states, head, targets, masks = make(bias=bias)
    leaves = [states, head.weight] + ([head.bias] if head.bias is not None else [])
    expected = plain(states, head, targets, masks, pool)
    losses, pooled = fused_losses(states, head, targets, masks, pool, chunk)
    assert pooled is not None
    assert torch.allclose(losses, expected[0], rtol=1e-6, atol=1e-6)
    assert torch.allclose(pooled, expected[1], rtol=1e-6, atol=2e-6)
    for found, wanted in zip(
        gradients(losses, pooled, leaves), gradients(*expected, leaves), strict=True
    ):
        assert (found - wanted).norm() <= 1e-5 * wanted.norm()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000), chunk=st.integers(1, 12), pool=st.sampled_from(POOLS))
def test_it_equals_the_plain_form_for_any_numbers(seed: int, chunk: int, pool: Pool) -> None:
    states, head, targets, masks = make(seed, torch.float64)
    expected = plain(states, head, targets, masks, pool)
    losses, pooled = fused_losses(states, head, targets, masks, pool, chunk)
    assert pooled is not None
    assert torch.allclose(losses, expected[0])
    assert torch.allclose(pooled, expected[1])


@EveryPool
@pytest.mark.parametrize("chunk", [2, 100])
def test_a_second_backward_pass_gives_the_same_gradient(pool: Pool, chunk: int) -> None:
    states, head, targets, masks = make()
    losses, pooled = fused_losses(states, head, targets, masks, pool, chunk)
    assert pooled is not None
    total = losses.sum() + pooled.exp().square().sum()
    first, second = (
        torch.autograd.grad(total, [states, head.weight], retain_graph=True) for _ in range(2)
    )
    assert all(map(torch.equal, first, second))


@EveryPool
def test_its_gradient_is_right_in_float64(pool: Pool) -> None:
    states, head, targets, masks = make(3, torch.float64, bias=True)

    def both(states: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor]:
        losses, pooled = fused_losses(states, Head(weight, bias), targets, masks, pool, 2)
        assert pooled is not None
        return losses, pooled

    assert torch.autograd.gradcheck(both, (states, head.weight, head.bias))


@EveryPool
def test_no_gradient_reaches_padding_and_padding_changes_nothing(pool: Pool) -> None:
    states, head, targets, masks = make()
    losses, pooled = fused_losses(states, head, targets, masks, pool)
    assert pooled is not None
    grad = gradients(losses, pooled, [states])[0]
    assert grad[masks[0] == 0].abs().sum() == 0
    assert grad[0].abs().sum() > 0

    wide = torch.nn.functional.pad(states, (0, 0, 0, 3), value=50.0)
    padded = fused_losses(
        wide,
        head,
        torch.nn.functional.pad(targets, (0, 3), value=1),
        tuple(torch.nn.functional.pad(mask, (0, 3)) for mask in masks),  # type: ignore[arg-type]
        pool,
    )
    assert padded[1] is not None
    assert torch.equal(padded[0][:, :T], losses)
    assert torch.equal(padded[1], pooled)


@EveryPool
def test_a_row_without_words_is_uniform_and_finite(pool: Pool) -> None:
    states, head, targets, masks = make()
    losses, pooled = fused_losses(states, head, targets, masks, pool)
    assert pooled is not None
    assert torch.allclose(pooled[2:].exp(), torch.full((2, V), 1 / V))
    assert all(torch.isfinite(g).all() for g in gradients(losses, pooled, [states, head.weight]))


@EveryPool
def test_a_batch_of_nothing_but_padding_is_zero_and_has_gradients(pool: Pool) -> None:
    states, head, targets, _ = make()
    none = torch.zeros(B, T, dtype=torch.long)
    losses, pooled = fused_losses(states, head, targets, (none, none), pool)
    assert losses.sum() == 0
    assert pooled is not None
    assert all(g.abs().sum() == 0 for g in gradients(losses, pooled, [states, head.weight]))


def test_without_pooling_there_are_losses_alone() -> None:
    states, head, targets, masks = make()
    losses, pooled = fused_losses(states, head, targets, masks, None)
    assert pooled is None
    losses.sum().backward()
    expected = plain(states, head, targets, masks, "max")[0]
    wanted = torch.autograd.grad(expected.sum(), states)[0]
    assert states.grad is not None
    assert torch.allclose(states.grad, wanted, rtol=1e-5, atol=1e-6)


def test_under_autocast_products_are_half_and_losses_are_full_precision() -> None:
    states, head, targets, masks = make()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        losses, pooled = fused_losses(states, head, targets, masks, "max", 3)
    assert pooled is not None
    assert losses.dtype == pooled.dtype == torch.float32
    expected = plain(states, head, targets, masks, "max")
    assert torch.allclose(losses, expected[0], atol=0.15)
    found = gradients(losses, pooled, [states, head.weight])
    wanted = gradients(*expected, [states, head.weight])
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == torch.float32
        assert (one - other).norm() < 0.05 * other.norm()


def test_no_tensor_as_large_as_all_scores_is_ever_made() -> None:
    """Watch every tensor that an operation returns, forward and backward."""
    from torch.utils._python_dispatch import TorchDispatchMode

    largest = 0

    class Watch(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):  # type: ignore[no-untyped-def]
            nonlocal largest
            out = func(*args, **(kwargs or {}))
            for tensor in out if isinstance(out, tuple | list) else (out,):
                if isinstance(tensor, Tensor):
                    largest = max(largest, tensor.numel())
            return out

    rows, length, words = 3, 40, 1000
    states = torch.randn(rows, length, D, requires_grad=True)
    head = Head(torch.randn(words, D, requires_grad=True))
    targets = torch.randint(0, words, (rows, length))
    mask = torch.ones(rows, length, dtype=torch.long)
    with Watch():
        losses, pooled = fused_losses(states, head, targets, (mask, mask), "max", 8)
        assert pooled is not None
        (losses.sum() + pooled.exp().square().sum()).backward()
    assert largest <= 8 * words  # while the scores of the batch are 120 times the vocabulary
