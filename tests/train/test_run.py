"""Training in one call: what it returns, reports and passes on."""

from __future__ import annotations

import doctest
import json
import os
import re
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from safetensors.torch import load_file

import mitools.train.run
from mitools.cli.train import command
from mitools.errors import DataError, UsageError
from mitools.student import load_student
from mitools.train.options import TrainOptions
from mitools.train.run import train_student
from mitools.train.training_run import Interrupted
from tests.toys import toy_records


def options(folder: Path, student: Path, **changes: Any) -> TrainOptions:
    short = {"max_steps": 2, "eval_every": 1, "batch_size": 4, "max_rationale_tokens": 24}
    return TrainOptions(folder / "student", str(student), **{**short, **changes})


def test_a_student_is_trained_and_the_records_are_passed_on(
    tmp_path: Path, tiny_seq2seq: Path
) -> None:
    steps: list[Any] = []
    notes: list[str] = []
    passed_on: list[dict[str, Any]] = []

    def pass_on(records: Iterator[dict[str, Any]]) -> None:
        assert (tmp_path / "student" / "mitools.json").exists()
        passed_on.extend(records)

    trained = train_student(
        iter(toy_records()),
        options(tmp_path, tiny_seq2seq),
        lambda step, logs: steps.append((step, dict(logs))),
        on_start=lambda total, done: steps.append((total, done)),
        on_note=notes.append,
        pass_on=pass_on,
    )
    assert steps[0] == (2, 0)
    assert steps[-1][0] == 2
    assert "eval_accuracy" in steps[-1][1]
    assert passed_on == toy_records()
    assert notes[0] == "16 training and 8 validation records, 0 not used"
    headline = r"valid: accuracy [\d.e-]+, label loss [\d.e-]+, rationale loss [\d.e-]+"
    assert re.fullmatch(rf"saved {re.escape(str(trained.folder))} \({headline}\)", notes[-1])
    assert trained.folder == tmp_path / "student"
    results = json.loads((trained.folder / "mitools.json").read_text())["results"]
    assert trained.metrics.items() <= results.items()
    assert "valid_label_loss" in trained.metrics
    assert load_student(trained.folder).generate_labels(["Ann has 3 pears."])
    assert [path.name for path in tmp_path.iterdir()] == ["student"]


def test_the_command_trains_the_same_student(
    tmp_path: Path, tiny_seq2seq: Path, write_records: Callable[..., Path]
) -> None:
    (tmp_path / "library").mkdir()
    trained = train_student(toy_records(), options(tmp_path / "library", tiny_seq2seq))
    arguments = [str(write_records(toy_records())), "--save", str(tmp_path / "command")]
    arguments += ["--student", str(tiny_seq2seq), "--max-steps=2", "--eval-every=1"]
    arguments += ["--batch-size=4", "--max-rationale-tokens=24"]
    result = CliRunner().invoke(command, arguments)
    assert result.exit_code == 0, result.output
    ours, theirs = (
        load_file(folder / "model.safetensors") for folder in (trained.folder, tmp_path / "command")
    )
    assert all(ours[name].equal(theirs[name]) for name in ours.keys() | theirs.keys())
    assert [json.loads(line) for line in result.stdout.splitlines()] == toy_records()


def test_a_run_that_was_finished_is_not_trained_again(tmp_path: Path, tiny_seq2seq: Path) -> None:
    first = train_student(toy_records(), options(tmp_path, tiny_seq2seq))
    steps: list[int] = []
    passed_on: list[dict[str, Any]] = []
    again = train_student(
        toy_records(),
        options(tmp_path, tiny_seq2seq, resume=True),
        lambda step, _logs: steps.append(step),
        pass_on=passed_on.extend,
    )
    assert again == first
    assert not steps
    assert passed_on == toy_records()


def test_the_work_folder_goes_where_passing_on_fails(tmp_path: Path, tiny_seq2seq: Path) -> None:
    def fail(_records: Iterator[dict[str, Any]]) -> None:
        raise BrokenPipeError

    with pytest.raises(BrokenPipeError):
        train_student(toy_records(), options(tmp_path, tiny_seq2seq), pass_on=fail)
    assert [path.name for path in tmp_path.iterdir()] == ["student"]


@pytest.mark.parametrize("when", ["on_start", "pass_on"])
def test_an_interrupt_outside_the_steps_says_how_to_continue(
    tmp_path: Path, tiny_seq2seq: Path, when: str
) -> None:
    def interrupt(*_given: Any) -> None:
        raise KeyboardInterrupt

    chosen = options(tmp_path / "student", tiny_seq2seq)
    hooks: Any = {when: interrupt}
    with pytest.raises(Interrupted, match=r'interrupted; run the same command with "--resume"'):
        train_student(toy_records(), chosen, **hooks)
    trained = train_student(toy_records(), replace(chosen, resume=True))
    assert trained.folder == chosen.save


@pytest.mark.parametrize("when", ["on_start", "on_step", "pass_on"])
def test_the_command_that_continues_a_run_has_no_overwrite(
    tmp_path: Path, tiny_seq2seq: Path, when: str
) -> None:
    def interrupt(*given: Any) -> None:
        if when != "on_step":
            raise KeyboardInterrupt
        if given[0] == 1:
            os.kill(os.getpid(), signal.SIGINT)

    chosen = options(tmp_path / "student", tiny_seq2seq, overwrite=True)
    hooks: Any = {when: interrupt}
    with pytest.raises(Interrupted) as caught:
        train_student(toy_records(), chosen, **hooks)
    typed = 'run the same command with "--resume" in place of "--overwrite" to continue'
    assert str(caught.value.hint).startswith(typed)
    with pytest.raises(UsageError, match="exclude each other") as refused:
        replace(chosen, resume=True).check()
    assert refused.value.hint == 'to keep an unfinished run and continue it, drop "--overwrite"'
    replace(chosen, resume=True, overwrite=False).check()


def test_records_of_the_task_labels_must_list_them(tmp_path: Path, tiny_seq2seq: Path) -> None:
    records = [{**record, "task": "labels"} for record in toy_records()]
    with pytest.raises(DataError, match="needs the set of labels"):
        train_student(records, options(tmp_path, tiny_seq2seq))
    assert not list(tmp_path.iterdir())


def test_a_thread_can_train(tmp_path: Path, tiny_seq2seq: Path) -> None:
    """Signals can be caught in the main thread alone; elsewhere they are left to others."""
    found: list[Path] = []

    def train() -> None:
        found.append(train_student(toy_records(), options(tmp_path, tiny_seq2seq)).folder)

    thread = threading.Thread(target=train)
    thread.start()
    thread.join()
    assert found == [tmp_path / "student"]


def test_the_example_in_the_documentation_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert doctest.testmod(mitools.train.run) == (0, 4)
    assert load_student(tmp_path / "student").generate_labels(["Ann has 3 pears."])


def test_records_without_an_id_get_one_and_invalid_ones_are_named(
    tmp_path: Path, tiny_seq2seq: Path
) -> None:
    records = [{k: v for k, v in one.items() if k != "id"} for one in toy_records()]
    passed_on: list[dict[str, Any]] = []
    train_student(records, options(tmp_path, tiny_seq2seq, max_steps=1), pass_on=passed_on.extend)
    assert all(record.pop("id") for record in passed_on)
    assert passed_on == records
    records[1]["input"] = 5
    with pytest.raises(DataError, match=r'^record:2: field "input" must be a string, not a number'):
        train_student(records, options(tmp_path / "other", tiny_seq2seq))
