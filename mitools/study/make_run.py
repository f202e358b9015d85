"""Make one run: draw its records, train, measure, and store what was found.

A run's folder holds ``train.toml`` and ``eval.ANSWER.toml`` (its options), ``log.txt``,
``training.jsonl`` (the log of train), and for each way of answering ``ANSWER.json`` (the summary)
and ``ANSWER.jsonl.gz`` (the judged records). Where students are kept, so are ``student``,
``records.jsonl`` and ``records.digest``, and the same commands by hand give the same student.
``run.json`` is written last: a run that has it is complete.
"""

from __future__ import annotations

import json
import shutil
import time
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mitools.errors import DataError, MitoolsError
from mitools.files import atomic_output
from mitools.records import Writer
from mitools.student.metadata import work_folder
from mitools.study.draw_records import draw_records, read_records
from mitools.study.plan import Run, Study

__all__ = [
    "COMPLETE",
    "LOG",
    "Execute",
    "Order",
    "RunFailed",
    "check_begun",
    "make_run",
    "write_table",
]

COMPLETE = "run.json"
LOG = "log.txt"
_DIGEST = "records.digest"
"""Of all records of the study: an unfinished run may only go on with the same ones."""

Execute = Callable[[Sequence[str]], int]
"""Runs one mitools command in this process and returns its exit status."""


class RunFailed(MitoolsError):
    """A command of a run ended with an error."""


@dataclass(frozen=True)
class Order:
    """Everything that a worker needs to make a run.

    Attributes:
        records: the file of all records of the study.
        records_digest: its hash.
        folder: of this run.
        student: what to start from, where the command line names it.
        keeps_student: whether the student and its records stay when it is measured.
    """

    study: Study
    run: Run
    records: Path
    records_digest: str
    folder: Path
    student: str | None = None
    keeps_student: bool = False

    @property
    def log(self) -> Path:
        return self.folder / LOG


def make_run(order: Order, execute: Execute) -> None:
    """Make a run; one that was interrupted goes on from its last checkpoint.

    Raises:
        RunFailed: train or eval ended with an error; the log says which.
        MitoolsError: the records cannot be drawn, or the folder cannot be written.
    """
    folder, run, study = order.folder, order.run, order.study
    folder.mkdir(parents=True, exist_ok=True)
    records = folder / "records.jsonl"
    with atomic_output(folder / _DIGEST) as stream:
        stream.write(order.records_digest)
    with atomic_output(records) as stream:
        Writer(stream, flush=False).write_all(draw_records(read_records(order.records), study, run))
    seconds = {"train": _execute(execute, _train_command(order, records))}
    for answer in run.objective.answers:
        seconds[answer] = _execute(execute, _eval_command(order, records, answer))
    shutil.copy(folder / "student" / "log.jsonl", folder / "training.jsonl")
    with atomic_output(folder / COMPLETE) as stream:
        json.dump(_describe(order, seconds), stream, indent=2)
    if not order.keeps_student:
        shutil.rmtree(folder / "student")
        records.unlink()
        (folder / _DIGEST).unlink()


def _execute(execute: Execute, command: Sequence[str]) -> float:
    """Run a command and return how many seconds it took."""
    started = time.monotonic()
    status = execute(command)
    if status:
        raise RunFailed(f'"mitools {command[0]}" ended with status {status}')
    return time.monotonic() - started


def check_begun(order: Order) -> None:
    """Refuse a run that was interrupted, and would go on with other options or records.

    Raises:
        DataError: it was begun with others; ``train`` could not resume it.
    """
    begun, options = order.folder / "student", order.folder / "train.toml"
    if not options.exists() or not (begun.exists() or work_folder(begun).exists()):
        return
    digest, what = order.folder / _DIGEST, None
    if tomllib.loads(options.read_text(encoding="utf-8")) != {"train": _train_options(order)}:
        what = "options"
    elif digest.exists() and digest.read_text(encoding="utf-8") != order.records_digest:
        what = "records"
    if what is not None:
        message = f"{order.folder} was begun with other {what}"
        raise DataError(message, hint='choose another "--out", or delete that folder')


def _train_options(order: Order) -> dict[str, Any]:
    chosen = {**order.study.train_options(order.run.objective), "seed": order.run.seed}
    return chosen if order.student is None else {**chosen, "student": order.student}


def _train_command(order: Order, records: Path) -> list[str]:
    options = order.folder / "train.toml"
    write_table(options, "train", _train_options(order))
    save = ["--save", str(order.folder / "student")]
    return ["train", str(records), "-c", str(options), *save, "--resume", "-o", "/dev/null"]


def _eval_command(order: Order, records: Path, answer: str) -> list[str]:
    options = order.folder / f"eval.{answer}.toml"
    write_table(options, "eval", order.study.eval_options(answer))
    places = {
        "--student": order.folder / "student",
        "--summary": order.folder / f"{answer}.json",
        "-o": order.folder / f"{answer}.jsonl.gz",
    }
    named = [word for name, path in places.items() for word in (name, str(path))]
    return ["eval", str(records), "-c", str(options), *named]


def write_table(path: Path, name: str, options: Mapping[str, Any]) -> None:
    """Write options as one table of a recipe; numbers, texts and lists are JSON and TOML alike."""
    lines = [f"{json.dumps(key)} = {_as_toml(value)}" for key, value in options.items()]
    with atomic_output(path) as stream:
        stream.write("\n".join((f"[{name}]", *lines, "")))


def _as_toml(value: object) -> str:
    if isinstance(value, Mapping):
        pairs = (f"{json.dumps(str(key))} = {_as_toml(one)}" for key, one in value.items())
        return f"{{{', '.join(pairs)}}}"
    return json.dumps(value, ensure_ascii=False)


def _describe(order: Order, seconds: Mapping[str, float]) -> dict[str, Any]:
    run, steps = order.run, 0
    timed_seconds, timed_steps = 0.0, 0
    log = (order.folder / "training.jsonl").read_text(encoding="utf-8")
    for line in map(json.loads, log.splitlines()):
        steps = max(steps, line["step"])
        if line.get("train_steps"):  # one part of the run; it has several if it was interrupted
            timed_steps += line["train_steps"]
            timed_seconds += line["train_runtime"]
    return {
        "name": run.name,
        "objective": run.objective.name,
        "size": run.size,
        "seed": run.seed,
        "fold": run.fold,
        "answers": list(run.objective.answers),
        "digest": run.digest,
        "records_digest": order.records_digest,
        "student": order.student,
        "seconds": {name: round(value, 3) for name, value in seconds.items()},
        "steps": steps,
        "step_seconds": round(timed_seconds / timed_steps, 6) if timed_steps else None,
    }
