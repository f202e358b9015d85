"""The work folder of a run: its marker, its lock, and its deletion.

``DIR.work`` beside ``--save DIR`` holds checkpoints, log and tokenized records. A marker file in it
states that this program made it; a folder without the marker is never deleted. The marker is also
the lock that keeps a second process out until the first one ends, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import socket
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from mitools.errors import OutputError, TrainingError
from mitools.files import output_errors

__all__ = ["MARKER", "Workspace", "check_work_folder", "remove"]

MARKER = "mitools-train.json"

_MADE_BY = "mitools train"
_MARKER_BYTES = 512
_OWN_FILES = ("records.jsonl", "train.arrow", "valid.arrow", "ready.json", "ready.json.part")
_LEFTOVERS = ("part", "student", "replaced", "trial")


def check_work_folder(path: Path, *, may_continue: bool, may_replace: bool) -> None:
    """Refuse a path that is in use or is not a work folder, before anything is read.

    Raises:
        OutputError: it holds an unfinished run, or something that this program did not make.
    """
    if not os.path.lexists(path):
        return
    if path.is_symlink() or not path.is_dir():
        message = f"{path} is a link or a file, not a folder"
        raise OutputError(message, hint="remove it, or choose another --save")
    if not _is_ours(path):
        message = f"{path} was not made by mitools train ({MARKER} is missing)"
        raise OutputError(message, hint="move it elsewhere, or choose another --save")
    if not (may_continue or may_replace):
        hint = 'add "--resume" to continue it, or "--overwrite" to start again'
        raise OutputError(f"{path} holds an unfinished run", hint=hint)


def _is_ours(path: Path) -> bool:
    if _read_marker(path).get("made_by") == _MADE_BY:
        return True
    return {entry.name for entry in path.iterdir()} <= {MARKER}  # killed while it was made


def _read_marker(path: Path) -> dict[str, Any]:
    with contextlib.suppress(OSError, ValueError, RecursionError):
        found = json.loads((path / MARKER).read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    return {}


class Workspace:
    """A work folder that only this process may use.

    Attributes:
        path: the folder.
    """

    def __init__(self, path: Path, *, empty: bool = False) -> None:
        """Create the folder if it is missing, and lock it.

        Args:
            empty: delete what an earlier run left.

        Raises:
            TrainingError: another process uses it.
            OutputError: it cannot be created or written to.
        """
        self.path = path
        with output_errors(str(path)):
            path.mkdir(parents=True, exist_ok=True)
            handle = _lock(path)
        # The lock is released when this object is garbage-collected, or at exit.
        self._release = weakref.finalize(self, os.close, handle)
        try:
            with output_errors(str(path)):
                self._tidy(empty=empty)
        except BaseException:
            self.release()
            raise

    def _tidy(self, *, empty: bool) -> None:
        """Delete what an earlier process left, except checkpoints; the rest is written again."""
        for entry in list(self.path.iterdir()):
            is_stale = entry.name in (*_OWN_FILES, *_LEFTOVERS)
            # A link could make later writes leave the folder.
            if entry.name != MARKER and (empty or is_stale or entry.is_symlink()):
                remove(entry)

    def release(self) -> None:
        """Release the lock."""
        self._release()

    def delete(self) -> None:
        """Delete the folder, the marker last, and release the lock."""
        with contextlib.suppress(OSError):
            for entry in self.path.iterdir():
                if entry.name != MARKER:
                    remove(entry)
            (self.path / MARKER).unlink(missing_ok=True)
            self.path.rmdir()
        self.release()


def remove(path: Path) -> None:
    """Delete a file, a folder or a link, but not the target of a link."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _lock(path: Path) -> int:
    """Lock the marker, record its holder in it, and return its file descriptor."""
    while True:
        flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
        handle = os.open(path / MARKER, flags, 0o666)
        with _closing_on_error(handle):
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as exc:
                holder = _read_marker(path)
                who = f"process {holder.get('pid', '?')} on {holder.get('host', '?')}"
                hint = "wait for it, or stop it first"
                raise TrainingError(f"{path} is in use by {who}", hint=hint) from exc
            if _is_at(path / MARKER, handle):
                _describe_holder(handle)
                return handle
        os.close(handle)  # the last holder has deleted the folder in the meantime
        path.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def _closing_on_error(handle: int) -> Iterator[None]:
    try:
        yield
    except BaseException:
        os.close(handle)
        raise


def _is_at(path: Path, handle: int) -> bool:
    """Tell whether a path still names an open file."""
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(handle))
    except FileNotFoundError:
        return False


def _describe_holder(handle: int) -> None:
    holder = {"made_by": _MADE_BY, "pid": os.getpid(), "host": socket.gethostname()}
    # Always of one length, so that one write replaces all of it.
    os.pwrite(handle, json.dumps(holder).encode().ljust(_MARKER_BYTES), 0)
