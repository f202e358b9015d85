"""Options that do not go together are refused, with what to type."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from mitools.errors import UsageError
from mitools.train.options import TrainOptions


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 6, "micro_batch_size": 4}, "6 is not a multiple of --micro-batch-size 4"),
        ({"batch_size": 1, "mi": "infonce"}, "--mi infonce compares the records of a forward"),
        ({"micro_batch_size": 1, "mi": "conclude", "mi_control": "mixed"}, "here it has one"),
        ({"resume": True, "overwrite": True}, "--resume and --overwrite exclude each other"),
        ({"soft_labels": True, "labels_from": "gold"}, "--labels-from gold excludes them"),
        ({"wrong_rationales": True}, "--wrong-rationales needs a contrastive term, not --mi none"),
        ({"eval_on": "test"}, "--select-by accuracy must not read the test split"),
        ({"select_by": "last", "patience": 2}, "--patience needs a metric"),
        ({"student": "scratch:tiny", "lora": 4}, "those of --student scratch:tiny are random"),
    ],
)
def test_options_that_exclude_each_other_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        TrainOptions(Path("student"), **changes).check()
    assert caught.value.hint


def test_options_that_go_together_are_not() -> None:
    TrainOptions(Path("student"), wrong_rationales=True, mi="infonce", resume=True).check()
    TrainOptions(Path("student"), batch_size=1, mi="infonce", wrong_rationales=True).check()
    TrainOptions(Path("student"), select_by="last", eval_on="test", overwrite=True).check()
