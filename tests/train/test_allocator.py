"""Freed memory stays in the process during training, and only then."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")

SCRIPT = """
import ctypes, json, resource
from mitools.train.allocator import freed_memory_kept

libc = ctypes.CDLL(None)
libc.malloc.restype = ctypes.c_void_p
size = 64 << 20

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    block = ctypes.c_void_p(libc.malloc(size))
    ctypes.memset(block, 1, size)
    libc.free(block)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

try:
    with freed_memory_kept():
        inside = [faults(), faults()]
        kept = resident()
        raise KeyError
except KeyError:
    freed = resident()
print(json.dumps({"inside": inside, "outside": [faults(), faults()], "returned": kept - freed}))
"""

A_FEW = 8
"""Page faults of other code; 64 MB have 16,384 in pages of 4 KB, and 32 in pages of 2 MB."""


def measure(**given: str) -> dict[str, Any]:
    names = ("GLIBC_TUNABLES", "MALLOC_TRIM_THRESHOLD_", "MALLOC_MMAP_MAX_")
    env = {name: value for name, value in os.environ.items() if name not in names}
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**env, **given},
        capture_output=True,
        text=True,
        check=True,
    )
    found: dict[str, Any] = json.loads(run.stdout)
    return found


def test_a_second_block_needs_no_new_pages_until_the_end() -> None:
    found = measure()
    first, second = found["inside"]
    assert first > 2 * A_FEW
    assert second <= A_FEW
    assert min(found["outside"]) > 2 * A_FEW
    assert found["returned"] >= 60 << 20


def test_the_settings_of_the_user_win() -> None:
    found = measure(MALLOC_TRIM_THRESHOLD_="131072")
    assert min(found["inside"]) > 2 * A_FEW
