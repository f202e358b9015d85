"""Dropout from sixteen bits an element: the same distribution, from the same generator."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import dropout

from mitools.train import dropout as subject
from mitools.train.dropout import FastDropout, drop, fast_dropout
from tests.toys import toy_records


@pytest.mark.parametrize("p", [0.01, 0.1, 0.5, 0.9])
def test_the_wanted_share_falls_out(p: float) -> None:
    torch.manual_seed(0)
    size = 400_000
    share = (drop(torch.ones(size), p) == 0).double().mean().item()
    assert share == pytest.approx(p, abs=5 * math.sqrt(p * (1 - p) / size))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_what_stays_is_scaled_so_that_the_mean_does(dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    found = drop(torch.ones(7, 11, 13, dtype=dtype), 0.25)
    assert found.dtype == dtype
    assert found.shape == (7, 11, 13)
    scale = torch.tensor(4 / 3, dtype=dtype)
    assert set(found.unique().tolist()) == {0.0, scale.item()}


def test_the_share_is_exact_in_the_scale_though_rounded() -> None:
    torch.manual_seed(0)
    kept = round(0.9 * 65536)
    assert drop(torch.ones(1000, dtype=torch.float64), 0.1).max().item() == 65536 / kept


def test_neighbours_fall_out_independently() -> None:
    torch.manual_seed(0)
    size = 400_000
    gone = (drop(torch.ones(size), 0.5) == 0).double() - 0.5
    for distance in (1, 2, 3, 4, 5, 8):
        correlation = 4 * (gone[:-distance] * gone[distance:]).mean().item()
        assert abs(correlation) < 5 / math.sqrt(size), distance


def test_the_gradient_flows_through_what_stays() -> None:
    torch.manual_seed(0)
    tensor = torch.randn(1000, requires_grad=True)
    found = drop(tensor, 0.3)
    found.sum().backward()
    assert tensor.grad is not None
    assert torch.equal(tensor.grad * tensor, found)


def test_the_generator_is_pytorchs_own() -> None:
    torch.manual_seed(0)
    state = torch.get_rng_state()
    first, other = drop(torch.ones(99), 0.5), drop(torch.ones(99), 0.5)
    torch.set_rng_state(state)
    assert torch.equal(drop(torch.ones(99), 0.5), first)
    assert not torch.equal(first, other)


def test_only_dropout_that_draws_on_a_cpu_is_stood_in_for(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[float] = []
    monkeypatch.setattr(subject, "drop", lambda tensor, p: seen.append(p) or tensor)
    tensor = torch.ones(10)
    layer = torch.nn.Dropout(0.2)
    layer(tensor)
    assert seen == []  # outside
    with FastDropout():
        assert torch.equal(dropout(tensor, 0.3, training=False), tensor)
        assert torch.equal(dropout(tensor, 0.0), tensor)
        assert torch.equal(dropout(tensor, 1.0), torch.zeros(10))
        dropout(tensor.clone(), 0.3, inplace=True)
        dropout(tensor, 1e-7)
        assert dropout(torch.ones(10, device="meta"), 0.3).device.type == "meta"
        assert seen == []
        layer(tensor)
        dropout(tensor, p=0.3)
        layer.eval()(tensor)
    assert seen == [0.2, 0.3]


def test_only_a_cpu_gets_it() -> None:
    assert isinstance(fast_dropout(torch.device("cpu")), FastDropout)
    assert not isinstance(fast_dropout(torch.device("cuda")), FastDropout)


def test_training_draws_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mitools.train.options import TrainOptions
    from mitools.train.prepare import prepare

    seen: list[int] = []

    def watched(tensor: Any, p: float) -> Any:
        seen.append(tensor.numel())
        return drop(tensor, p)

    monkeypatch.setattr(subject, "drop", watched)
    chosen = TrainOptions(
        save=tmp_path / "student", student="scratch:tiny", max_steps=1, batch_size=4
    )
    run = prepare(iter(toy_records()), chosen, lambda _note: None)
    for layer in run.model.student.modules():
        if isinstance(layer, torch.nn.Dropout):
            layer.p = 0.1
    run.execute()
    run.clean()
    assert seen
