"""Studies and results for tests, and a stand-in for the commands that a run executes."""

from __future__ import annotations

import gzip
import json
import os
import signal
import threading
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from mitools.study.plan import Run, Study, read_study, runs_of
from mitools.study.results import Result, Verdict

MINIMAL = """
[grid]
seeds = 2
sizes = [4, 8]
[train]
student = "scratch:tiny"
max-steps = 2
[objectives.dss]
mi = "none"
[objectives.label]
alpha = 1
"""


def study_records(n: int = 40) -> list[dict[str, Any]]:
    """Records of which a quarter each validates and tests."""
    splits = ("train", "valid", "train", "test")
    return [
        {"id": f"r{place}", "input": f"question {place}", "label": "1", "split": splits[place % 4]}
        for place in range(n)
    ]


def write_study(folder: Path, text: str = MINIMAL, records: int = 40) -> Study:
    """Write a study file and its records; read it back."""
    path = folder / "study.toml"
    path.write_text(text)
    lines = (json.dumps(record) + "\n" for record in study_records(records))
    (folder / "records.jsonl").write_text("".join(lines))
    return read_study(path)


def results_of(
    study: Study, correct: Mapping[tuple[str, int], Sequence[int]], **figures: float
) -> list[Result]:
    """Make a result of every run whose objective and seed have a row of right answers."""
    found = []
    for run in runs_of(study):
        row = correct.get((run.objective.name, run.seed))
        if row is not None:
            found += [_result(run, answer, row, figures) for answer in run.objective.answers]
    return found


def _result(run: Run, answer: str, row: Sequence[int], figures: Mapping[str, float]) -> Result:
    start = 100 * (run.fold or 0)
    verdicts = {
        (f"r{start + place}", "", 0): Verdict(bool(hit), True) for place, hit in enumerate(row)
    }
    return Result(run, answer, verdicts, {"accuracy": sum(row) / len(row), **figures}, 0.5)


# Commands that stand in for train and eval; workers import them from here.


def _value(arguments: Sequence[str], name: str) -> Path:
    return Path(arguments[arguments.index(name) + 1])


def execute(arguments: Sequence[str]) -> int:
    """Stand in for a command: write what train and eval leave behind, and keep count."""
    if arguments[0] == "train":
        folder = _value(arguments, "--save")
        folder.mkdir(exist_ok=True)
        parts = [(1, 1.0), (2, 2.0)]  # of a run that was resumed at step 1
        log = [{"step": step, "train_runtime": time, "train_steps": 1} for step, time in parts]
        (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))
        count(folder.parents[2], f"train {folder.parent.name}")
        return 0
    records = [json.loads(line) for line in Path(arguments[1]).read_text().splitlines()]
    summary = {"calibration": {"ece_width": {"value": 0.25}}}
    _value(arguments, "--summary").write_text(json.dumps(summary))
    with gzip.open(_value(arguments, "-o"), "wt") as stream:
        for record in records:
            if record["split"] == "test":
                judged = {"student": {"label": "1", "rationale": "so"}, "scores": {"correct": True}}
                stream.write(json.dumps({**record, **judged}) + "\n")
    return 0


def execute_badly(arguments: Sequence[str]) -> int:
    """Fail on the runs of one objective, as a wrong option would."""
    return 1 if "label" in str(_value(arguments, "-c").parent) else execute(arguments)


def execute_nothing(arguments: Sequence[str]) -> int:
    """Fail always."""
    return 1


def execute_fatally(arguments: Sequence[str]) -> int:
    """End the whole process in the runs of one objective, as a full memory would."""
    if "label" in str(_value(arguments, "-c").parent):
        os.kill(os.getpid(), signal.SIGKILL)
    return execute(arguments)


def execute_slowly(arguments: Sequence[str]) -> int:
    """Take much longer from the second seed on."""
    if arguments[0] == "train" and ".s1" in str(_value(arguments, "--save")):
        count(_value(arguments, "--save").parents[2], f"pid {os.getpid()}")
        time.sleep(120)
    return execute(arguments)


def execute_until_told(arguments: Sequence[str]) -> int:
    """Train without an end in all but the first run; save and stop at a signal, as train does."""
    folder = _value(arguments, "--save") if arguments[0] == "train" else None
    if folder is None or "dss.n4.s0" in str(folder):
        return execute(arguments)
    told = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told.set())
    count(folder.parents[2], f"pid {os.getpid()}")
    while not told.wait(0.05):
        pass
    count(folder.parents[2], f"saved {folder.parent.name}")
    return 130


def execute_in_group(arguments: Sequence[str]) -> int:
    """Note the process group of the worker."""
    if arguments[0] == "train":
        count(_value(arguments, "--save").parents[2], f"group {os.getpgid(0)}")
    return execute(arguments)


def execute_last_alone(arguments: Sequence[str]) -> int:
    """Fail in the last run if another worker is still there after 20 seconds."""
    if arguments[0] == "train":
        folder = _value(arguments, "--save")
        out, own = folder.parents[2], str(os.getpid())
        count(out, f"pid {own}")
        deadline = time.monotonic() + 20
        while "label.n4.s1" in str(folder) and any(
            os.path.exists(f"/proc/{worker}") for worker in counted(out, "pid") if worker != own
        ):
            if time.monotonic() > deadline:
                return 1
            time.sleep(0.05)
    return execute(arguments)


def count(out: Path, text: str) -> None:
    with (out / "count.txt").open("a") as stream:
        stream.write(text + "\n")


def counted(out: Path, word: str = "train") -> Iterable[str]:
    """Give what was counted, in its order."""
    path = out / "count.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    return [line.removeprefix(f"{word} ") for line in lines if line.startswith(word)]
