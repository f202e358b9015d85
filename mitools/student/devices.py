"""The device that a student runs on."""

from __future__ import annotations

import torch

from mitools.errors import UsageError

__all__ = ["choose_device"]


def choose_device(name: str | None) -> torch.device:
    """Return the device that ``--device`` names; without a name the GPU if there is one.

    Raises:
        UsageError: this machine does not have the device.
    """
    if name is None:
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    hint = f"use {' or '.join(_available())}"
    try:
        device = torch.device(name)
    except (RuntimeError, ValueError) as exc:
        raise UsageError(f'--device "{name}" is not a device', hint=hint) from exc
    known = _available()
    if str(device) not in known and device.type not in known:
        raise UsageError(f"--device {name}: this machine does not have one", hint=hint)
    count = torch.cuda.device_count() if device.type == "cuda" else 1
    if device.index is not None and device.index >= count:
        message = f"--device {name}: this machine has {count} of type {device.type}"
        raise UsageError(message, hint=f"use {device.type}:0")
    return device


def _available() -> list[str]:
    names = ["cpu"]
    if torch.cuda.is_available():
        names.append("cuda")
    current = torch.accelerator.current_accelerator() if torch.accelerator.is_available() else None
    if current is not None and current.type not in names:
        names.append(current.type)
    return names
