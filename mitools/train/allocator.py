"""Memory that a training step frees is kept for the next step.

glibc gives blocks of more than 32 MB back to the system at once, and smaller ones at the end of the
heap. A step on a CPU allocates the same blocks as the one before: activations and gradients of
hundreds of MB. The system then maps and clears their pages again, a tenth to a third of a step
of SmolLM2-135M. See mallopt(3).
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["freed_memory_kept"]

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_TRAINING = {_TRIM_THRESHOLD: -1, _MMAP_MAX: 0}
"""Never shorten the heap, and take every block from it."""
_USUAL = {_TRIM_THRESHOLD: 64 << 20, _MMAP_MAX: 1 << 16}
"""glibc's own limits; that of trimming is what it comes to in a process with large blocks."""

_OF_USERS = ("GLIBC_TUNABLES", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_MAX_")


@contextmanager
def freed_memory_kept() -> Iterator[None]:
    """Keep freed memory in this process, and give it back at the end.

    Does nothing without glibc, and where the user has set glibc's allocator in the environment.
    """
    mallopt = None if any(map(os.environ.get, _OF_USERS)) else _find("mallopt")
    if mallopt is None:
        yield
        return
    for name, value in _TRAINING.items():
        mallopt(name, value)
    try:
        yield
    finally:
        for name, value in _USUAL.items():
            mallopt(name, value)
        trim = _find("malloc_trim")
        if trim is not None:
            trim(0)


def _find(name: str) -> Callable[..., int] | None:
    """Return a function of the C library; None if it is not glibc."""
    if not hasattr(os, "confstr") or "CS_GNU_LIBC_VERSION" not in os.confstr_names:
        return None
    found: Callable[..., int] | None = getattr(ctypes.CDLL(None), name, None)
    return found
