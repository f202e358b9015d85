"""A limit on the compiled kernels that oneDNN keeps.

On a CPU, torch multiplies bfloat16 matrices with oneDNN, which compiles a kernel for each new shape
and keeps the last 1,024 of them; torch keeps as many of its own descriptions of them. Batches of
texts rarely have the same shape twice, so these are hardly ever used again: 2.3 MB for each shape
of a product and its gradients (torch 2.13), 30 MB for each training step of SmolLM2-135M. They also
lie between the blocks that a step frees, so that these cannot be joined and used for larger ones.

The layers of a model share the shapes of a batch; a step needs a few dozen kernels. See
https://uxlfoundation.github.io/oneDNN/dev_guide_primitive_cache.html.
"""

from __future__ import annotations

import os

__all__ = ["keep_few_kernels"]

_KEPT = 64
_VARIABLES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")
"""The limits of oneDNN and of torch. Both are read before the first kernel is compiled."""


def keep_few_kernels() -> None:
    """Limit the kernels that this process keeps, unless the environment sets a limit.

    Has no effect on a process in which oneDNN has run.
    """
    for name in _VARIABLES:
        os.environ.setdefault(name, f"{_KEPT}")
