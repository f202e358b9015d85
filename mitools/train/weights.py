"""Weights into and out of a checkpoint: those of the student, its adapters and the critic."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn

from mitools.errors import MitoolsError, TrainingError
from mitools.student.base.fit import check_loaded
from mitools.student.boundary import is_out_of_memory, reason_of
from mitools.student.lora import adapter_weights, is_adapted
from mitools.train.two_task_model import TwoTaskModel
from mitools.train.work_folder.checkpoints import START_AGAIN

__all__ = ["load_checkpoint", "save_extras", "unusable"]

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
        TrainingError: a file is missing, damaged or of another model.
    """
    with unusable(folder):
        student = model.student
        if is_adapted(student):
            # The frozen weights are still those that the run started from.
            weights = safetensors.torch.load_file(Path(folder) / _ADAPTERS)
            _fill(student, weights, adapter_weights(student).keys(), folder)
        else:
            weights = _read_student(student, folder)
            _fill(student, weights, student.state_dict().keys(), folder)
            student.tie_weights()
        if model.critic is not None:
            weights = safetensors.torch.load_file(Path(folder) / _CRITIC)
            _fill(model.critic, weights, model.critic.state_dict().keys(), folder)


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
