"""Low-rank adapters: training a few weights beside frozen ones (arXiv:2106.09685), through peft.

The adapters are added to the model in place, so the rest of mitools treats it as any other model.
A student is saved with merged weights and loads without peft. A checkpoint keeps the unmerged
adapters as well, for resuming.
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
    """Freeze a model, and add adapters to every linear layer except the vocabulary head.

    New adapters are zero: the outputs of the model do not change.

    Args:
        model: a transformers model; changed in place.
        rank: rank of each adapter.

    Raises:
        MissingExtraError: peft is not installed.
        StudentError: peft supports no layer of this model.
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
    """Tell whether a model has adapters of :func:`add_lora`."""
    return hasattr(model, "peft_config")


def adapter_weights(model: Any) -> dict[str, Tensor]:
    """Return the weights of the adapters by name; empty without adapters."""
    return {name: value for name, value in model.state_dict().items() if _is_adapter(name)}


def merged_weights(model: Any) -> dict[str, Tensor] | None:
    """Return the weights with the adapters merged into them; None without adapters.

    The model itself is not changed.
    """
    if not is_adapted(model):
        return None
    merged = {
        name.replace(".base_layer.", "."): value
        for name, value in model.state_dict().items()
        if not _is_adapter(name)
    }
    with torch.no_grad():
        for name, module in model.named_modules():
            if hasattr(module, "get_delta_weight"):
                key = f"{name}.weight"
                merged[key] = merged[key] + module.get_delta_weight(_NAME)
    return merged


def _is_adapter(name: str) -> bool:
    return ".lora_" in name
