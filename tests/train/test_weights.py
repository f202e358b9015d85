"""Weights out of a checkpoint: adapters belong to the base model that they were trained beside."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from mitools.errors import TrainingError
from mitools.student import save_student
from mitools.student.base.open_base import open_checkpoint
from mitools.student.codec import Codec
from mitools.student.lora import adapter_weights, add_lora
from mitools.train.weights import load_checkpoint, save_extras

pytest.importorskip("peft", reason='adapters need peft: pip install "mitools[lora]"')

Kinds = pytest.mark.parametrize("kind", ["tiny_seq2seq", "tiny_causal"])


def adapted(folder: Path) -> Any:
    """A model of two tasks whose student has adapters, and no critic."""
    base = open_checkpoint(str(folder), "it")
    add_lora(base.model, 4)
    return SimpleNamespace(student=base.model, critic=None)


def checkpoint(base: Path, folder: Path, dtype: torch.dtype = torch.float32) -> dict[str, Any]:
    """Write the checkpoint of trained adapters, and return their weights."""
    model, opened = adapted(base), open_checkpoint(str(base), "it")
    torch.manual_seed(3)
    for name, weight in model.student.named_parameters():
        if ".lora_" in name:
            torch.nn.init.normal_(weight, std=0.2)
    save_student(folder, model.student, Codec(opened.tokenizer, opened.kind, 64, 8, 8), {})
    save_extras(model, folder)
    path = folder / "model.safetensors"
    save_file({name: one.to(dtype) for name, one in load_file(path).items()}, path)
    return {name: weight.clone() for name, weight in adapter_weights(model.student).items()}


@Kinds
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_adapters_return_to_the_base_that_they_were_trained_beside(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, dtype: torch.dtype
) -> None:
    base: Path = request.getfixturevalue(kind)
    wanted = checkpoint(base, tmp_path, dtype)
    model = adapted(base)
    for _ in range(2):  # the adapters may already hold those of another step
        load_checkpoint(model, str(tmp_path))
        found = adapter_weights(model.student)
        assert all(torch.equal(found[name], weight) for name, weight in wanted.items())


@Kinds
@pytest.mark.parametrize("part", ["embed", "norm", "base_layer"])
def test_another_base_model_is_noticed(
    request: pytest.FixtureRequest, tmp_path: Path, kind: str, part: str
) -> None:
    base: Path = request.getfixturevalue(kind)
    checkpoint(base, tmp_path)
    model = adapted(base)
    with torch.no_grad():
        for name, weight in model.student.named_parameters():
            if part in name or (part == "embed" and "shared" in name):
                weight.mul_(1.05)  # as a few more steps of training would
    with pytest.raises(TrainingError, match="the base model has changed since the run") as caught:
        load_checkpoint(model, str(tmp_path))
    assert "--overwrite" in str(caught.value.hint)
