"""Files of one folder that belong together: replaced all at once, or not at all.

A folder with a new test file and an old train file looks complete, but test examples may then be
among the training examples. No file system replaces several files at once, so the new files are
written elsewhere, and the old ones are deleted before the first new one is moved into place:

1. The new files are complete in ``FOLDER/.NAME.part-XXXX``.
2. That folder is renamed to ``FOLDER/.NAME.ready``: from here on the new files are valid.
3. The old files are deleted, one by one; then the new ones are moved into their place.
4. The emptied folder is deleted.

A run that is killed before step 2 leaves the old files. One that is killed later leaves some files
missing, but never an old file beside a new one; the next run into the folder first completes the
replacement.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

from mitools.errors import OutputError
from mitools.files import atomic_output, output_errors, take_mode

__all__ = ["atomic_parts", "complete_parts"]


@contextlib.contextmanager
def atomic_parts(folder: Path, name: str, parts: Sequence[str]) -> Iterator[dict[str, IO[str]]]:
    """Open text files that replace those in a folder together, if the block ends without an error.

    Other files in the folder stay.

    Args:
        folder: created if it does not exist.
        name: identifies the set of files; the same in every run into this folder.
        parts: the names of the files.

    Raises:
        OutputError: the folder is full or not writable, or a part is a folder.
    """
    with output_errors(str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
        complete_parts(folder, name)
        for part in parts:
            if (folder / part).is_dir():
                raise OutputError(f"{folder / part} is a folder", hint="move it away")
        aside = Path(tempfile.mkdtemp(prefix=f".{name}.part-", dir=folder))
        try:
            with contextlib.ExitStack() as stack:
                yield {
                    part: stack.enter_context(atomic_output(aside / part, str(folder)))
                    for part in parts
                }
            for part in parts:
                take_mode(aside / part, folder / part)
            aside.rename(_ready(folder, name))
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
        complete_parts(folder, name)


def complete_parts(folder: Path, name: str) -> bool:
    """Complete an interrupted replacement; return whether there was one."""
    ready = _ready(folder, name)
    if not ready.is_dir():
        return False
    parts = sorted(os.listdir(ready))
    placed = ready / ".placed"
    if placed.name not in parts:
        for part in parts:
            (folder / part).unlink(missing_ok=True)
        placed.touch()
    for part in parts:
        if part != placed.name:
            (ready / part).replace(folder / part)
    placed.unlink()
    ready.rmdir()
    return True


def _ready(folder: Path, name: str) -> Path:
    return folder / f".{name}.ready"
