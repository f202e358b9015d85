"""The training engine where a whole run on a CPU cannot show it: batches on another device."""

from __future__ import annotations

from types import SimpleNamespace

import torch

from mitools.train.task_tensors import COUNTS, Task
from mitools.train.trainer import StudentTrainer


def task_on(device: str) -> Task:
    ids = torch.tensor([[5, 6, 1], [7, 1, 0]], device=device)
    mask = torch.tensor([[1, 1, 1], [1, 1, 0]], device=device)
    return {"prompt_ids": ids, "prompt_mask": mask, "target_ids": ids, "target_mask": mask}


def count_on(device: str) -> torch.Tensor:
    trainer = object.__new__(StudentTrainer)
    trainer.codec = SimpleNamespace(tokenizer=SimpleNamespace(eos_token_id=1))
    trainer.accelerator = SimpleNamespace(reduce=lambda tensor, _how: tensor)
    batches = [{"label": task_on(device), "rationale": task_on(device), "ids": ["a", "b"]}] * 2
    return trainer._get_num_items_in_batch(batches, torch.device(device))


def test_the_targets_of_accumulated_batches_are_counted_together() -> None:
    counts = dict(zip(COUNTS, count_on("cpu").tolist(), strict=True))
    assert counts == {
        "label_tokens": 10,
        "rationale_tokens": 10,
        "pairs": 4,
        "rows": 4,
        "conclusion_tokens": 10,
    }


def test_targets_are_counted_where_the_batches_are() -> None:
    # Tensors of the meta device do not mix with those of the CPU, as those of a GPU do not.
    assert count_on("meta").device.type == "meta"
