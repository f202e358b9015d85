"""The work folder: one run's alone, and nobody else's lost."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from mitools.errors import OutputError, TrainingError
from mitools.train.options import TrainOptions
from mitools.train.prepare import prepare
from mitools.train.work_folder.workspace import MARKER, Workspace, check_work_folder
from tests.toys import toy_records
from tests.train.runs import finish, is_same, options, weights


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
