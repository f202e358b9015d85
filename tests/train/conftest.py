"""Runs that several tests of training look at or go on with; nobody changes them."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from mitools.train.options import TrainOptions
from tests.train.runs import Stop, finish, options, start, stop_at


@pytest.fixture(scope="session")
def whole(tmp_path_factory: pytest.TempPathFactory, tiny_seq2seq: Path) -> TrainOptions:
    """A run that nobody disturbed."""
    chosen = options(tmp_path_factory.mktemp("whole"), tiny_seq2seq)
    finish(chosen)
    return chosen


@pytest.fixture(scope="session")
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
