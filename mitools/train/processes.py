"""Several processes that train one student: the first reads the records, the others wait for it.

Under ``torchrun`` or ``accelerate launch`` every process runs the whole command. The first one
reads the records, writes the Arrow files and announces them in a small file. The others wait for
that file without a time limit: the records may come from a pipe that a teacher is still writing to.
If the first one fails, the launcher stops the others.
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

__all__ = ["Processes", "name_idle_devices"]

_READY = "ready.json"
_POLL_SECONDS = 0.2


@dataclass(frozen=True)
class Processes:
    """This process among those of a run.

    Attributes:
        index: number of this process, from 0.
        count: number of processes.
    """

    index: int = 0
    count: int = 1

    @classmethod
    def found(cls) -> Processes:
        """Read the launcher's environment variables; one process without a launcher."""
        count = int(os.environ.get("WORLD_SIZE", "1"))
        return cls(int(os.environ.get("RANK", "0")), count)

    @property
    def is_first(self) -> bool:
        return self.index == 0

    def meet(self) -> None:
        """Wait until every process has called this."""
        if self.count > 1:
            # Without this argument, processes without a GPU would not find each other.
            PartialState(cpu=not torch.accelerator.is_available()).wait_for_everyone()

    def announce(self, folder: Path, found: Mapping[str, Any]) -> None:
        """Tell the other processes that the files are complete.

        Args:
            found: what they need to know about the files; JSON.
        """
        if self.count == 1:
            return
        path = folder / (_READY + ".part")
        path.write_text(json.dumps(found), encoding="utf-8")
        path.rename(folder / _READY)

    def await_files(self, folder: Path) -> dict[str, Any]:
        """Wait for the first process to announce its files."""
        path = folder / _READY
        while not path.exists():
            time.sleep(_POLL_SECONDS)
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return found


def name_idle_devices(processes: Processes) -> str | None:
    """Say how the other accelerators of this machine can be used; None where there are none."""
    count = torch.accelerator.device_count() if processes.count == 1 else 0
    if count < 2:
        return None
    command = f"torchrun --nproc-per-node {count} -m mitools train …"
    return f'training on 1 of {count} devices; "{command}" uses all of them'
