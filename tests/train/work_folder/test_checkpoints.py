"""Checkpoints and the work folder: whole or not there, one run's alone, and nobody else's lost."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from mitools.errors import OutputError, TrainingError
from mitools.train.options import TrainOptions
from mitools.train.prepare import prepare
from mitools.train.training_run import Interrupted, TrainingRun
from mitools.train.work_folder.checkpoints import damage_of, find_newest, rotate, seal
from mitools.train.work_folder.resume import Finished
from mitools.train.work_folder.workspace import MARKER, Workspace, check_work_folder
from tests.toys import toy_records


def options(folder: Path, student: Path, **changes: Any) -> TrainOptions:
    wanted = {
        "max_steps": 6,
        "eval_every": 2,
        "batch_size": 4,
        "max_label_tokens": 16,
        "max_rationale_tokens": 24,
        "learning_rate": 1e-3,
        "select_by": "label-loss",
    }
    return TrainOptions(save=folder / "student", student=str(student), **{**wanted, **changes})


class Stop(Exception):
    """What ends a run at a step, as if it had been killed."""


def stop_at(wanted: int) -> Callable[[int, Any], None]:
    def on_step(step: int, _logs: Any) -> None:
        if step == wanted:
            raise Stop

    return on_step


def start(chosen: TrainOptions, notes: list[str] | None = None) -> TrainingRun:
    run = prepare(iter(toy_records()), chosen, (notes if notes is not None else []).append)
    assert isinstance(run, TrainingRun)
    return run


def finish(chosen: TrainOptions) -> list[str]:
    notes: list[str] = []
    run = start(chosen, notes)
    run.execute()
    run.clean()
    return notes


def weights(chosen: TrainOptions) -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(chosen.save / "model.safetensors")
    return found


def is_same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> bool:
    return left.keys() == right.keys() and all(torch.equal(left[k], right[k]) for k in left)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny_seq2seq: Path) -> TrainOptions:
    """A run that nobody disturbed."""
    chosen = options(tmp_path_factory.mktemp("whole"), tiny_seq2seq)
    finish(chosen)
    return chosen


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory, tiny_seq2seq: Path) -> TrainOptions:
    """The same run, ended in its fifth step; it left the checkpoints of steps 2 and 4."""
    chosen = options(tmp_path_factory.mktemp("cut"), tiny_seq2seq)
    with pytest.raises(Stop):
        start(chosen).execute(stop_at(5))
    assert sorted(path.name for path in chosen.work.glob("checkpoint-*")) == [
        "checkpoint-2",
        "checkpoint-4",
    ]
    return chosen


@pytest.fixture
def again(cut: TrainOptions, tmp_path: Path) -> TrainOptions:
    """The ended run in a folder of its own, to be resumed."""
    shutil.copytree(cut.work, tmp_path / "student.work")
    return replace(cut, save=tmp_path / "student", resume=True)


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flip_a_bit(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def empty(path: Path) -> None:
    path.write_bytes(b"")


FILES = (
    "model.safetensors",
    "optimizer.pt",
    "scheduler.pt",
    "rng_state.pth",
    "trainer_state.json",
    "config.json",
    "tokenizer.json",
    "manifest.json",
)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", [cut_in_half, flip_a_bit, empty, Path.unlink])
def test_any_damaged_file_is_seen(
    again: TrainOptions, name: str, damage: Callable[[Path], None]
) -> None:
    checkpoint = again.work / "checkpoint-4"
    assert damage_of(checkpoint) is None
    damage(checkpoint / name)
    found = find_newest(again.work)
    assert found.path == again.work / "checkpoint-2"
    assert found.damaged[0][0] == checkpoint
    assert name in found.damaged[0][1] or name == "manifest.json"


@pytest.mark.parametrize("name", ["optimizer.pt", "trainer_state.json"])
def test_a_damaged_checkpoint_is_passed_over_and_the_student_is_the_same(
    again: TrainOptions, whole: TrainOptions, name: str
) -> None:
    cut_in_half(again.work / "checkpoint-4" / name)
    notes = finish(again)
    assert any(f"checkpoint-4 is damaged ({name} has" in note for note in notes)
    assert any(note.endswith("checkpoint-2") and "going on" in note for note in notes)
    assert is_same(weights(again), weights(whole))


def test_where_no_checkpoint_is_whole_nothing_is_guessed(again: TrainOptions) -> None:
    for path in again.work.glob("checkpoint-*"):
        (path / "optimizer.pt").unlink()
    with pytest.raises(TrainingError, match=r"all checkpoints in .* are damaged; start again with"):
        prepare(iter(toy_records()), again, lambda _: None)
    assert (again.work / "checkpoint-4" / "model.safetensors").exists()


def test_a_lost_best_model_is_said(again: TrainOptions) -> None:
    best = json.loads((again.work / "checkpoint-4/trainer_state.json").read_text())
    assert best["best_global_step"] == 4
    state = {**best, "best_global_step": 2, "best_metric": 9.0}
    (again.work / "checkpoint-4/trainer_state.json").write_text(json.dumps(state))
    seal(again.work / "checkpoint-4")
    empty(again.work / "checkpoint-2/model.safetensors")
    notes = finish(again)
    assert any("the best checkpoint so far, of step 2, is lost" in note for note in notes)
    assert json.loads((again.save / "mitools.json").read_text())["results"]["best_step"] == 6


def test_half_written_folders_are_cleared_away(again: TrainOptions, whole: TrainOptions) -> None:
    for name in ("part/checkpoint-6", "student", "replaced", "trial"):
        (again.work / name).mkdir(parents=True)
        (again.work / name / "model.safetensors").write_text("half")
    finish(again)
    assert is_same(weights(again), weights(whole))
    assert not again.work.exists()


@pytest.mark.parametrize("patience", [None, 1])
def test_a_run_that_made_its_last_step_makes_no_other(
    tmp_path: Path, tiny_seq2seq: Path, patience: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Killed while the student was saved, also where it had stopped early."""
    changes = {"learning_rate": 1e-12} if patience else {"max_steps": 5, "eval_every": 5}
    folders = [tmp_path / name for name in ("whole", "cut")]
    found = []
    for folder in folders:
        folder.mkdir()
        chosen = options(folder, tiny_seq2seq, patience=patience, **changes)
        if folder.name == "cut":
            run = start(chosen)
            monkeypatch.setattr(TrainingRun, "_save", lambda *_: (_ for _ in ()).throw(Stop))
            with pytest.raises(Stop):
                run.execute()
            monkeypatch.undo()
            chosen = replace(chosen, resume=True)
        finish(chosen)
        found.append(chosen)
    assert is_same(weights(found[0]), weights(found[1]))
    results = [json.loads((one.save / "mitools.json").read_text())["results"] for one in found]
    assert results[0]["steps"] == results[1]["steps"]


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


def test_a_finished_run_that_is_resumed_only_passes_its_records_on(
    tmp_path: Path, whole: TrainOptions
) -> None:
    shutil.copytree(whole.save, tmp_path / "student")
    chosen = replace(whole, save=tmp_path / "student", resume=True)
    run = prepare(iter(toy_records()), chosen, lambda _: None)
    assert isinstance(run, Finished)
    assert [record["id"] for record in run.spool] == [record["id"] for record in toy_records()]
    run.clean()
    assert not chosen.work.exists()
    with pytest.raises(OutputError, match="is another student"):
        prepare(iter(toy_records(21)), chosen, lambda _: None)
    with pytest.raises(OutputError, match="is another student"):
        prepare(iter(toy_records()), replace(chosen, seed=1), lambda _: None)


def test_a_run_that_was_to_replace_a_student_can_be_resumed(
    tmp_path: Path, whole: TrainOptions
) -> None:
    shutil.copytree(whole.save, tmp_path / "student")
    chosen = replace(whole, save=tmp_path / "student", overwrite=True, seed=1)
    with pytest.raises(Stop):
        start(chosen).execute(stop_at(5))
    assert is_same(weights(chosen), weights(whole))
    finish(replace(chosen, overwrite=False, resume=True))
    assert not is_same(weights(chosen), weights(whole))


# Whose folder it is


@pytest.mark.parametrize("change", ["resume", "overwrite"])
def test_a_folder_of_somebody_else_is_never_deleted(
    tmp_path: Path, tiny_seq2seq: Path, change: str
) -> None:
    chosen = options(tmp_path, tiny_seq2seq, **{change: True})
    chosen.work.mkdir()
    (chosen.work / "thesis.tex").write_text("years of work")
    (chosen.work / "run.json").write_text("{}")
    with pytest.raises(OutputError, match="was not made by mitools train"):
        prepare(iter(toy_records()), chosen, lambda _: None)
    assert (chosen.work / "thesis.tex").exists()
    chosen.save.mkdir()
    (chosen.save / "mitools.json").write_text('{"name": "a file of that name"}')
    shutil.rmtree(chosen.work)
    with pytest.raises(OutputError, match="is not a student, so it is not replaced"):
        prepare(iter(toy_records()), chosen, lambda _: None)
    assert (chosen.save / "mitools.json").exists()


def test_deleting_follows_no_link(tmp_path: Path, again: TrainOptions) -> None:
    outside = tmp_path / "outside"
    (outside / "deep").mkdir(parents=True)
    precious = [outside / "file", outside / "deep" / "file", outside / "log"]
    for path in precious:
        path.write_text("kept")
    (again.work / "records.jsonl").unlink()
    (again.work / "records.jsonl").symlink_to(outside / "file")
    (again.work / "log.jsonl").unlink()
    (again.work / "log.jsonl").symlink_to(outside / "log")
    (again.work / "checkpoint-9").symlink_to(outside)
    (again.work / "checkpoint-2" / "deep").symlink_to(outside / "deep")
    finish(again)
    assert [path.read_text() for path in precious] == ["kept"] * 3
    again.work.symlink_to(outside)
    with pytest.raises(OutputError, match="is a link or a file, not a folder"):
        check_work_folder(again.work, may_continue=True, may_replace=True)


def test_a_checkpoint_behind_a_link_is_not_used(tmp_path: Path, again: TrainOptions) -> None:
    (again.work / "checkpoint-4").rename(tmp_path / "elsewhere")
    (again.work / "checkpoint-4").symlink_to(tmp_path / "elsewhere")
    assert damage_of(again.work / "checkpoint-4") == "it is a link"
    rotate(again.work, 2, None)
    assert (tmp_path / "elsewhere" / "optimizer.pt").exists()
    assert not (again.work / "checkpoint-4").is_symlink()


HOLD = """
import sys, time
from pathlib import Path
from mitools.train.work_folder.workspace import Workspace
space = Workspace(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_second_run_on_one_folder_is_refused_and_the_first_unharmed(
    again: TrainOptions, whole: TrainOptions
) -> None:
    command = [sys.executable, "-c", HOLD, str(again.work)]
    holder = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        before = sorted(again.work.rglob("*"))
        for chosen in (again, replace(again, resume=False, overwrite=True)):
            with pytest.raises(TrainingError, match=f"in use by process {holder.pid} on "):
                prepare(iter(toy_records()), chosen, lambda _: None)
        assert sorted(again.work.rglob("*")) == before
    finally:
        holder.kill()
        holder.communicate()
    finish(again)  # the lock died with its holder
    assert is_same(weights(again), weights(whole))


def test_a_folder_that_its_holder_deletes_is_made_again(tmp_path: Path) -> None:
    first = Workspace(tmp_path / "x.work")
    first.delete()
    second = Workspace(tmp_path / "x.work")
    assert (second.path / MARKER).exists()
    with pytest.raises(TrainingError, match="in use"):
        Workspace(tmp_path / "x.work")
    second.release()
    Workspace(tmp_path / "x.work").delete()
    assert not second.path.exists()


# What ends a run from outside


def run_script(script: str, folder: Path, student: Path) -> str:
    root = str(Path(__file__).parents[3])
    environment = {**os.environ, "PYTHONPATH": root, "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), str(folder), str(student)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=root,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_second_signal_stops_at_once_and_the_run_can_be_resumed(
    tmp_path: Path, tiny_seq2seq: Path, whole: TrainOptions
) -> None:
    def on_step(step: int, _logs: Any) -> None:
        if step == 3:
            for _ in range(2):
                os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted, match=r'stopped at once in step 4; .*"--resume"'):
        start(options(tmp_path, tiny_seq2seq)).execute(on_step)
    chosen = replace(whole, save=tmp_path / "student", resume=True)
    assert any("checkpoint-2" in note for note in finish(chosen))
    assert is_same(weights(chosen), weights(whole))


MEMORY = """
import resource, sys
from dataclasses import replace
from pathlib import Path
from mitools.errors import TrainingError
from mitools.train.prepare import prepare
from tests.train.work_folder.test_checkpoints import options
words = "a bear and a pear " * 400
records = [
    {"id": str(i), "input": words, "label": str(i), "teacher": {"rationale": words}, "task": "text"}
    for i in range(64)
]
chosen = options(Path(sys.argv[1]), Path(sys.argv[2]), batch_size=64, micro_batch_size=64)
chosen = replace(chosen, max_input_tokens=4000, max_rationale_tokens=4000)
run = prepare(iter(records), chosen, lambda _: None)
used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (300 << 20), resource.RLIM_INFINITY))
try:
    run.execute()
except TrainingError as exc:
    print(exc)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="limits memory by the Linux way")
def test_memory_that_runs_out_is_one_line_with_what_to_lower(
    tmp_path: Path, tiny_seq2seq: Path
) -> None:
    said = run_script(MEMORY, tmp_path, tiny_seq2seq)
    assert said.startswith("not enough memory for a forward pass of 64 records; run it again with")
    assert "--micro-batch-size below 64" in said
    assert said.count("\n") == 1


def test_after_running_out_of_memory_smaller_pieces_go_on(
    again: TrainOptions, tiny_seq2seq: Path
) -> None:
    notes = finish(replace(again, micro_batch_size=2))
    assert any("resuming from" in note for note in notes)
    assert again.save.exists()


def test_a_full_disk_while_the_student_is_saved_loses_nothing(
    tmp_path: Path, tiny_seq2seq: Path, monkeypatch: pytest.MonkeyPatch, whole: TrainOptions
) -> None:
    chosen = options(tmp_path, tiny_seq2seq)
    run = start(chosen)

    def fail(*_: Any) -> None:
        raise OutputError("cannot write it: no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("mitools.train.saving.save_student", fail)
        with pytest.raises(OutputError, match=r'no space left.*; .*"--resume"'):
            run.execute()
    assert not chosen.save.exists()
    finish(replace(chosen, resume=True))
    assert is_same(weights(chosen), weights(whole))
