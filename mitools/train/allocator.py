"""Memory that a training step frees is kept for the next step.

glibc gives blocks of more than 32 MB back to the system at once, and smaller ones at the end of the
heap. A step on a CPU allocates the same blocks as the one before: activations and gradients of
hundreds of MB. The system then maps and clears their pages again, a tenth to a third of a step of
SmolLM2-135M. See mallopt(3).

Blocks of other sizes do not fit exactly into what was freed, so a heap that never shrinks grows
from step to step: from 5.6 GB after 3 steps of SVAMP in bfloat16 to 10.5 GB after 45. So unused
pages are given back where the process has grown by more than a quarter; it was 9.3 GB at most in
47 steps then.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Trimmer", "freed_memory_kept"]

_TRIM_THRESHOLD, _MMAP_MAX = -1, -4
_TRAINING = {_TRIM_THRESHOLD: -1, _MMAP_MAX: 0}
"""Never shorten the heap, and take every block from it."""
_USUAL = {_TRIM_THRESHOLD: 64 << 20, _MMAP_MAX: 1 << 16}
"""glibc's own limits; that of trimming is what it comes to in a process with large blocks."""

_SETTLED = 3
"""Steps until the usual amount of memory is known."""
_GROWTH = 1.25
_STEPS_BETWEEN = 10
"""Trimming makes the next step map its pages again; so rarely, that is lost in the noise."""

_OF_USERS = ("GLIBC_TUNABLES", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_MAX_")


class Trimmer:
    """Give unused pages back to the system where a process has grown.

    Args:
        resident: returns the memory of this process in bytes.
        trim: gives unused pages back.
    """

    def __init__(self, resident: Callable[[], int], trim: Callable[[], object]) -> None:
        self._resident = resident
        self._trim = trim
        self._usual: int | None = None
        self._steps = 0

    def after_step(self) -> None:
        """Look at the memory after a training step."""
        self._steps += 1
        if self._usual is None:
            if self._steps == _SETTLED:
                self._usual = self._resident()
        elif self._steps >= _STEPS_BETWEEN and self._resident() > _GROWTH * self._usual:
            self._trim()
            self._steps = 0


@contextmanager
def freed_memory_kept() -> Iterator[Callable[[], None]]:
    """Keep freed memory in this process, and give it back at the end.

    Does nothing without glibc, and where the user has set glibc's allocator in the environment.

    Yields:
        A function to call after each training step.
    """
    libc = None if any(map(os.environ.get, _OF_USERS)) else _glibc()
    if libc is None:
        yield lambda: None
        return
    for name, value in _TRAINING.items():
        libc.mallopt(name, value)
    try:
        yield Trimmer(_resident, lambda: libc.malloc_trim(0)).after_step
    finally:
        for name, value in _USUAL.items():
            libc.mallopt(name, value)
        libc.malloc_trim(0)


def _resident() -> int:
    with open("/proc/self/statm", encoding="ascii") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _glibc() -> ctypes.CDLL | None:
    """Return the C library if it is glibc."""
    if not hasattr(os, "confstr") or "CS_GNU_LIBC_VERSION" not in os.confstr_names:
        return None
    libc = ctypes.CDLL(None)
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
