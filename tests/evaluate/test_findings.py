"""The document of an evaluation: from Python it is what the command line writes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from mitools.cli import mitools as cli
from mitools.evaluate.findings import as_document, join_runs
from mitools.evaluate.measures import statistics
from mitools.evaluate.options import EvalOptions
from mitools.evaluate.run import Evaluation


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(statistics, "RESAMPLES", 200)
    monkeypatch.setattr(statistics, "_FEWEST_RESAMPLES", 200)


def judged(right: int, n: int = 12) -> list[dict[str, Any]]:
    return [
        {
            "id": str(number),
            "input": f"{number} + 1?",
            "label": str(number + 1),
            "task": "equation",
            "student": {
                "label": str(number + 1 if number < right else number),
                "rationale": f"{number} + 1 = {number + 1}",
                "confidence": 0.5,
            },
        }
        for number in range(n)
    ]


def evaluated(records: list[dict[str, Any]]) -> Evaluation:
    evaluation = Evaluation(EvalOptions(simulator="local", permutations=9, outcomes=True))
    list(evaluation.run(iter(records)))
    return evaluation


def test_the_library_makes_what_the_command_line_writes(tmp_path: Path) -> None:
    ours, theirs = judged(9), judged(3)
    for name, records in (("ours", ours), ("theirs", theirs)):
        lines = "".join(json.dumps(record) + "\n" for record in records)
        (tmp_path / name).write_text(lines)
    args = ["eval", str(tmp_path / "ours"), "--compare", str(tmp_path / "theirs"), "--seed", "3"]
    result = CliRunner().invoke(
        cli, [*args, "--permutations", "9", "--summary", str(tmp_path / "summary.json")]
    )
    assert result.exit_code == 0, result.stderr
    run, baseline = evaluated(ours), evaluated(theirs)
    found = join_runs([run], [run.summary(3)], [baseline], seed=3)
    written = json.loads((tmp_path / "summary.json").read_text())
    assert json.loads(json.dumps(as_document(found, run, {}))) == written
    assert written["comparison"]


def test_runs_with_seeds_of_their_own_keep_a_summary_each() -> None:
    runs = [evaluated(judged(right)) for right in (4, 8)]
    found = join_runs(runs, [run.summary() for run in runs], by_seed=True)
    assert [one["label"]["accuracy"].value for one in found["runs"]] == [4 / 12, 8 / 12]
    assert found["seeds"]["accuracy"].value == pytest.approx(0.5)
