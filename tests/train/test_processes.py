"""Two processes on this machine train like one, and one of them reads the pipe."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from mitools.train.processes import Processes, name_idle_devices
from tests.toys import toy_records

ARGUMENTS = (
    *("-m", "mitools", "train", "--max-steps", "4", "--eval-every", "2", "--batch-size", "4"),
    *("--max-label-tokens", "16", "--max-rationale-tokens", "24", "--lr", "1e-3"),
    *("--mi", "maxpool", "--precision", "fp32"),  # bfloat16 rounds off what is compared
)
LAUNCHER = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")


def train(save: Path, student: Path, launcher: tuple[str, ...] = (), *more: str) -> Any:
    lines = "".join(json.dumps(record) + "\n" for record in toy_records()).encode()
    command = [sys.executable, *launcher, *ARGUMENTS, "--student", str(student), *more]
    done = subprocess.run(
        [*command, "--save", str(save)], input=lines, capture_output=True, timeout=280, check=False
    )
    assert done.returncode == 0, done.stderr.decode()
    return done


def curve(save: Path) -> list[dict[str, float]]:
    lines = [json.loads(line) for line in (save / "log.jsonl").read_text().splitlines()]
    names = ("label_loss", "rationale_loss", "mi_loss", "conclusion_loss", "mi_estimate")
    wanted = {"step", *names, *(f"eval_{name}" for name in names), "eval_accuracy"}
    return [
        found for line in lines if len(found := {k: v for k, v in line.items() if k in wanted}) > 1
    ]


@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "more",
    [
        (),
        ("--order", "label-rationale", "--lora", "2"),
        ("--mi", "conclude", "--beta", "0.5", "--mi-control", "past"),
        ("--batch-size", "6", "--micro-batch-size", "3"),  # of 16 records, the third has four
    ],
    ids=["plain", "one-pass", "conclude", "filled"],
)
def test_two_processes_have_the_loss_curve_of_one(
    tmp_path: Path, tiny_seq2seq: Path, more: tuple[str, ...]
) -> None:
    if "--lora" in more:
        pytest.importorskip("peft", reason='adapters need peft: pip install "mitools[lora]"')
    alone, both = tmp_path / "alone", tmp_path / "both"
    records = train(alone, tiny_seq2seq, (), *more).stdout
    done = train(both, tiny_seq2seq, LAUNCHER, *more)
    assert done.stdout == records  # each record once
    assert done.stderr.count(b" validation records, ") == 1
    expected, found = curve(alone), curve(both)
    assert [line["step"] for line in found] == [line["step"] for line in expected]
    assert len(expected) > 4
    for line, other in zip(expected, found, strict=True):
        assert other == pytest.approx(line, rel=2e-4)
    assert (both / "model.safetensors").exists()
    assert not (tmp_path / "both.work").exists()


def test_the_others_wait_for_as_long_as_it_takes(tmp_path: Path) -> None:
    first, second = Processes(0, 2), Processes(1, 2)
    found: dict[str, Any] = {}

    def wait() -> None:
        found.update(second.await_files(tmp_path))

    thread = threading.Thread(target=wait)
    thread.start()
    time.sleep(0.3)
    assert not found
    first.announce(tmp_path, {"digest": "x"})
    thread.join(timeout=10)
    assert found == {"digest": "x"}
    assert [path.name for path in tmp_path.iterdir()] == ["ready.json"]  # and no part of it


def test_one_process_needs_no_file(tmp_path: Path) -> None:
    Processes().announce(tmp_path, {})
    Processes().meet()
    assert not list(tmp_path.iterdir())


def test_devices_that_nothing_uses_are_named_with_the_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 4)
    note = name_idle_devices(Processes())
    assert note is not None
    assert "1 of 4 devices" in note
    assert "torchrun --nproc-per-node 4 -m mitools train" in note
    assert name_idle_devices(Processes(0, 4)) is None
    monkeypatch.setattr(torch.accelerator, "device_count", lambda: 1)
    assert name_idle_devices(Processes()) is None
