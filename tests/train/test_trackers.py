"""Experiment trackers: a missing package is found first, and all figures arrive."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mitools.cli.train import command
from mitools.errors import MissingExtraError, TrainingError, UsageError
from mitools.train import trackers
from mitools.train.options import TrainOptions
from mitools.train.run import train_student
from tests.toys import toy_records
from tests.train.runs import options

FIGURES = {"train/loss", "train/label_loss", "train/rationale_loss", "train/mi_loss"}
VALIDATION = {"eval/accuracy", "eval/label_loss", "eval/rationale_loss", "eval/mi_loss"}

# A package that writes down what it is called with, and prints as the real one does.
FAKE_TRACKIO = """
import json, os
def note(**call):
    with open(os.environ["CALLS"], "a") as calls:
        calls.write(json.dumps(call, default=str) + "\\n")
def init(**arguments):
    print("\\x1b[1m* Trackio project initialized\\x1b[0m")
    note(init=arguments)
def log(figures):
    note(log=figures)
def finish():
    note(finish=True)
"""


def train(save: Path, student: Path, name: str, **changes: Any) -> tuple[list[str], TrainOptions]:
    notes: list[str] = []
    chosen = options(save, student, mi="maxpool", select_by="accuracy", log_to=(name,), **changes)
    train_student(iter(toy_records()), chosen, on_note=notes.append)
    return notes, chosen


def test_a_missing_package_is_found_before_anything_is_read(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: None)
    arguments = ["--save", str(tmp_path / "x"), "--log-to", "tensorboard,wandb"]
    result = CliRunner().invoke(command, arguments, input="this is not a record")
    assert result.exit_code == 1
    assert result.stderr == (
        "mitools train: --log-to tensorboard needs the package tensorboard; "
        'run "pip install mitools[tensorboard]"\n'
    )
    assert not list(tmp_path.iterdir())
    for name in ("tensorboard", "wandb", "trackio"):
        with pytest.raises(MissingExtraError, match=name):
            trackers.check_trackers([name])


def test_an_unknown_tracker_is_refused() -> None:
    with pytest.raises(UsageError, match="tensorboard, wandb, trackio"):
        trackers.check_trackers(["mlflow"])


def test_names_are_repeated_or_in_a_list(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found: list[TrainOptions] = []
    monkeypatch.setattr(
        "mitools.cli.train._show_estimate", lambda _stage, chosen: found.append(chosen)
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda _name: True)
    arguments = [
        "--save",
        "x",
        "--dry-run",
        "--log-to",
        "wandb, trackio",
        "--log-to",
        "tensorboard",
    ]
    assert CliRunner().invoke(command, arguments).exit_code == 0
    assert found[0].log_to == ("wandb", "trackio", "tensorboard")
    recipe = tmp_path / "theirs.toml"
    recipe.write_text('[train]\nlog-to = "wandb"\n')
    result = CliRunner().invoke(command, ["--save", "x", "--dry-run", "-c", str(recipe)])
    assert result.exit_code != 0, "a recipe of somebody else must not send figures away"


def test_another_tracker_does_not_make_another_run() -> None:
    before = TrainOptions(Path("x")).as_json()
    assert TrainOptions(Path("x"), log_to=("wandb",)).changes_since(before) == []


def test_the_figures_arrive_and_what_is_printed_becomes_a_note(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tiny_seq2seq: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "trackio.py").write_text(FAKE_TRACKIO)
    monkeypatch.syspath_prepend(str(tmp_path / "package"))
    monkeypatch.delitem(sys.modules, "trackio", raising=False)
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    notes, chosen = train(tmp_path, tiny_seq2seq, "trackio")
    monkeypatch.delitem(sys.modules, "trackio")
    calls = [json.loads(line) for line in (tmp_path / "calls").read_text().splitlines()]
    begun = calls[0]["init"]
    assert (begun["project"], begun["name"], begun["resume"]) == ("mitools", "student", "never")
    assert begun["config"]["mi"] == "maxpool"
    assert "space_id" not in begun, "it stays on this machine"
    logged = {name for call in calls for name in call.get("log", {})}
    assert logged >= FIGURES | VALIDATION
    assert calls[-1] == {"finish": True}
    assert "Trackio project initialized" in notes
    assert capsys.readouterr().out == ""
    assert chosen.save.is_dir()


def test_tensorboard_gets_all_figures_of_the_latest_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tiny_seq2seq: Path
) -> None:
    pytest.importorskip("tensorboard", reason="the extra tensorboard is not installed")
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR", raising=False)
    folder = tmp_path / "tensorboard" / "student"
    folder.mkdir(parents=True)
    (folder / "events.out.tfevents.1.old").write_bytes(b"")
    notes, _ = train(tmp_path, tiny_seq2seq, "tensorboard")
    assert f'figures go to TensorBoard: run "tensorboard --logdir {folder.parent}"' in notes
    [file] = folder.iterdir()
    found = EventAccumulator(str(file)).Reload()
    assert set(found.Tags()["scalars"]) >= FIGURES | VALIDATION
    assert [event.step for event in found.Scalars("eval/accuracy")] == [2, 4, 6]


def test_tensorboard_can_have_another_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", "/logs")
    assert trackers.tensorboard_folder(Path("runs/first")) == Path("/logs/first")
    monkeypatch.delenv("TENSORBOARD_LOGGING_DIR")
    assert trackers.tensorboard_folder(Path("runs/first")) == Path("runs/tensorboard/first")


def test_wandb_keeps_a_run_on_this_machine_if_it_is_offline(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tiny_seq2seq: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    pytest.importorskip("wandb", reason="the extra wandb is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    train(tmp_path, tiny_seq2seq, "wandb")
    [run] = tmp_path.glob("wandb/offline-run-*")
    assert list(run.glob("*.wandb"))
    assert capfd.readouterr().out == ""


def test_a_tracker_that_refuses_is_one_line() -> None:
    wanted = r"^wandb cannot be used: no key at all; run"
    with (
        pytest.raises(TrainingError, match=wanted),
        trackers._refusals("wandb", 'run "wandb login"'),
    ):
        raise ValueError("no key\n  at all")


def test_no_tracker_is_opened_without_the_option(tmp_path: Path) -> None:
    def fail(_text: str) -> None:
        raise AssertionError

    with trackers.tracking((), tmp_path, {}, resumes=False, note=fail) as callbacks:
        assert callbacks == []
    assert trackers.names_of_run(tmp_path / "a")["report_to"] == []
