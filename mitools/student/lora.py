"""Low-rank adapters: training a few weights beside frozen ones (arXiv:2106.09685), through peft.

They are put into the model in place, so it is asked, scored and decoded as before. Saved are the
weights that they come to, so whoever opens the student needs no peft; a checkpoint that is to be
gone on with keeps the adapters themselves beside that.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mitools.errors import MissingExtraError, StudentError

__all__ = ["adapter_weights", "add_lora", "is_adapted", "merged_weights"]

_ALPHA = 32
"""Numerator of the scale α / r. With it, the learning rate need not change with the rank.

Source: Schulman et al., LoRA Without Regret, 2025, https://thinkingmachines.ai/blog/lora/
"""

_NAME = "default"


def add_lora(model: Any, rank: int) -> None:
    """Freeze a model, and put adapters beside every linear layer but the vocabulary head.

    They begin as nothing: the model gives what it gave before.

    Args:
        model: a transformers model; changed in place.
        rank: how many directions each adapter has.

    Raises:
        MissingExtraError: peft is not installed.
        StudentError: it knows no layer of this model.
    """
    try:
        from peft import LoraConfig, inject_adapter_in_model
    except ImportError as exc:
        hint = 'run "pip install mitools[lora]"'
        raise MissingExtraError("--lora needs the package peft", hint=hint) from exc
    config = LoraConfig(r=rank, lora_alpha=_ALPHA, target_modules="all-linear")
    try:
        inject_adapter_in_model(config, model, adapter_name=_NAME)
    except ValueError as exc:
        reason = str(exc).splitlines()[0]
        raise StudentError(f"cannot adapt this student: {reason}", hint="drop --lora") from exc


def is_adapted(model: Any) -> bool:
    """Tell whether :func:`add_lora` was here."""
    return hasattr(model, "peft_config")


def adapter_weights(model: Any) -> dict[str, Tensor]:
    """Give the weights of the adapters alone, by name; none without adapters."""
    return {name: value for name, value in model.state_dict().items() if _is_adapter(name)}


def merged_weights(model: Any) -> dict[str, Tensor] | None:
    """Give the weights of the model without adapters that says the same; None without adapters.

    The model itself stays as it is.
    """
    if not is_adapted(model):
        return None
    found = {
        name.replace(".base_layer.", "."): value
        for name, value in model.state_dict().items()
        if not _is_adapter(name)
    }
    with torch.no_grad():
        for name, module in model.named_modules():
            if hasattr(module, "get_delta_weight"):
                key = f"{name}.weight"
                found[key] = found[key] + module.get_delta_weight(_NAME)
    return found


def _is_adapter(name: str) -> bool:
    return ".lora_" in name
