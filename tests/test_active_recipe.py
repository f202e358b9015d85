"""The recipe ``active``: its rounds, how it continues, and its learning curve."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

RECIPE = Path(__file__).parents[1] / "recipes" / "active"

# In place of mitools: logs its arguments, and makes the files that they name.
STUB = """#!/usr/bin/env bash
echo "$*" >> "$LOG"
while [ $# -gt 0 ]; do
  case $1 in
    --out-dir) mkdir -p "$2"; touch "$2/train.jsonl" "$2/test.jsonl" ;;
    --save) mkdir "$2" ;;
    -o | --summary) touch "$2" ;;
  esac
  shift
done
"""


def run(folder: Path, *arguments: str, **environment: str) -> tuple[int, list[str]]:
    """Run the script, and return its status and the calls of mitools."""
    programs, log = folder / "bin", folder / "log"
    programs.mkdir(exist_ok=True)
    (programs / "mitools").write_text(STUB)
    (programs / "mitools").chmod(0o755)
    log.write_text("")
    path = f"{programs}:{os.environ['PATH']}"
    env = {**os.environ, "PATH": path, "LOG": str(log), **environment}
    done = subprocess.run([RECIPE / "run.sh", *arguments], cwd=folder, env=env, capture_output=True)
    calls = [line.replace(f" -c {RECIPE}", "") for line in log.read_text().splitlines()]
    return done.returncode, calls


def test_each_round_asks_about_what_the_last_student_is_least_sure_of(tmp_path: Path) -> None:
    status, calls = run(tmp_path, "--teacher", "demo", BUDGETS="5 7")
    out = "runs/active/least-sure-0"
    assert status == 0
    assert sorted(calls[:2]) == ["load", f"split --out-dir {out}/data"]
    assert calls[2:] == [
        f"annotate --seed 0 --random 5 --teacher demo {out}/data/train.jsonl "
        f"-o {out}/round-1.jsonl",
        f"train --seed 0 --save {out}/student-1 {out}/round-1.jsonl",
        f"eval --student {out}/student-1 --summary {out}/student-1.json -o {out}/student-1.jsonl "
        f"{out}/data/test.jsonl",
        f"annotate --seed 0 --student {out}/student-1 --least-sure 7 --teacher demo "
        f"{out}/round-1.jsonl -o {out}/round-2.jsonl",
        f"train --seed 0 --save {out}/student-2 {out}/round-2.jsonl",
        f"eval --student {out}/student-2 --summary {out}/student-2.json -o {out}/student-2.jsonl "
        f"{out}/data/test.jsonl",
    ]


def test_it_continues_where_it_stopped(tmp_path: Path) -> None:
    assert run(tmp_path, BUDGETS="5 7")[0] == 0
    assert run(tmp_path, BUDGETS="5 7") == (0, [])
    out = tmp_path / "runs" / "active" / "least-sure-0"
    for name in ("student-2.json", "student-2.jsonl"):
        (out / name).unlink()
    (out / "student-2").rmdir()
    (out / "student-2.work").mkdir()
    status, calls = run(tmp_path, BUDGETS="5 7")
    assert status == 0
    assert [call.split()[0] for call in calls] == ["train", "eval"]
    assert " --resume " in calls[0]


def test_random_rounds_need_no_student(tmp_path: Path) -> None:
    status, calls = run(tmp_path, CHOOSE="random", SEED="3", BUDGETS="5 7")
    annotated = [call for call in calls if call.startswith("annotate")]
    assert status == 0
    assert ["--random 5" in annotated[0], "--random 7" in annotated[1]] == [True, True]
    assert all("--seed 3" in call for call in annotated)
    assert run(tmp_path, CHOOSE="best")[0] == 2


def test_the_lowest_confidences_are_a_choice_too(tmp_path: Path) -> None:
    status, calls = run(tmp_path, CHOOSE="no-spread", BUDGETS="5 7")
    first, second = (call for call in calls if call.startswith("annotate"))
    assert status == 0
    assert "--random 5" in first
    assert "--student runs/active/no-spread-0/student-1 --least-sure 7 --no-spread" in second


@pytest.fixture(scope="module")
def curve() -> ModuleType:
    spec = importlib.util.spec_from_file_location("active_curve", RECIPE / "curve.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_curve_holds_every_round_of_every_seed(curve: ModuleType, tmp_path: Path) -> None:
    asked = {"id": "a", "input": "x", "teacher": {"label": "1"}}
    for choice, seed, right in (("random", 0, 0.5), ("random", 1, 0.7), ("least-sure", 0, 0.8)):
        folder = tmp_path / f"{choice}-{seed}"
        folder.mkdir()
        for number in (1, 2):
            records = [asked, {**asked, "id": "b", "teacher": asked["teacher"]}][:number]
            lines = [*records, {"id": "c", "input": "x"}]
            text = "".join(f"{json.dumps(line)}\n" for line in lines)
            (folder / f"round-{number}.jsonl").write_text(text)
            summary = {"label": {"accuracy": {"value": right * number / 2}}}
            (folder / f"student-{number}.json").write_text(json.dumps(summary))
    drawn = curve.cells(curve.collect(tmp_path))
    assert curve.table(drawn).splitlines()[2:] == [
        "| 1 | least-sure | 40.0% | 1 |",
        "| 1 | random | 30.0% (-33.5% to 93.5%) | 2 |",
        "| 2 | least-sure | 80.0% | 1 |",
        "| 2 | random | 60.0% (-67.1% to 187.1%) | 2 |",
    ]
