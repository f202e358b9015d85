"""Attention kernels whose gradients can be relied on.

cuDNN's attention gives NaN in the gradient of the queries on an H100 or H200 with PyTorch 2.11 to
2.13, where a mask is given, the length is 64 more than a multiple of 128, and all scores of a query
are far below zero, as those of padding on the left are. PyTorch's other kernels do not.

Source: https://github.com/pytorch/pytorch/issues/196678
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch.backends import cuda

__all__ = ["without_cudnn_attention"]


@contextmanager
def without_cudnn_attention() -> Iterator[None]:
    """Leave cuDNN out of the kernels that attention chooses from, in this block.

    The choice is made in the forward pass, and again where layers are computed again for the
    gradient, so both passes of a step belong in the block. No effect without a CUDA GPU.
    """
    was_enabled = cuda.cudnn_sdp_enabled()  # type: ignore[no-untyped-call]
    cuda.enable_cudnn_sdp(False)
    try:
        yield
    finally:
        cuda.enable_cudnn_sdp(was_enabled)
