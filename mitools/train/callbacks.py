"""Callbacks between steps: the log, early stopping, and a checkpoint when a signal arrives."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from transformers import (
    EarlyStoppingCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
)
from transformers.trainer_callback import ExportableState

from mitools.interrupts import handling
from mitools.train.collate import TwoTaskCollator
from mitools.train.sampler import BatchesByLength
from mitools.train.work_folder.checkpoints import checkpoint_path, damage_of, read_state

__all__ = [
    "AfterStep",
    "Clock",
    "EpochNumber",
    "Interrupt",
    "LogCallback",
    "OnStep",
    "Patience",
    "Resumption",
    "no_step",
    "trim_log",
]

_RATES = ("train_samples_per_second", "train_steps_per_second", "total_flos")

OnStep = Callable[[int, Mapping[str, float]], None]
"""Receives the number of optimizer steps done and the latest logged figures."""


def no_step(_step: int, _logs: Mapping[str, float]) -> None:
    """Ignore a step."""


class AfterStep(TrainerCallback):  # type: ignore[misc]
    """Call a function after each optimizer step."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.call = call

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any
    ) -> None:
        self.call()


class Clock(TrainerCallback, ExportableState):  # type: ignore[misc]
    """Counts the seconds of a run; a checkpoint keeps them for the run that goes on from it.

    Attributes:
        before: seconds of the earlier parts of the run, up to the checkpoint.
    """

    def __init__(self, checkpoint: str | None) -> None:
        saved = {} if checkpoint is None else read_state(Path(checkpoint))["stateful_callbacks"]
        self.before = float(saved.get("Clock", {}).get("attributes", {}).get("seconds", 0))
        self._started = time.monotonic()

    @property
    def seconds(self) -> float:
        return round(self.before + time.monotonic() - self._started, 1)

    def state(self) -> dict[str, Any]:
        return {"args": {}, "attributes": {"seconds": self.seconds}}

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any
    ) -> None:
        state.stateful_callbacks.setdefault("Clock", {})  # an older checkpoint has none


class EpochNumber(TrainerCallback):  # type: ignore[misc]
    """Set the number of the epoch in collator and sampler.

    The engine sets it in the sampler too, but not in a resumed run of several processes.
    """

    def __init__(self, collator: TwoTaskCollator, order: BatchesByLength) -> None:
        self.collator = collator
        self.order = order

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any
    ) -> None:
        # A resumed run starts within an epoch: it skips steps, and keeps the number.
        self.collator.epoch = int((state.epoch or 0) + 1e-6)
        self.order.set_epoch(self.collator.epoch)


class LogCallback(TrainerCallback):  # type: ignore[misc]
    """Append every log line to ``log.jsonl``, and report each step to ``on_step``.

    The last line of a run has ``train_runtime`` in seconds. With it ``train_steps`` is written, the
    steps of that time: a resumed run has one such line for each part. The engine's own rates are
    left out, as they count all steps of the run.
    """

    def __init__(self, path: Path, on_step: OnStep) -> None:
        self.path = path
        self.on_step = on_step
        self.latest: dict[str, float] = {}
        self.first = 0

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any
    ) -> None:
        self.first = state.global_step

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any
    ) -> None:
        if not state.is_world_process_zero:
            return
        logs = {k: v for k, v in (rest.get("logs") or {}).items() if isinstance(v, int | float)}
        if "train_runtime" in logs:
            logs = {k: v for k, v in logs.items() if k not in _RATES}
            logs["train_steps"] = state.global_step - self.first
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


def trim_log(path: Path, checkpoint: str | None) -> None:
    """Remove the lines of a log that the resumed run will write again."""
    if not path.exists():
        return
    last = 0 if checkpoint is None else read_state(Path(checkpoint))["global_step"]
    kept = []
    for text in path.read_text(encoding="utf-8").splitlines():
        with contextlib.suppress(ValueError):  # half a line, if the run was killed
            line = json.loads(text)
            if checkpoint is not None and line["step"] <= last:
                kept.append(text + "\n")
    path.write_text("".join(kept), encoding="utf-8")


class Patience(EarlyStoppingCallback):  # type: ignore[misc]
    """Early stopping whose counter continues in a resumed run."""

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any
    ) -> None:
        super().on_train_begin(args, state, control, **rest)
        saved = state.stateful_callbacks.get(type(self).__name__)
        if isinstance(saved, dict) and state.global_step:
            count = saved.get("attributes", {}).get("early_stopping_patience_counter", 0)
            self.early_stopping_patience_counter = int(count)


class Resumption(TrainerCallback):  # type: ignore[misc]
    """Correct the path of the best checkpoint when a run is resumed.

    The work folder may have been moved since, or that checkpoint damaged.
    """

    def __init__(self, work: Path) -> None:
        self.work = work

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any
    ) -> None:
        step = state.best_global_step
        if not step:
            return
        best = checkpoint_path(self.work, step)
        if damage_of(best) is None:
            state.best_model_checkpoint = str(best)
        else:
            state.best_metric = state.best_global_step = state.best_model_checkpoint = None


class Interrupt(TrainerCallback):  # type: ignore[misc]
    """On SIGINT or SIGTERM, save a checkpoint and stop after the current step.

    A second request stops at once. If one of several processes gets a signal, all of them stop.

    Attributes:
        signal: the number of the signal that arrived.
        owes_validation: whether a validation was due at the end of the step. It would delay the
            end of the process, so the resumed run makes it.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self.owes_validation = False

    @contextmanager
    def armed(self) -> Iterator[None]:
        """Catch both signals inside the block; in the main thread only, as Python requires."""
        with handling(self._note):
            yield

    def _note(self, number: int) -> None:
        if self.signal is not None:
            raise KeyboardInterrupt
        self.signal = number

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any
    ) -> TrainerControl:
        if args.world_size > 1:
            received = torch.tensor(self.signal or 0, device=args.device)
            torch.distributed.all_reduce(received, torch.distributed.ReduceOp.MAX)
            self.signal = int(received) or None
        if self.signal is not None:
            control.should_save = True
            control.should_training_stop = True
            self.owes_validation = control.should_evaluate
            control.should_evaluate = False
        return control
