"""Saving a student: nothing is lost where it fails."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mitools.errors import OutputError
from mitools.train.options import TrainOptions
from tests.train.runs import finish, is_same, options, start, weights


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
