"""Runs of a tiny student that tests start, stop half-way, finish and compare."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from mitools.train.options import TrainOptions
from mitools.train.prepare import prepare
from mitools.train.training_run import TrainingRun
from tests.toys import toy_records


def options(folder: Path, student: Path, **changes: Any) -> TrainOptions:
    wanted = {
        "max_steps": 6,
        "eval_every": 2,
        "batch_size": 4,
        "max_label_tokens": 16,
        "max_rationale_tokens": 24,
        "learning_rate": 1e-3,
        "select_by": "label-loss",
    }
    return TrainOptions(save=folder / "student", student=str(student), **{**wanted, **changes})


class Stop(Exception):
    """What ends a run at a step, as if it had been killed."""


def stop_at(wanted: int) -> Callable[[int, Any], None]:
    def on_step(step: int, _logs: Any) -> None:
        if step == wanted:
            raise Stop

    return on_step


def start(chosen: TrainOptions, notes: list[str] | None = None) -> TrainingRun:
    run = prepare(iter(toy_records()), chosen, (notes if notes is not None else []).append)
    assert isinstance(run, TrainingRun)
    return run


def finish(chosen: TrainOptions) -> list[str]:
    notes: list[str] = []
    run = start(chosen, notes)
    run.execute()
    run.clean()
    return notes


def weights(chosen: TrainOptions) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(chosen.save / "model.safetensors")
    return found


def is_same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)
