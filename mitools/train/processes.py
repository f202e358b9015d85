"""Several processes that train one student: who reads the records, and how the others follow.

Under ``torchrun`` or ``accelerate launch`` every process runs the whole command. The first one
reads the records, writes the Arrow files and says so in a small file; the others wait for that
file, for as long as it takes: the records may come from a pipe that a teacher is still writing to.
Should the first one fail, the launcher ends them.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState

__all__ = ["Processes"]

_READY = "ready.json"
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Processes:
    """The processes of a run.

    Attributes:
        index: which one this is, from 0.
        count: how many there are.
    """

    index: int = 0
    count: int = 1

    @classmethod
    def found(cls) -> Processes:
        """Ask the launcher's environment; one process where there is no launcher."""
        count = int(os.environ.get("WORLD_SIZE", "1"))
        return cls(int(os.environ.get("RANK", "0")), count)

    @property
    def is_first(self) -> bool:
        return self.index == 0

    def meet(self) -> None:
        """Wait until every process is here."""
        if self.count > 1:
            # Without this word for it, processes without a GPU would not find each other.
            PartialState(cpu=not torch.accelerator.is_available()).wait_for_everyone()

    def announce(self, folder: Path, found: Mapping[str, Any]) -> None:
        """Tell the others that the files are whole, and what they hold."""
        if self.count == 1:
            return
        path = folder / (_READY + ".part")
        path.write_text(json.dumps(found), encoding="utf-8")
        path.rename(folder / _READY)

    def withdraw(self, folder: Path) -> None:
        """Take back what an earlier run announced."""
        (folder / _READY).unlink(missing_ok=True)

    def await_files(self, folder: Path) -> dict[str, Any]:
        """Wait for the first process to announce its files."""
        path = folder / _READY
        while not path.exists():
            time.sleep(_POLL_SECONDS)
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found
