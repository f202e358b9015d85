"""Two readings of a label: slow loops, numbers worked by hand, and the fused form."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from mitools.train.losses.conclude import (
    Readings,
    fused_readings,
    informative_weights,
    plain_readings,
    tempered_divergences,
)
from mitools.train.losses.fused import Head
from mitools.train.losses.objective import ShapeError

B, L, D, V = 4, 5, 6, 17
TAU = 2.0


def make(seed: int = 0, dtype: torch.dtype = torch.float32, bias: bool = False) -> tuple:
    """States of both readings, head, targets and mask: full, short, of one token, and empty."""
    chance = torch.Generator().manual_seed(seed)
    states = tuple(
        torch.randn(B, L, D, generator=chance).to(dtype).requires_grad_() for _ in range(2)
    )
    weight = torch.randn(V, D, generator=chance).to(dtype).requires_grad_()
    offset = torch.randn(V, generator=chance).to(dtype).requires_grad_() if bias else None
    targets = torch.randint(0, V, (B, L), generator=chance)
    mask = torch.tensor([[1] * n + [0] * (L - n) for n in (5, 3, 1, 0)])
    teacher = torch.randn(B, L, V, generator=chance).to(dtype)
    return states, Head(weight, offset), targets, mask, teacher


def logits_of(states: tuple[Tensor, Tensor], head: Head) -> tuple[Tensor, Tensor]:
    offset = 0 if head.bias is None else head.bias
    return states[0] @ head.weight.T + offset, states[1] @ head.weight.T + offset


def slow(
    logits: tuple[Tensor, Tensor], targets: Tensor, mask: Tensor, tau: float, teacher: Tensor
) -> tuple[list[float], list[float]]:
    """The definition, a token and a word at a time: (i_b, g_b · Σ τ² KL) of each row."""

    def softmax(scores: list[float], heat: float) -> list[float]:
        total = sum(math.exp(s / heat) for s in scores)
        return [math.exp(s / heat) / total for s in scores]

    told, learned = [], []
    for b in range(len(targets)):
        i_b = gain = kl = 0.0
        for t in range(targets.shape[1]):
            if not mask[b, t]:
                continue
            p, q, taught = (side[b, t].tolist() for side in (*logits, teacher))
            y = int(targets[b, t])
            i_b += math.log(softmax(q, 1)[y]) - math.log(softmax(p, 1)[y])
            gain += math.log(softmax(taught, 1)[y]) - math.log(softmax(p, 1)[y])
            for u, v in zip(softmax(taught, tau), softmax(p, tau), strict=True):
                kl += tau**2 * u * math.log(u / v)
        told.append(i_b)
        learned.append(kl if gain > 0 else 0.0)
    return told, learned


@pytest.mark.parametrize("tau", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("has_teacher", [False, True], ids=["conclusion", "teacher"])
def test_information_and_distillation_equal_a_slow_loop(tau: float, has_teacher: bool) -> None:
    states, head, targets, mask, other = make(0, torch.float64)
    logits = logits_of(states, head)
    given_teacher = other if has_teacher else None
    found = plain_readings(logits, (targets, mask), tau, given_teacher)
    told, learned = slow(logits, targets, mask, tau, other if has_teacher else logits[1])
    assert found.information().tolist() == pytest.approx(told)
    assert found.distillation().tolist() == pytest.approx(learned)
    assert any(learned)
    assert learned.count(0.0) >= 2  # the empty row, and one that the teacher knows no better


def test_a_record_worked_by_hand() -> None:
    p = torch.tensor([[[0.0, 0.0]]])  # (1/2, 1/2) at every temperature
    q = torch.tensor([[[math.log(9.0), 0.0]]])  # (9/10, 1/10), and (3/4, 1/4) at τ = 2
    one = torch.ones(1, 1, dtype=torch.long)
    found = plain_readings((p, q), (0 * one, one), 2.0)
    assert found.information().item() == pytest.approx(math.log(0.9 / 0.5))
    expected = 4 * (0.75 * math.log(1.5) + 0.25 * math.log(0.5))
    assert found.distillation().item() == pytest.approx(expected)
    # The label is the other token: the rationale misleads, and nothing is distilled.
    misled = plain_readings((p, q), (one, one), 2.0)
    assert misled.information().item() == pytest.approx(math.log(0.1 / 0.5))
    assert misled.distillation().item() == 0
    assert misled.divergences is not None
    assert misled.divergences.item() == pytest.approx(expected)


def test_the_divergence_is_zero_where_both_agree_and_positive_elsewhere() -> None:
    states, head, _, mask, _ = make()
    p, q = logits_of(states, head)
    assert tempered_divergences(p, p, mask, TAU).abs().max() < 1e-5
    found = tempered_divergences(q, p, mask, TAU)
    assert (found[mask.bool()] > 0).all()
    assert (found[mask == 0] == 0).all()


def test_at_a_high_temperature_the_gradient_matches_the_logits() -> None:
    """With τ → ∞, τ² · KL tends to half the squared difference of centred logits over V."""
    chance = torch.Generator().manual_seed(5)
    p, q = (torch.randn(1, 1, V, generator=chance, dtype=torch.float64) for _ in range(2))
    mask = torch.ones(1, 1)
    difference = (q - q.mean()) - (p - p.mean())
    expected = difference.square().sum() / (2 * V)
    assert tempered_divergences(q, p, mask, 1e4).item() == pytest.approx(expected.item(), rel=1e-3)


def total(found: Readings, weights: Tensor) -> Tensor:
    """Every part of the readings, weighted row by row."""
    assert found.divergences is not None
    rows = found.label_losses.sum(-1) + 0.7 * found.conclusion_losses.sum(-1)
    return ((rows + 0.4 * found.distillation()) * weights).sum()


@pytest.mark.parametrize("bias", [False, True], ids=["no-bias", "bias"])
@pytest.mark.parametrize("chunk", [1, 2, 4, 100])
@pytest.mark.parametrize("has_teacher", [False, True], ids=["conclusion", "teacher"])
def test_the_fused_form_equals_the_plain_one_whatever_the_chunk(
    bias: bool, chunk: int, has_teacher: bool
) -> None:
    states, head, targets, mask, other = make(bias=bias)
    teacher = other if has_teacher else None
    leaves = [*states, head.weight, *([head.bias] if head.bias is not None else [])]
    weights = torch.tensor([1.0, 0.5, 2.0, 1.0])
    found = fused_readings(states, head, (targets, mask), TAU, teacher, chunk=chunk)
    wanted = plain_readings(logits_of(states, head), (targets, mask), TAU, teacher)
    for name, value in vars(wanted).items():
        assert torch.allclose(getattr(found, name), value, rtol=1e-5, atol=1e-6), name
    grads, expected = (torch.autograd.grad(total(one, weights), leaves) for one in (found, wanted))
    for grad, one in zip(grads, expected, strict=True):
        assert (grad - one).norm() <= 1e-5 * one.norm()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), chunk=st.integers(1, 12), tau=st.floats(0.3, 8))
def test_the_fused_form_equals_the_plain_one_for_any_numbers(
    seed: int, chunk: int, tau: float
) -> None:
    states, head, targets, mask, _ = make(seed, torch.float64)
    found = fused_readings(states, head, (targets, mask), tau, chunk=chunk)
    wanted = plain_readings(logits_of(states, head), (targets, mask), tau)
    assert torch.allclose(found.information(), wanted.information())
    assert torch.allclose(found.distillation(), wanted.distillation())
    # A divergence is never below 0, and never above what its label-wise bound allows.
    assert found.divergences is not None
    assert (found.divergences > -1e-9).all()


@pytest.mark.parametrize("chunk", [2, 100])
def test_the_fused_gradient_is_right_in_float64(chunk: int) -> None:
    states, head, targets, mask, teacher = make(1, torch.float64, bias=True)

    def parts(p: Tensor, q: Tensor, weight: Tensor, bias: Tensor) -> tuple[Tensor, ...]:
        found = fused_readings(
            (p, q), Head(weight, bias), (targets, mask), TAU, teacher, chunk=chunk
        )
        assert found.divergences is not None
        return found.label_losses, found.conclusion_losses, found.divergences

    assert torch.autograd.gradcheck(parts, (*states, head.weight, head.bias))


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "plain"])
def test_the_divergence_moves_the_label_reading_alone(fused: bool) -> None:
    states, head, targets, mask, _ = make()
    found = (
        fused_readings(states, head, (targets, mask), TAU)
        if fused
        else plain_readings(logits_of(states, head), (targets, mask), TAU)
    )
    assert found.divergences is not None
    of_label, of_conclusion = torch.autograd.grad(
        found.divergences.sum(), states, allow_unused=True, materialize_grads=True
    )
    assert of_label[mask.bool()].abs().sum() > 0
    assert (of_label[mask == 0] == 0).all()
    assert (of_conclusion == 0).all()


@pytest.mark.parametrize("fused", [True, False], ids=["fused", "plain"])
def test_padding_and_batch_mates_change_nothing(fused: bool) -> None:
    states, head, targets, mask, _ = make()

    def read(rows: slice, extra: int) -> Readings:
        pad = torch.nn.functional.pad
        sides = tuple(pad(side[rows], (0, 0, 0, extra), value=7.0) for side in states)
        labels = pad(targets[rows], (0, extra), value=1), pad(mask[rows], (0, extra))
        if fused:
            return fused_readings(sides, head, labels, TAU)  # type: ignore[arg-type]
        return plain_readings(logits_of(sides, head), labels, TAU)  # type: ignore[arg-type]

    whole = read(slice(None), 0)
    for row in range(B):
        alone = read(slice(row, row + 1), 3)
        for name in ("information", "distillation"):
            found, wanted = getattr(alone, name)(), getattr(whole, name)()[row]
            assert found.item() == pytest.approx(wanted.item(), rel=1e-5, abs=1e-6)


def test_without_a_temperature_nothing_is_distilled() -> None:
    states, head, targets, mask, _ = make()
    for found in (
        fused_readings(states, head, (targets, mask), None),
        plain_readings(logits_of(states, head), (targets, mask), None),
    ):
        assert found.divergences is None
        assert found.conclusion_losses.sum() > 0


def test_a_batch_of_nothing_but_padding_is_zero_and_has_gradients() -> None:
    states, head, targets, mask, _ = make()
    found = fused_readings(states, head, (targets, torch.zeros_like(mask)), TAU)
    loss = total(found, torch.ones(B))
    assert loss.item() == 0
    for grad in torch.autograd.grad(loss, [*states, head.weight]):
        assert (grad == 0).all()


def test_under_autocast_products_are_half_and_losses_are_full_precision() -> None:
    states, head, targets, mask, _ = make()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = fused_readings(states, head, (targets, mask), TAU)
    wanted = plain_readings(logits_of(states, head), (targets, mask), TAU)
    assert found.divergences is not None
    assert wanted.divergences is not None
    assert found.label_losses.dtype == found.divergences.dtype == torch.float32
    assert torch.allclose(found.label_losses, wanted.label_losses, atol=0.1)
    assert torch.allclose(found.divergences, wanted.divergences, atol=0.2)
    grad = torch.autograd.grad(total(found, torch.ones(B)), [*states, head.weight])
    assert all(one.dtype == torch.float32 for one in grad)


def test_shapes_that_do_not_fit_are_refused() -> None:
    states, head, _, mask, _ = make()
    p, q = logits_of(states, head)
    with pytest.raises(ShapeError, match="do not fit together"):
        tempered_divergences(q[..., 1:], p, mask, TAU)
    with pytest.raises(ShapeError, match="do not fit together"):
        tempered_divergences(q, p, mask[:, 1:], TAU)


def test_no_tensor_as_large_as_the_scores_of_all_labels_is_ever_made() -> None:
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

    rows, length, words = 6, 20, 1000
    states = tuple(torch.randn(rows, length, D, requires_grad=True) for _ in range(2))
    head = Head(torch.randn(words, D, requires_grad=True))
    targets = torch.randint(0, words, (rows, length))
    mask = torch.ones(rows, length, dtype=torch.long)
    with Watch():
        found = fused_readings(states, head, (targets, mask), TAU, chunk=4)  # type: ignore[arg-type]
        total(found, torch.ones(rows)).backward()
    assert largest <= 2 * 4 * words  # both readings of a chunk, while a batch has 120 rows of each


def test_informative_weights_are_worked_by_hand() -> None:
    # σ(0) = 1/2 and σ(log 3) = 3/4: over 3 + 1 tokens (3/2 + 3/4) / 4 = 9/16, so 8/9 and 4/3.
    told = torch.tensor([0.0, 2 * math.log(3), 9.0])
    found = informative_weights(told, torch.tensor([3, 1, 5]), torch.tensor([True, True, False]), 2)
    assert found.tolist() == pytest.approx([8 / 9, 4 / 3, 1.0])


@given(
    st.lists(st.tuples(st.floats(-50, 50), st.integers(0, 9), st.booleans()), min_size=1),
    st.floats(0.1, 10),
)
def test_informative_weights_keep_the_mean_and_the_order(
    records: list[tuple[float, int, bool]], tau: float
) -> None:
    told, tokens, pairs = (torch.tensor(column) for column in zip(*records, strict=True))
    found = informative_weights(told.double(), tokens, pairs, tau)
    assert torch.isfinite(found).all()
    assert (found[~pairs] == 1).all()
    assert (found * tokens)[pairs].sum().item() == pytest.approx(tokens[pairs].sum().item())
    ordered = found[pairs][told[pairs].argsort()]
    assert (ordered[1:] >= ordered[:-1] - 1e-9).all()
