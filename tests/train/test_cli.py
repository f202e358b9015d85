"""The command: presets and dry runs."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from mitools.cli import train as module
from mitools.cli.train import command
from mitools.train.fields import option_fields
from mitools.train.options import TrainOptions
from tests.toys import toy_records


def options_of(monkeypatch: pytest.MonkeyPatch, *args: str) -> TrainOptions:
    """Give what the options come to, without training."""
    found: list[TrainOptions] = []
    monkeypatch.setattr(module, "_show_estimate", lambda _stage, options: found.append(options))
    result = CliRunner().invoke(command, ["--save", "x", "--dry-run", *args])
    assert result.exit_code == 0, result.output
    return found[0]


def test_a_preset_fills_what_nobody_said(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found = options_of(monkeypatch, "--preset", "paper", "--batch-size", "16")
    assert (found.mi, found.learning_rate, found.max_steps) == ("paper", 5e-5, 10_000)
    assert found.batch_size == 16
    recipe = tmp_path / "mine.toml"
    recipe.write_text('[train]\npreset = "paper"\nmax-steps = 7\n')
    found = options_of(monkeypatch, "--config", str(recipe))
    assert (found.mi, found.max_steps) == ("paper", 7)


def test_typed_epochs_replace_the_steps_of_a_recipe(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text("[train]\nmax-steps = 7\nepochs = 5\n")
    mine = ("--config", str(recipe))
    assert options_of(monkeypatch, *mine).max_steps == 7
    found = options_of(monkeypatch, *mine, "--epochs", "2")
    assert (found.epochs, found.max_steps) == (2, None)
    assert options_of(monkeypatch, *mine, "--epochs", "2", "--max-steps", "9").max_steps == 9
    found = options_of(monkeypatch, "--preset", "paper", "--epochs", "2")
    assert (found.mi, found.epochs, found.max_steps) == ("paper", 2, None)


def test_without_options_a_run_has_the_defaults_of_the_library(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert options_of(monkeypatch) == TrainOptions(save=Path("x"))


def test_every_field_of_the_options_is_an_option_with_its_default_and_its_values() -> None:
    params = {param.name: param for param in command.params}
    for field in option_fields(TrainOptions):
        param = params[field.name]
        assert isinstance(param, click.Option)
        assert f"--{field.flag}" in param.opts
        assert param.required == field.is_required
        if field.default is not None and field.type is not bool:
            assert param.default == field.default
        if field.choices:
            assert isinstance(param.type, click.Choice)
            assert tuple(param.type.choices) == field.choices


def test_a_dry_run_says_what_training_would_take_and_leaves_nothing(
    tmp_path: Path, tiny_seq2seq: Path, write_records: Callable[..., Path]
) -> None:
    path = write_records(toy_records())
    save = tmp_path / "student"
    arguments = [str(path), "--student", str(tiny_seq2seq), "--save", str(save), "--dry-run"]
    result = CliRunner().invoke(command, [*arguments, "--max-steps", "7"])
    assert result.exit_code == 0, result.output
    rows = dict(re.split("  +", line, maxsplit=1) for line in result.stdout.splitlines())
    assert rows["steps"] == "7"
    assert rows["records per step"] == "16"
    assert re.fullmatch(r"up to \[16, \d+\], \d+% padding", rows["rationale target"])
    assert "label prompt" in rows
    assert re.fullmatch(r"[\d,]+", rows["weights to train"])
    assert rows["weights, gradients and optimizer"].endswith(" GB")
    assert result.stderr == ("mitools train: 16 training and 8 validation records, 0 not used\n")
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


def test_a_log_gets_a_line_at_the_start_and_at_each_validation(
    tmp_path: Path, tiny_seq2seq: Path, write_records: Callable[..., Path]
) -> None:
    save = tmp_path / "student"
    arguments = [str(write_records(toy_records())), "--student", str(tiny_seq2seq)]
    sizes = ["--max-steps", "4", "--eval-every", "2", "--batch-size", "4"]
    result = CliRunner().invoke(command, [*arguments, *sizes, "--save", str(save)])
    assert result.exit_code == 0, result.stderr
    assert "\r" not in result.stderr
    assert "\x1b" not in result.stderr
    lines = [line for line in result.stderr.splitlines() if " steps, " in line]
    assert lines[0] == f"mitools train: 0/4 steps, -:-- left, log: {save}.work/log.jsonl"
    for line, step in zip(lines[1:], (2, 4), strict=True):
        figures = r"valid accuracy \d\.\d{3}, label \d+\.\d{3}, rationale \d+\.\d{3}"
        assert re.match(rf"mitools train: {step}/4 steps, \d+:\d\d left, {figures}", line)
    quiet = CliRunner().invoke(command, [*arguments, *sizes, "--save", f"{save}2", "--quiet"])
    assert quiet.exit_code == 0
    assert quiet.stderr == ""


def test_the_log_of_a_resumed_run_starts_at_the_steps_that_are_done(
    tmp_path: Path,
    tiny_seq2seq: Path,
    write_records: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    save, show = tmp_path / "student", module._StepBar.show
    shown: list[int] = []

    def show_and_interrupt(bar: Any, step: int, logs: Any) -> None:
        show(bar, step, logs)
        if step == 1 and not shown:
            os.kill(os.getpid(), signal.SIGINT)
        shown.append(step)

    arguments = [str(write_records(toy_records())), "--student", str(tiny_seq2seq)]
    arguments += ["--max-steps", "4", "--batch-size", "4", "--save", str(save)]
    with monkeypatch.context() as patched:
        patched.setattr(module._StepBar, "show", show_and_interrupt)
        interrupted = CliRunner().invoke(command, arguments)
    assert "step 2 of 4 is saved" in interrupted.stderr, interrupted.output
    resumed = CliRunner().invoke(command, [*arguments, "--resume"])
    assert resumed.exit_code == 0, resumed.stderr
    lines = [line for line in resumed.stderr.splitlines() if " steps, " in line]
    assert lines[0] == f"mitools train: 2/4 steps, -:-- left, log: {save}.work/log.jsonl"


def test_waiting_for_the_first_record_loads_no_torch_but_refuses_options_at_once(
    tmp_path: Path,
) -> None:
    code = (
        "import sys, mitools.files\n"
        "from mitools.cli import mitools\n"
        "def await_stdin():\n"
        "    sys.exit(80 + len({'torch', 'transformers', 'numpy', 'rich'} & set(sys.modules)))\n"
        "import mitools.cli._stage as stage\n"
        "stage.await_stdin = await_stdin\n"
        "mitools(sys.argv[1:])\n"
    )
    save = ["--save", str(tmp_path / "x")]
    student = ["eval", "--student", str(tmp_path / "x")]
    for arguments, status in (
        (["train", *save], 80),
        (student, 80),
        (["train", *save, "--alpha", "2"], 2),
        (["train", "--save", str(tmp_path)], 1),
        (["train", *save, "--mi", "paper", "--mi-gradient", "both"], 2),
        ([*student, "--permutations", "-1"], 2),
        ([*student, str(tmp_path / "x")], 1),
    ):
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments], stdin=subprocess.DEVNULL, capture_output=True
        )
        assert done.returncode == status, (arguments, done.stderr)
        assert done.stderr.count(b"\n") == (status != 80)
