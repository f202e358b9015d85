"""Resuming: what is made again, what is not, and runs that were over."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mitools.errors import OutputError
from mitools.train.options import TrainOptions
from mitools.train.prepare import prepare
from mitools.train.training_run import TrainingRun
from mitools.train.work_folder.resume import Finished
from tests.toys import toy_records
from tests.train.runs import Stop, finish, is_same, options, start, stop_at, weights


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


def test_after_running_out_of_memory_smaller_pieces_go_on(
    again: TrainOptions, tiny_seq2seq: Path
) -> None:
    notes = finish(replace(again, micro_batch_size=2))
    assert any("resuming from" in note for note in notes)
    assert again.save.exists()
