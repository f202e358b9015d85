"""The names of devices."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from mitools.errors import UsageError
from mitools.student import load_student
from mitools.student.devices import choose_device


@pytest.mark.parametrize("device", ["nonsense", "cuda", "cuda:0", "cpu:3", "", "xla", "meta"])
def test_a_device_that_is_not_there_is_wrong_usage(folder: Path, device: str) -> None:
    if torch.cuda.is_available() and device.startswith("cuda"):
        pytest.skip("this machine has one")
    with pytest.raises(UsageError, match="--device"):
        load_student(folder, device)
    assert choose_device("cpu").type == "cpu"
