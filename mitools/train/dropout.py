"""Dropout at a fraction of the cost on a CPU.

PyTorch draws a number for every element there, 6 ns each, which is a tenth of a step of a small T5
in bfloat16. Sixteen bits decide as well whether an element stays, and its generator gives four
times sixteen at once: 1.5 ns. The generator is PyTorch's own, so seeds and checkpoints hold. The
share that stays is rounded to 1/65,536, and the scale is the inverse of the rounded share.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

__all__ = ["FastDropout", "drop", "fast_dropout"]

_LEVELS = 1 << 16


def fast_dropout(device: torch.device) -> AbstractContextManager[Any]:
    """Give the context for forward passes in training: :class:`FastDropout` where it pays."""
    return FastDropout() if device.type == "cpu" else nullcontext()


class FastDropout(TorchFunctionMode):
    """A context in which ``torch.nn.functional.dropout`` draws sixteen bits an element.

    Only on a CPU, and only where something is to be drawn; all else is passed on as it is.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Stand in for dropout where it can be had for less."""
        rest = kwargs or {}
        if func is torch.nn.functional.dropout:
            return _dropout(*args, **rest)
        return func(*args, **rest)


def _dropout(
    input: Tensor,  # noqa: A002
    p: float = 0.5,
    training: bool = True,
    inplace: bool = False,
) -> Tensor:
    """Have the parameters of ``torch.nn.functional.dropout``, whose callers name them."""
    draws = training and not inplace and input.device.type == "cpu" and input.is_floating_point()
    if draws and 0 < _kept_levels(p) < _LEVELS:
        return drop(input, p)
    return torch.nn.functional.dropout(input, p, training, inplace)


def drop(tensor: Tensor, p: float) -> Tensor:
    """Set each element to zero with probability p, and scale the others so that the mean stays.

    Args:
        tensor: of any shape and floating type, on a CPU.
        p: rounded to 1/65,536, and then neither 0 nor 1.

    Returns:
        A tensor of the same shape and type. Its gradient flows through what stays.
    """
    kept, size = _kept_levels(p), tensor.numel()
    words = torch.empty((size + 3) // 4, dtype=torch.int64).random_(-(1 << 63), None)
    draws = words.view(torch.int16)[:size].view(tensor.shape)  # -32,768 to 32,767
    noise = (draws < kept - _LEVELS // 2).to(tensor.dtype).mul_(_LEVELS / kept)
    return tensor * noise


def _kept_levels(p: float) -> int:
    return round((1 - p) * _LEVELS)
