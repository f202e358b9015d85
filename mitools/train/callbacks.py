"""What happens between steps: the log, and a clean end when a signal comes."""

from __future__ import annotations

import json
import math
import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

__all__ = ["Interrupt", "LogCallback", "OnStep"]

OnStep = Callable[[int, Mapping[str, float]], None]
"""Receives the number of optimizer steps done and the latest logged numbers."""


class LogCallback(TrainerCallback):  # type: ignore[misc]
    """Append every log line to ``log.jsonl`` and tell the command line how far the run is."""

    def __init__(self, path: Path, on_step: OnStep) -> None:
        self.path = path
        self.on_step = on_step
        self.latest: dict[str, float] = {}

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any
    ) -> None:
        if not state.is_world_process_zero:
            return
        logs = {k: v for k, v in (rest.get("logs") or {}).items() if isinstance(v, int | float)}
        finite = {k: v if math.isfinite(v) else None for k, v in logs.items()}
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"step": state.global_step, **finite}) + "\n")
        self.latest.update(logs)
        self.on_step(state.global_step, self.latest)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any
    ) -> None:
        if state.is_world_process_zero:
            self.on_step(state.global_step, self.latest)


class Interrupt(TrainerCallback):  # type: ignore[misc]
    """Turn SIGINT and SIGTERM into a checkpoint and a stop after the step under way.

    A second signal stops at once. Of several processes one that got it is enough for all.
    """

    def __init__(self) -> None:
        self.signal: int | None = None

    @contextmanager
    def armed(self) -> Iterator[None]:
        """Catch both signals inside the block."""
        wanted = (signal.SIGINT, signal.SIGTERM)
        before = {number: signal.signal(number, self._note) for number in wanted}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _note(self, number: int, _frame: Any) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any
    ) -> TrainerControl:
        if args.world_size > 1:
            heard = torch.tensor(self.signal or 0, device=args.device)
            torch.distributed.all_reduce(heard, torch.distributed.ReduceOp.MAX)
            self.signal = int(heard) or None
        if self.signal is not None:
            control.should_save = True
            control.should_training_stop = True
            control.should_evaluate = False
        return control
