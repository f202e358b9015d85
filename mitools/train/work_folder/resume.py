"""Resuming an interrupted run: what must be the same, where it continues, whether it is over."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mitools.errors import OutputError, StudentError, TrainingError
from mitools.student.metadata import read_metadata
from mitools.train.options import TrainOptions
from mitools.train.tokenized import TokenSpool
from mitools.train.work_folder.checkpoints import (
    START_AGAIN,
    checkpoint_path,
    damage_of,
    find_newest,
    read_state,
)
from mitools.train.work_folder.workspace import Workspace

__all__ = [
    "Finished",
    "find_checkpoint",
    "finished_run",
    "is_at_its_end",
    "is_started",
    "write_state",
]

_STATE = "run.json"


@dataclass(frozen=True)
class Finished:
    """A run whose student is saved, and which ended before its records were passed on.

    Attributes:
        spool: every record that was read.
    """

    options: TrainOptions
    spool: TokenSpool
    workspace: Workspace

    def clean(self) -> None:
        """Delete the work folder, with the spool."""
        self.workspace.delete()


def is_started(work: Path) -> bool:
    """Tell whether a work folder holds a run that can be resumed."""
    return (work / _STATE).exists() or any(work.glob("checkpoint-*"))


def write_state(options: TrainOptions, digest: str) -> None:
    """Record which run the work folder belongs to."""
    state = {"options": options.as_json(), "data": digest, "replaces": options.overwrite}
    if options.resume and (before := _read_state(options)):
        state["replaces"] = before.get("replaces", False)
    part = options.work / (_STATE + ".part")
    part.write_text(json.dumps(state, indent=2), encoding="utf-8")
    part.replace(options.work / _STATE)


def _read_state(options: TrainOptions) -> dict[str, Any] | None:
    path = options.work / _STATE
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as exc:
        raise TrainingError(f"cannot read {path}: {exc}", hint=START_AGAIN) from exc
    if not isinstance(found, dict) or not isinstance(found.get("options"), dict):
        raise TrainingError(f"{path} does not describe a run", hint=START_AGAIN)
    return found


def finished_run(options: TrainOptions, spool: TokenSpool, workspace: Workspace) -> Finished | None:
    """Return the run to resume if it has saved its student already, else None.

    Raises:
        OutputError: ``options.save`` is another student.
    """
    if not (options.resume and options.save.exists()):
        return None
    try:
        student = read_metadata(options.save)
    except StudentError:
        student = {}
    data, before = student.get("data"), student.get("options")
    is_same = isinstance(data, dict) and data.get("sha256") == spool.digest
    if is_same and isinstance(before, dict) and not options.changes_since(before):
        return Finished(options, spool, workspace)
    state = _read_state(options) or {}
    if not state.get("replaces"):
        message = f"{options.save} already exists, and is another student"
        raise OutputError(message, hint=f"choose another --save, or {START_AGAIN}")
    return None


def find_checkpoint(options: TrainOptions, digest: str, note: Callable[[str], None]) -> str | None:
    """Find the checkpoint to continue from; None starts with the first step.

    Raises:
        TrainingError: the work folder belongs to another run, or all of its checkpoints are
            damaged.
    """
    if not options.resume:
        return None
    before = _read_state(options)
    found = find_newest(options.work)
    if before is None and (found.path or found.damaged):
        message = f"{options.work} holds checkpoints that mitools train did not write"
        raise TrainingError(message, hint=f"move them elsewhere, or {START_AGAIN}")
    if before is not None:
        _check_same(before, options, digest)
    for path, problem in found.damaged:
        note(f"{path} is damaged ({problem})")
    if found.path is None and found.damaged:
        message = f"all checkpoints in {options.work} are damaged"
        raise TrainingError(message, hint=START_AGAIN)
    if found.path is None:
        note("no checkpoint yet; starting with the first step")
        return None
    note(f"resuming from {found.path}")
    _report_best(found.path, options.work, note)
    return str(found.path)


def _report_best(checkpoint: Path, work: Path, note: Callable[[str], None]) -> None:
    best = read_state(checkpoint).get("best_global_step")
    if best and (problem := damage_of(checkpoint_path(work, best))):
        message = f"the best checkpoint so far, of step {best:,}, is lost ({problem})"
        note(f"{message}; the best of the remaining steps will be saved")


def _check_same(before: Mapping[str, Any], options: TrainOptions, digest: str) -> None:
    work = options.work
    if before.get("data") != digest:
        message = f"the records differ from those that {work} was trained on"
        raise TrainingError(message, hint=f"use the same records, or {START_AGAIN}")
    old, now = before["options"], options.as_json()
    for name in options.changes_since(old):
        message = f"{work} was trained with {name} = {old.get(name)}, not {now[name]}"
        raise TrainingError(message, hint=f"use the same options, or {START_AGAIN}")


def is_at_its_end(checkpoint: str, total_steps: int, options: TrainOptions) -> bool:
    """Tell whether a checkpoint is that of the last step, or of the step that stopped early."""
    state = read_state(Path(checkpoint))
    if state["global_step"] >= total_steps:
        return True
    saved = state.get("stateful_callbacks", {}).get("Patience", {})
    count = saved.get("attributes", {}).get("early_stopping_patience_counter", 0)
    return options.patience is not None and count >= options.patience
