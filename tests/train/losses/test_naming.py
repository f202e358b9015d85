"""The choice that a rationale is about to name: slow loops and numbers worked by hand."""

from __future__ import annotations

import math

import pytest
import torch

from mitools.train.losses.fused import Head
from mitools.train.losses.naming import choice_log_probs, choice_scores, compare_choices

B, T, C, D, V = 4, 5, 3, 6, 17


def make(dtype: torch.dtype = torch.float32, bias: bool = True) -> tuple:
    chance = torch.Generator().manual_seed(0)
    states = torch.randn(B, T, D, generator=chance).to(dtype).requires_grad_()
    weight = torch.randn(V, D, generator=chance).to(dtype).requires_grad_()
    offset = torch.randn(V, generator=chance).to(dtype).requires_grad_() if bias else None
    places = torch.tensor([0, 4, 2, 2])
    ids = torch.tensor([[1, 5, 9], [16, 0, 3], [2, 4, 7], [8, 6, 10]])
    return states, Head(weight, offset), places, ids


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
@pytest.mark.parametrize("form", ["states", "logits"])
def test_scores_are_those_of_the_whole_vocabulary_at_the_place(bias: bool, form: str) -> None:
    states, head, places, ids = make(torch.float64, bias)
    logits = states @ head.weight.T + (head.bias if bias else 0)
    plain = sum(logits[row, places[row], token] for row in range(B) for token in ids[row])
    plain.backward(retain_graph=True)
    expected_gradient, states.grad = states.grad, None
    found = choice_scores(states, head, places, ids, logits if form == "logits" else None)
    for row in range(B):
        expected = [logits[row, places[row], token].item() for token in ids[row]]
        assert found[row].tolist() == pytest.approx(expected)
    found.sum().backward()
    assert torch.allclose(states.grad, expected_gradient)


def test_autocast_does_not_round_the_scores() -> None:
    states, head, places, ids = make()
    exact = choice_scores(states, head, places, ids)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(choice_scores(states, head, places, ids), exact)
    assert choice_scores(states.bfloat16(), head, places, ids).dtype == torch.float32


def test_a_choice_that_is_not_there_takes_nothing() -> None:
    scores = torch.tensor([[1.0, 2.0, 99.0], [3.0, 3.0, 3.0]])
    found = choice_log_probs(scores, torch.tensor([[True, True, False], [True, True, True]]))
    assert found[0, :2].exp().sum().item() == pytest.approx(1)
    assert found[0, 2].exp().item() == 0
    assert found[1].tolist() == pytest.approx([-math.log(3)] * 3)


def logs(*rows: list[float]) -> torch.Tensor:
    least = torch.finfo(torch.float32).min
    return torch.tensor([[math.log(p) if p else least for p in row] for row in rows])


def test_numbers_worked_by_hand() -> None:
    log_q = logs([0.5, 0.25, 0.25], [0.1, 0.9, 0.0], [0.8, 0.1, 0.1]).requires_grad_()
    log_p = logs([0.25, 0.5, 0.25], [0.5, 0.5, 0.0], [0.1, 0.1, 0.8]).requires_grad_()
    gold, is_there = torch.tensor([0, 0, 0]), torch.tensor([True, True, False])
    found = compare_choices(log_q, log_p, gold, is_there)
    # 0.5 ln 2 + 0.25 ln ½ + 0; the second rationale misleads, the third record has no term.
    assert found.losses.tolist() == pytest.approx([math.log(2), math.log(10), 0])
    assert found.divergences.tolist() == pytest.approx([0.25 * math.log(2), 0, 0])
    assert found.information.tolist() == pytest.approx([math.log(2), -math.log(5), 0])
    found.divergences.sum().backward()
    assert log_q.grad is None or not log_q.grad.any()
    assert log_p.grad[0].tolist() == pytest.approx([-0.5, -0.25, -0.25])
    assert not log_p.grad[1:].any()


def test_a_divergence_ignores_choices_that_are_not_there() -> None:
    scores = torch.tensor([[2.0, 0.0, 5.0]]), torch.tensor([[0.0, 1.0, -5.0]])
    wide = [choice_log_probs(one, torch.tensor([[True, True, False]])) for one in scores]
    narrow = [one[:, :2].log_softmax(-1) for one in scores]
    gold, is_there = torch.tensor([0]), torch.tensor([True])
    found, expected = (compare_choices(*pair, gold, is_there) for pair in (wide, narrow))
    assert found.divergences.item() == pytest.approx(expected.divergences.item())
    assert found.divergences.item() > 0
