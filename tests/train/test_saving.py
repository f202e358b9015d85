"""Saving a student: nothing is lost where it fails."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from mitools.errors import OutputError
from mitools.train.options import TrainOptions
from mitools.train.prepare import prepare
from tests.toys import toy_records
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


@pytest.mark.parametrize(
    ("fields", "task"),
    [({}, "text"), ({"choices": ["3", "4"]}, "choice"), ({"task": "equation"}, "equation")],
)
def test_the_task_of_records_that_do_not_name_it_is_written(
    tmp_path: Path, tiny_seq2seq: Path, fields: dict[str, Any], task: str
) -> None:
    """The one by which train itself read their labels."""
    records = [
        {key: value for key, value in record.items() if key not in ("task", "choices")} | fields
        for record in toy_records()
    ]
    if "choices" in fields:
        records = [{**record, "label": "3"} for record in records]
    chosen = options(tmp_path, tiny_seq2seq, max_steps=1, eval_every=1)
    run = prepare(iter(records), chosen, lambda _: None)
    run.execute()
    run.clean()
    assert json.loads((chosen.save / "mitools.json").read_text())["task"] == task
    assert f"The task of its labels is `{task}`." in (chosen.save / "README.md").read_text()
