"""Checkpoints: complete or absent, and never guessed at."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from mitools.errors import TrainingError
from mitools.train.options import TrainOptions
from mitools.train.prepare import prepare
from mitools.train.work_folder.checkpoints import damage_of, find_newest, rotate, seal
from tests.toys import toy_records
from tests.train.runs import finish, is_same, weights


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
    assert any(note.endswith("checkpoint-2") and "resuming" in note for note in notes)
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


def test_a_checkpoint_behind_a_link_is_not_used(tmp_path: Path, again: TrainOptions) -> None:
    (again.work / "checkpoint-4").rename(tmp_path / "elsewhere")
    (again.work / "checkpoint-4").symlink_to(tmp_path / "elsewhere")
    assert damage_of(again.work / "checkpoint-4") == "it is a link"
    rotate(again.work, 2, None)
    assert (tmp_path / "elsewhere" / "optimizer.pt").exists()
    assert not (again.work / "checkpoint-4").is_symlink()
