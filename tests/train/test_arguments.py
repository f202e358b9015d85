"""Options in the terms of the engine: batches, devices, and the learning rate of each step."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from transformers import TrainingArguments, get_scheduler

from mitools.train.arguments import training_arguments
from mitools.train.choices import Schedule
from mitools.train.options import TrainOptions

MILLION = 1 << 20


def cut(tmp_path: Path, row_size: float, processes: int = 1, **changes: Any) -> tuple[int, int]:
    options = TrainOptions(save=tmp_path / "s", student="scratch", **changes)
    found = training_arguments(options, 100, False, processes, row_size=row_size)
    return found.per_device_train_batch_size, found.gradient_accumulation_steps


@pytest.mark.skipif(torch.accelerator.is_available(), reason="this machine has an accelerator")
def test_on_a_cpu_a_forward_pass_holds_about_a_million_numbers(tmp_path: Path) -> None:
    assert cut(tmp_path, MILLION / 100, batch_size=32) == (32, 1)
    assert cut(tmp_path, MILLION / 14, batch_size=32) == (8, 4)
    assert cut(tmp_path, MILLION / 14, batch_size=24, mi="maxpool") == (12, 2)
    assert cut(tmp_path, MILLION * 3, batch_size=4) == (1, 4)
    assert cut(tmp_path, MILLION / 14, processes=2, batch_size=32) == (8, 2)


@pytest.mark.parametrize(
    ("why", "changes"),
    [
        ("was said", {"batch_size": 32, "micro_batch_size": 32}),
        ("couples records", {"batch_size": 32, "mi": "infonce"}),
        ("depends on padding", {"batch_size": 32, "mi": "paper"}),
        ("couples records", {"batch_size": 32, "mi": "ba"}),
        ("has no near divisor", {"batch_size": 31}),
    ],
)
def test_the_batch_stays_whole_where_cutting_it(
    tmp_path: Path, why: str, changes: dict[str, Any]
) -> None:
    assert cut(tmp_path, MILLION / 14, **changes) == (changes["batch_size"], 1), why


def test_an_accelerator_takes_the_whole_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.accelerator, "is_available", lambda: True)
    monkeypatch.setattr("mitools.train.arguments.OneDeviceArguments", lambda **given: given)
    options = TrainOptions(save=tmp_path / "s", student="scratch", batch_size=32)
    given: Any = training_arguments(options, 100, False, row_size=MILLION)
    assert given["per_device_train_batch_size"] == 32


def test_one_process_trains_on_one_of_several_gpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(TrainingArguments, "n_gpu", property(lambda _self: 2))
    options = TrainOptions(save=tmp_path / "s", student="scratch", batch_size=8)
    found = training_arguments(options, 100, False)
    assert found.n_gpu == 1
    assert found.train_batch_size == found.per_device_train_batch_size
    monkeypatch.setattr(TrainingArguments, "n_gpu", property(lambda _self: 0))  # a CPU
    assert training_arguments(options, 100, False).n_gpu == 0


@pytest.mark.parametrize(
    ("epochs", "rows", "steps"),
    [(1.1, 800, 55), (1.1, 1600, 110), (2.2, 400, 55), (0.5, 17, 1), (1.5, 17, 3), (3, 16, 3)],
)
def test_epochs_count_as_they_are_typed(
    tmp_path: Path, epochs: float, rows: int, steps: int
) -> None:
    options = TrainOptions(save=tmp_path / "s", student="scratch", epochs=epochs, batch_size=16)
    assert training_arguments(options, rows, False).max_steps == steps


@pytest.mark.parametrize("schedule", get_args(Schedule))
@pytest.mark.parametrize("warmup", [0, 4])
def test_every_schedule_begins_with_the_warm_up(tmp_path: Path, schedule: Any, warmup: int) -> None:
    options = TrainOptions(
        save=tmp_path / "s", student="scratch", schedule=schedule, warmup_steps=warmup, max_steps=8
    )
    chosen = training_arguments(options, 100, False)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    follow = get_scheduler(chosen.lr_scheduler_type, optimizer, chosen.get_warmup_steps(8), 8)
    rates = []
    for _ in range(8):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        follow.step()
    assert rates[:warmup] == pytest.approx([step / 4 for step in range(warmup)])
    assert rates[warmup] == 1
    assert (rates[-1] == 1) is (schedule == "constant")
