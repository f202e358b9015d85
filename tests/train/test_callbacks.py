"""Between steps: the log, early stopping and signals, in runs that are resumed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mitools import interrupts
from mitools.train.callbacks import Clock
from mitools.train.options import TrainOptions
from mitools.train.training_run import Interrupted
from mitools.train.work_folder.checkpoints import OWED, damage_of
from tests.train.runs import Stop, finish, is_same, options, start, stop_at, weights


def test_patience_counts_on_in_a_resumed_run(tmp_path: Path, tiny_seq2seq: Path) -> None:
    steps = []
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
        chosen = options(
            tmp_path / name,
            tiny_seq2seq,
            max_steps=40,
            eval_every=1,
            patience=4,
            learning_rate=1e-12,
            select_by="accuracy",
        )
        if name == "cut":
            with pytest.raises(Stop):
                start(chosen).execute(stop_at(4))
            chosen = replace(chosen, resume=True)
        finish(chosen)
        steps.append(json.loads((chosen.save / "mitools.json").read_text())["results"]["steps"])
    assert steps[0] == steps[1] < 40


def test_the_log_of_a_resumed_run_holds_each_validation_once(
    again: TrainOptions, whole: TrainOptions
) -> None:
    with (again.work / "log.jsonl").open("a") as stream:
        stream.write('{"step": 5, "eval_label_loss": 1.0}\n{"step": 5, "eva')
    finish(again)
    courses = []
    for chosen in (again, whole):
        lines = [json.loads(line) for line in (chosen.save / "log.jsonl").read_text().splitlines()]
        courses.append([(x["step"], x["eval_label_loss"]) for x in lines if "eval_label_loss" in x])
    assert courses[0] == courses[1]


def test_each_part_of_an_interrupted_run_has_its_own_time_and_steps(
    tmp_path: Path, tiny_seq2seq: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = options(tmp_path, tiny_seq2seq)
    with monkeypatch.context() as long:
        long.setattr(Clock, "seconds", 36_000.0)
        with pytest.raises(Interrupted):
            start(chosen).execute(signal_in(4))
    chosen = replace(chosen, resume=True)
    finish(chosen)
    lines = [json.loads(line) for line in (chosen.save / "log.jsonl").read_text().splitlines()]
    parts = [line for line in lines if "train_runtime" in line]
    assert [(part["step"], part["train_steps"]) for part in parts] == [(4, 4), (6, 2)]
    assert not any("per_second" in name for part in parts for name in part)
    student = json.loads((chosen.save / "mitools.json").read_text())
    assert student["results"]["train_seconds"] > 36_000  # the cost of both parts


def test_a_second_signal_stops_at_once_and_the_run_can_be_resumed(
    tmp_path: Path, tiny_seq2seq: Path, whole: TrainOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interrupts, "TOGETHER_SECONDS", 0.0)

    def on_step(step: int, _logs: Any) -> None:
        if step == 3:
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match=r'stopped at once in step 4; .*"--resume"'):
        start(options(tmp_path, tiny_seq2seq)).execute(on_step)
    chosen = replace(whole, save=tmp_path / "student", resume=True)
    assert any("checkpoint-2" in note for note in finish(chosen))
    assert is_same(weights(chosen), weights(whole))


def test_signals_that_arrive_together_do_not_stop_at_once(
    tmp_path: Path, tiny_seq2seq: Path
) -> None:
    def on_step(step: int, _logs: Any) -> None:
        if step == 3:
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(Interrupted, match="interrupted; step 4 of 6 is saved"):
        start(options(tmp_path, tiny_seq2seq)).execute(on_step)


def validations(chosen: TrainOptions) -> list[tuple[int, float]]:
    lines = [json.loads(line) for line in (chosen.save / "log.jsonl").read_text().splitlines()]
    return [(x["step"], x["eval_label_loss"]) for x in lines if "eval_label_loss" in x]


def signal_in(wanted: int) -> Callable[[int, Any], None]:
    """Send this process one signal while it makes a step."""
    sent: list[int] = []

    def on_step(done: int, _logs: Any) -> None:
        if done == wanted - 1 and not sent:
            sent.append(done)
            signal.raise_signal(signal.SIGTERM)

    return on_step


@pytest.mark.parametrize("changes", [{}, {"patience": 1}], ids=["plain", "early-stop"])
@pytest.mark.parametrize("step", [2, 4, 6])
def test_a_validation_that_an_interrupt_left_out_is_made_when_the_run_is_resumed(
    tmp_path: Path, tiny_seq2seq: Path, step: int, changes: dict[str, Any]
) -> None:
    # Such a learning rate makes an earlier step better than a later one.
    rates = {"learning_rate": 0.1, "schedule": "constant", **changes}
    (tmp_path / "whole").mkdir()
    undisturbed = options(tmp_path / "whole", tiny_seq2seq, **rates)
    finish(undisturbed)
    expected = json.loads((undisturbed.save / "mitools.json").read_text())["results"]
    if step > expected["steps"]:
        return  # it stopped before

    chosen = options(tmp_path, tiny_seq2seq, **rates)
    with pytest.raises(Interrupted, match=f"step {step} of 6 is saved"):
        start(chosen).execute(signal_in(step))
    chosen = replace(chosen, resume=True)
    finish(chosen)
    found = json.loads((chosen.save / "mitools.json").read_text())["results"]
    assert validations(chosen) == validations(undisturbed)
    assert {**found, "train_seconds": 0} == {**expected, "train_seconds": 0}
    assert is_same(weights(chosen), weights(undisturbed))


def test_an_owed_validation_is_made_once(tmp_path: Path, tiny_seq2seq: Path) -> None:
    chosen = options(tmp_path, tiny_seq2seq)
    with pytest.raises(Interrupted):
        start(chosen).execute(signal_in(2))
    owing = chosen.work / "checkpoint-2" / OWED
    assert owing.exists()
    chosen = replace(chosen, resume=True)
    with pytest.raises(Stop):
        start(chosen).execute(stop_at(3))
    assert not owing.exists()
    assert damage_of(chosen.work / "checkpoint-2") is None
    finish(chosen)
    assert [step for step, _ in validations(chosen)] == [2, 4, 6]
