"""The command: presets and dry runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from mitools.cli import train as module
from mitools.cli.train import command
from tests.toys import toy_records


def options_of(monkeypatch: pytest.MonkeyPatch, *args: str) -> dict[str, Any]:
    """Give what the options come to, without training."""
    found: dict[str, Any] = {}

    def show_plan(_stage: Any, options: dict[str, Any]) -> None:
        found.update(module._with_preset(options))

    monkeypatch.setattr(module, "_show_plan", show_plan)
    result = CliRunner().invoke(command, ["--save", "x", "--dry-run", *args])
    assert result.exit_code == 0, result.output
    return found


def test_a_preset_fills_what_nobody_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = options_of(monkeypatch, "--preset", "paper", "--batch-size", "16")
    assert (found["mi"], found["learning_rate"], found["max_steps"]) == ("paper", 5e-5, 10_000)
    assert found["batch_size"] == 16
    assert "preset" not in found
    recipe = tmp_path / "mine.toml"
    recipe.write_text('[train]\npreset = "paper"\nmax-steps = 7\n')
    found = options_of(monkeypatch, "--config", str(recipe))
    assert (found["mi"], found["max_steps"]) == ("paper", 7)
    assert options_of(monkeypatch)["batch_size"] == 16


def test_every_key_of_a_preset_is_an_option() -> None:
    from mitools.train.options import PRESETS

    names = {param.name for param in command.params if isinstance(param, click.Option)}
    for preset in PRESETS.values():
        assert set(preset) <= names


def test_a_dry_run_says_what_training_would_take_and_leaves_nothing(
    tmp_path: Path, tiny_seq2seq: Path, write_records: Callable[..., Path]
) -> None:
    path = write_records(toy_records())
    save = tmp_path / "student"
    arguments = [str(path), "--student", str(tiny_seq2seq), "--save", str(save), "--dry-run"]
    result = CliRunner().invoke(command, [*arguments, "--max-steps", "7"])
    assert result.exit_code == 0, result.output
    assert result.stdout == ""
    for word in ("7", "label prompt", "rationale target", "% padding", "weights to train", "GB"):
        assert word in result.stderr
    assert not save.exists()
    assert not save.with_name("student.work").exists()
    assert json.loads(path.read_text().splitlines()[0])["id"] == "toy-0"


def test_the_task_labels_without_its_labels_is_refused_before_any_step(
    tmp_path: Path, tiny_seq2seq: Path, write_records: Callable[..., Path]
) -> None:
    path, save = write_records(toy_records()), tmp_path / "student"
    arguments = [str(path), "--student", str(tiny_seq2seq), "--save", str(save)]
    result = CliRunner().invoke(command, [*arguments, "--task", "labels"])
    assert result.exit_code == 1
    assert '"mitools load --labels A,B,C"' in result.stderr
    assert not save.exists()
