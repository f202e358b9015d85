"""Weights into and out of a checkpoint: those of the student, its adapters and the critic."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from mitools.errors import MitoolsError, TrainingError
from mitools.student.base.fit import check_loaded
from mitools.student.boundary import is_out_of_memory, reason_of
from mitools.student.lora import adapter_weights, is_adapted, merged_weights
from mitools.train.two_task_model import TwoTaskModel
from mitools.train.work_folder.checkpoints import START_AGAIN

__all__ = ["load_checkpoint", "save_extras", "unusable"]

_ROUNDING = 1e-3
"""Relative error of merging: a GPU may multiply the adapters with fewer digits than a CPU."""

_BASE_BACK = "put back the base model that the run began with"
_CRITIC = "critic.safetensors"
_ADAPTERS = "adapters.safetensors"


def save_extras(model: TwoTaskModel, folder: Path) -> None:
    """Write what a checkpoint has beside the student: unmerged adapters, and the critic."""
    if is_adapted(model.student):
        safetensors.torch.save_file(adapter_weights(model.student), folder / _ADAPTERS)
    if model.critic is not None:
        safetensors.torch.save_file(model.critic.state_dict(), folder / _CRITIC)


def load_checkpoint(model: TwoTaskModel, folder: str) -> None:
    """Load a checkpoint's weights, including the critic's, into the model in place.

    The student's weights are read by transformers, which renames and regroups the weights of some
    models when it writes them.

    Raises:
        TrainingError: a file is missing, damaged or of another model, or the frozen weights beside
            adapters are not those that the checkpoint was written with.
    """
    with unusable(folder):
        student = model.student
        if is_adapted(student):
            weights = safetensors.torch.load_file(Path(folder) / _ADAPTERS)
            _fill(student, weights, adapter_weights(student).keys(), folder)
            _check_base(student, folder)
        else:
            weights = _read_student(student, folder)
            _fill(student, weights, student.state_dict().keys(), folder)
            student.tie_weights()
        if model.critic is not None:
            weights = safetensors.torch.load_file(Path(folder) / _CRITIC)
            _fill(model.critic, weights, model.critic.state_dict().keys(), folder)


def _check_base(student: Any, folder: str) -> None:
    """Compare frozen weights and adapters, merged, with the merged weights of the checkpoint.

    One weight at a time is read. Those that transformers writes by another name are left out: that
    of the others is enough to notice another base model.
    """
    merged = merged_weights(student) or {}
    for path in sorted(Path(folder).glob("model*.safetensors")):
        with safetensors.safe_open(path, framework="pt") as saved:
            for name in sorted(merged.keys() & set(saved.keys())):
                if not _are_close(saved.get_tensor(name), merged.pop(name)):
                    message = f"the base model has changed since the run began ({name} differs)"
                    raise TrainingError(message, hint=f"{_BASE_BACK}, or {START_AGAIN}")


def _are_close(saved: Tensor, merged: Tensor) -> bool:
    """Tell whether two weights differ by rounding alone: of another device, or another type."""
    if saved.shape != merged.shape:  # transformers regroups the weights of some models
        return True
    if not saved.is_floating_point():
        return torch.equal(saved, merged.to(saved))
    error = max(_ROUNDING, *(2 * torch.finfo(one.dtype).eps for one in (saved, merged)))
    wanted, found = saved.float(), merged.to(saved.device).float()
    scale = wanted.square().mean().sqrt().nan_to_num().item() if wanted.numel() else 0.0
    return torch.allclose(found, wanted, rtol=error, atol=error * scale, equal_nan=True)


def _read_student(student: Any, folder: str) -> dict[str, Tensor]:
    read, found = type(student).from_pretrained(
        folder,
        dtype=torch.float32,
        trust_remote_code=False,
        use_safetensors=True,
        output_loading_info=True,
    )
    check_loaded(found, folder, strict=True)
    weights: dict[str, Tensor] = read.state_dict()
    return weights


def _fill(module: nn.Module, weights: dict[str, Tensor], wanted: Any, folder: str) -> None:
    wrong = sorted(set(wanted) ^ weights.keys())
    if wrong:
        message = f"the checkpoint {folder} is of another model ({wrong[0]} does not match)"
        raise TrainingError(message, hint=START_AGAIN)
    module.load_state_dict(weights, strict=False)


@contextlib.contextmanager
def unusable(folder: str | None) -> Iterator[None]:
    """Turn every error of reading a checkpoint into :class:`TrainingError`."""
    try:
        yield
    except TrainingError:
        raise
    except Exception as exc:
        if is_out_of_memory(exc):
            raise
        reason = exc.message if isinstance(exc, MitoolsError) else reason_of(exc)
        message = f"cannot use the checkpoint {folder}: {reason}"
        raise TrainingError(message, hint=START_AGAIN) from exc
