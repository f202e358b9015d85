"""The work folder of a run: whose it is, who uses it now, and how it is taken away.

``DIR.work`` beside ``--save DIR`` holds checkpoints, log and tokenized records. A file in it says
that this program made it; a folder without that file is never deleted. The same file carries the
lock that keeps a second process out for as long as the first one lives, however that ends.
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
    """Refuse a work folder that is taken, or is not one, before anything is read.

    Raises:
        OutputError: an unfinished run lies there, or something that this program did not make.
    """
    if not os.path.lexists(path):
        return
    if path.is_symlink() or not path.is_dir():
        message = f"{path} is not a folder of its own"
        raise OutputError(message, hint="remove it, or choose another --save")
    if not _is_ours(path):
        message = f"{path} was not made by mitools train ({MARKER} is missing)"
        raise OutputError(message, hint="move it away, or choose another --save")
    if not (may_continue or may_replace):
        hint = 'add "--resume" to go on with it, or "--overwrite" to start again'
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
    """A work folder that this process alone may use.

    Attributes:
        path: the folder.
    """

    def __init__(self, path: Path, *, empty: bool = False) -> None:
        """Make the folder if it is missing, and lock it.

        Args:
            empty: delete what an earlier run left.

        Raises:
            TrainingError: another process uses it.
            OutputError: it cannot be made or written to.
        """
        self.path = path
        with output_errors(str(path)):
            path.mkdir(parents=True, exist_ok=True)
            handle = _lock(path)
        # However this object ends, the lock ends with it.
        self._release = weakref.finalize(self, os.close, handle)
        try:
            with output_errors(str(path)):
                self._tidy(empty=empty)
        except BaseException:
            self.release()
            raise

    def _tidy(self, *, empty: bool) -> None:
        """Delete what is left of an earlier process; all but the checkpoints is made again."""
        for entry in list(self.path.iterdir()):
            is_stale = entry.name in (*_OWN_FILES, *_LEFTOVERS)
            # A link could lead whoever writes to it out of the folder.
            if entry.name != MARKER and (empty or is_stale or entry.is_symlink()):
                remove(entry)

    def release(self) -> None:
        """Let others use the folder."""
        self._release()

    def delete(self) -> None:
        """Delete the folder, and let go of it; what says whose it is goes last."""
        with contextlib.suppress(OSError):
            for entry in self.path.iterdir():
                if entry.name != MARKER:
                    remove(entry)
            (self.path / MARKER).unlink(missing_ok=True)
            self.path.rmdir()
        self.release()


def remove(path: Path) -> None:
    """Delete a file, a folder or a link; what a link leads to stays."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _lock(path: Path) -> int:
    """Lock the marker and write down who holds it; gives the open file."""
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
        os.close(handle)  # the holder before has deleted the folder meanwhile
        path.mkdir(parents=True, exist_ok=True)


@contextlib.contextmanager
def _closing_on_error(handle: int) -> Iterator[None]:
    try:
        yield
    except BaseException:
        os.close(handle)
        raise


def _is_at(path: Path, handle: int) -> bool:
    """Tell whether an open file is the one that the name stands for now."""
    try:
        return os.path.samestat(os.stat(path, follow_symlinks=False), os.fstat(handle))
    except FileNotFoundError:
        return False


def _describe_holder(handle: int) -> None:
    holder = {"made_by": _MADE_BY, "pid": os.getpid(), "host": socket.gethostname()}
    # Of one length always, so that one write replaces it whole.
    os.pwrite(handle, json.dumps(holder).encode().ljust(_MARKER_BYTES), 0)
