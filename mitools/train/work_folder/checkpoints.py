"""Checkpoints that are complete or absent: sealing, verifying, choosing and deleting them.

A checkpoint is written under a temporary name, its files are hashed, and the list of hashes is
written last; then the folder is renamed. On resume every file is compared with that list.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mitools.train.work_folder.workspace import remove

__all__ = [
    "MANIFEST",
    "OWED",
    "START_AGAIN",
    "STATE",
    "FoundCheckpoint",
    "checkpoint_path",
    "damage_of",
    "find_newest",
    "publish",
    "read_state",
    "rotate",
    "seal",
    "sync_folder",
]

MANIFEST = "manifest.json"
STATE = "trainer_state.json"
OWED = "owes-validation"
"""An empty file in a checkpoint whose step ended without the validation that was due."""
START_AGAIN = 'start again with "--overwrite" and without "--resume"'
"""What to type where a run cannot be continued, for hints."""

_NAME = re.compile(r"checkpoint-([1-9][0-9]{0,11})")
_KEPT = 2
_NEEDED = ("optimizer.pt", "scheduler.pt", STATE)


@dataclass(frozen=True)
class FoundCheckpoint:
    """The result of a search for a checkpoint.

    Attributes:
        path: the newest complete one; None if there is none.
        damaged: newer ones, each with what is wrong with it.
    """

    path: Path | None
    damaged: tuple[tuple[Path, str], ...] = ()


def checkpoint_path(work: Path, step: int) -> Path:
    return work / f"checkpoint-{step}"


def seal(folder: Path) -> None:
    """Record the size and hash of every file of a folder, and flush all of it to the disk.

    Raises:
        OSError: the disk is full or fails.
    """
    files = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path != folder / MANIFEST:
            with path.open("rb") as stream:
                digest = hashlib.file_digest(stream, "sha256").hexdigest()
            files[str(path.relative_to(folder))] = {"bytes": path.stat().st_size, "sha256": digest}
    part = folder / (MANIFEST + ".part")
    part.write_text(json.dumps({"files": files}, indent=1), encoding="utf-8")
    part.replace(folder / MANIFEST)
    sync_folder(folder)


def sync_folder(folder: Path) -> None:
    """Flush a folder and everything in it to the disk."""
    for path in (*folder.rglob("*"), folder):
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def publish(part: Path, final: Path, aside: Path) -> None:
    """Rename a finished folder to its final name; an existing one is moved aside, then deleted.

    All three must be on one file system.
    """
    if os.path.lexists(final):
        final.rename(aside)
    part.rename(final)
    for folder in {final.parent, part.parent}:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    remove(aside)


def damage_of(folder: Path) -> str | None:
    """Say what is wrong with a checkpoint; None if every file is as it was written."""
    if folder.is_symlink():
        return "it is a link"
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        files = dict(manifest["files"])
    except FileNotFoundError:
        return f"{MANIFEST} is missing"
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return f"{MANIFEST} is damaged"
    missing = [name for name in _NEEDED if name not in files]
    if missing:
        return f"{missing[0]} is missing"
    for name, expected in files.items():
        if problem := _damage_of_file(folder, name, expected):
            return f"{name} {problem}"
    return None


def _damage_of_file(folder: Path, name: str, expected: Any) -> str | None:
    path = folder / name
    if Path(name).is_absolute() or ".." in Path(name).parts or path.is_symlink():
        return "lies outside"
    try:
        if not path.is_file():
            return "is missing"
        size = path.stat().st_size
        if size != expected["bytes"]:
            return f"has {size:,} bytes instead of {expected['bytes']:,}"
        with path.open("rb") as stream:
            digest = hashlib.file_digest(stream, "sha256").hexdigest()
    except (OSError, KeyError, TypeError, ValueError) as exc:
        return f"cannot be read ({type(exc).__name__})"
    return None if digest == expected.get("sha256") else "is damaged"


def find_newest(work: Path) -> FoundCheckpoint:
    """Find the newest complete checkpoint, and what is wrong with newer ones."""
    damaged: list[tuple[Path, str]] = []
    for _, path in sorted(_numbered(work), reverse=True):
        problem = damage_of(path)
        if problem is None:
            return FoundCheckpoint(path, tuple(damaged))
        damaged.append((path, problem))
    return FoundCheckpoint(None, tuple(damaged))


def _numbered(work: Path) -> Iterator[tuple[int, Path]]:
    for path in work.iterdir():
        if (match := _NAME.fullmatch(path.name)) and (path.is_dir() or path.is_symlink()):
            yield int(match[1]), path


def read_state(checkpoint: Path) -> dict[str, Any]:
    """Read the trainer state of a complete checkpoint."""
    state: dict[str, Any] = json.loads((checkpoint / STATE).read_text(encoding="utf-8"))
    return state


def rotate(work: Path, last: int, best: int | None) -> None:
    """Delete old checkpoints: two are kept, the last and the best among them.

    Checkpoints of later steps are deleted too: they are from before the run was resumed at an
    earlier step.
    """
    checkpoints = sorted(_numbered(work))
    kept = {step for step, _ in checkpoints if step in (last, best)}
    for step in [step for step, _ in checkpoints if step < last][::-1]:
        if len(kept) < _KEPT:
            kept.add(step)
    for step, path in checkpoints:
        if step not in kept:
            remove(path)
