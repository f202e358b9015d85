"""Few compiled kernels of oneDNN are kept, so that memory does not grow with every new shape."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mitools.student.kernel_cache import keep_few_kernels

# A shape that was not there before in every product; the process's memory in bytes per shape.
SCRIPT = """
import ctypes, resource, sys, torch
from mitools.student import load_student

load_student(sys.argv[1])
libc = ctypes.CDLL(None)
weight = torch.randn(1024, 512, dtype=torch.bfloat16)

def resident():
    libc.malloc_trim(0)
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize()

def multiply(rows):
    for n in rows:
        torch.randn(n, 512, dtype=torch.bfloat16) @ weight.T

multiply(range(200, 300))
before = resident()
multiply(range(300, 500))
print((resident() - before) // 200)
"""
NAMES = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "LRU_CACHE_CAPACITY")


def growth(student: Path, **given: str) -> int:
    env = {name: value for name, value in os.environ.items() if name not in NAMES}
    command = [sys.executable, "-c", SCRIPT, str(student)]
    run = subprocess.run(command, env={**env, **given}, capture_output=True, text=True, check=True)
    return int(run.stdout)


@pytest.mark.skipif(
    platform.libc_ver()[0] != "glibc" or not torch.ops.mkldnn._is_mkldnn_bf16_supported(),
    reason="needs glibc and a processor that multiplies in bfloat16",
)
def test_memory_does_not_grow_with_every_shape(saved_student: Path) -> None:
    unlimited = growth(saved_student, **dict.fromkeys(NAMES, "1024"))
    if unlimited < 100_000:
        pytest.skip("oneDNN keeps little here")
    assert growth(saved_student) < 0.2 * unlimited


def test_a_limit_in_the_environment_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAMES[0], "7")
    monkeypatch.setenv(NAMES[1], "")  # restored afterwards, also where it was not set
    monkeypatch.delenv(NAMES[1])
    keep_few_kernels()
    assert [os.environ[name] for name in NAMES] == ["7", "64"]
