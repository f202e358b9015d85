"""The choice that a rationale is about to name: slow loops and numbers worked by hand."""

from __future__ import annotations

import math

import pytest
import torch

from mitools.train.losses.fused import Head
from mitools.train.losses.naming import choice_scores, compare_choices, vocabulary_log_sums

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


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no-bias"])
@pytest.mark.parametrize("form", ["states", "logits"])
def test_the_normalizer_is_that_of_all_tokens_at_the_place(bias: bool, form: str) -> None:
    states, head, places, _ = make(torch.float64, bias)
    logits = states @ head.weight.T + (head.bias if bias else 0)
    expected = [logits[row, place].exp().sum().log().item() for row, place in enumerate(places)]
    found = vocabulary_log_sums(states, head, places, logits if form == "logits" else None)
    assert found.tolist() == pytest.approx(expected)


def test_autocast_rounds_nothing() -> None:
    states, head, places, ids = make()
    exact = choice_scores(states, head, places, ids), vocabulary_log_sums(states, head, places)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(choice_scores(states, head, places, ids), exact[0])
        assert torch.equal(vocabulary_log_sums(states, head, places), exact[1])
    assert choice_scores(states.bfloat16(), head, places, ids).dtype == torch.float32
    assert vocabulary_log_sums(states.bfloat16(), head, places).dtype == torch.float32


@pytest.mark.parametrize("form", ["states", "logits"])
def test_a_choice_that_is_not_there_takes_nothing(form: str) -> None:
    states, head, places, ids = make()
    logits = states @ head.weight.T + head.bias if form == "logits" else None
    whole = choice_scores(states, head, places, ids, logits)
    ids[0, 2], ids[1] = -1, -1
    found = choice_scores(states, head, places, ids, logits)
    assert torch.equal(found[0, :2], whole[0, :2])
    assert found.log_softmax(-1)[0, 2].exp().item() == 0
    assert found.logsumexp(-1)[0].item() == pytest.approx(whole[0, :2].logsumexp(-1).item())
    assert found.log_softmax(-1)[1].tolist() == pytest.approx([-math.log(3)] * 3)


def test_a_place_outside_is_the_nearest_one() -> None:
    states, head, places, ids = make()
    places = torch.tensor([-1, T, 2, 2])
    inside = torch.tensor([0, T - 1, 2, 2])
    assert torch.equal(
        choice_scores(states, head, places, ids), choice_scores(states, head, inside, ids)
    )
    assert torch.equal(
        vocabulary_log_sums(states, head, places), vocabulary_log_sums(states, head, inside)
    )


def logs(*rows: list[float]) -> torch.Tensor:
    least = torch.finfo(torch.float32).min
    return torch.tensor([[math.log(p) if p else least for p in row] for row in rows])


def test_numbers_worked_by_hand() -> None:
    log_q = logs([0.5, 0.25, 0.25], [0.1, 0.9, 0.0], [0.8, 0.1, 0.1]).requires_grad_()
    log_p = logs([0.25, 0.5, 0.25], [0.5, 0.5, 0.0], [0.1, 0.1, 0.8]).requires_grad_()
    gold, is_there = torch.tensor([0, 0, 0]), torch.tensor([True, True, False])
    log_named = torch.tensor([0.25, 1.0, 0.5]).log().requires_grad_()
    found = compare_choices(log_q, log_p, log_named, gold, is_there)
    # ln 2 + 0.1 ln 4, ln 10 + 0.1 ln 1; the third record has no term.
    assert found.losses.tolist() == pytest.approx([1.2 * math.log(2), math.log(10), 0])
    # 0.5 ln 2 + 0.25 ln ½ + 0; the second rationale misleads.
    assert found.divergences.tolist() == pytest.approx([0.25 * math.log(2), 0, 0])
    assert found.information.tolist() == pytest.approx([math.log(2), -math.log(5), 0])
    found.divergences.sum().backward(retain_graph=True)
    assert log_q.grad is None or not log_q.grad.any()
    assert log_named.grad is None or not log_named.grad.any()
    assert log_p.grad[0].tolist() == pytest.approx([-0.5, -0.25, -0.25])
    assert not log_p.grad[1:].any()
    found.losses.sum().backward()
    assert log_named.grad.tolist() == pytest.approx([-0.1, -0.1, 0])


def test_a_divergence_ignores_choices_that_are_not_there() -> None:
    least = torch.finfo(torch.float32).min
    scores = torch.tensor([[2.0, 0.0, least]]), torch.tensor([[0.0, 1.0, least]])
    wide = [one.log_softmax(-1) for one in scores]
    narrow = [one[:, :2].log_softmax(-1) for one in scores]
    rest = torch.zeros(1), torch.tensor([0]), torch.tensor([True])
    found, expected = (compare_choices(*pair, *rest) for pair in (wide, narrow))
    assert found.divergences.item() == pytest.approx(expected.divergences.item())
    assert found.divergences.item() > 0
