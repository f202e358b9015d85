"""The training engine: ``transformers.Trainer`` around the two-task model.

Adds what the two tasks need (their counts, their validation, their parts in the log) and what a
run needs to be trusted (checkpoints without pickles of our own, a stop on NaN, a clean interrupt).
"""

from __future__ import annotations

import json
import math
import os
import signal
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor, nn
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from mitools.errors import OutputError, TrainingError
from mitools.student import save_student
from mitools.student.codec import Codec
from mitools.student.local import LocalStudent
from mitools.train.collate import Batch
from mitools.train.model import COUNTS, TwoTaskModel, count_targets
from mitools.train.validate import Validation, measure_accuracy

__all__ = ["Interrupt", "LogCallback", "OnStep", "StudentTrainer"]

OnStep = Callable[[int, Mapping[str, float]], None]
"""Receives the number of optimizer steps done and the latest logged numbers."""

TIE_BREAK = 1e5
"""What a loss is divided by before it is taken off an accuracy: it only decides between equals.

Without it the first of several models that answer equally well would be kept, and that is the one
that has learned to explain the least.
"""

_WEIGHTS = "model.safetensors"
_CRITIC = "critic.safetensors"


class StudentTrainer(Trainer):  # type: ignore[misc]
    """Train a :class:`TwoTaskModel`; a checkpoint holds the student as plain transformers does."""

    control: TrainerControl
    loss_is_scaled_for_ga = True

    def __init__(
        self, *, codec: Codec, metadata: Mapping[str, Any], measures_accuracy: bool, **rest: Any
    ) -> None:
        super().__init__(**rest)
        self.codec = codec
        self.metadata = metadata
        self.measures_accuracy = measures_accuracy
        self._parts: dict[str, Tensor] = defaultdict(
            lambda: torch.zeros((), device=self.args.device)
        )

    def _get_num_items_in_batch(self, batch_samples: list[Batch], device: torch.device) -> Tensor:
        end_id = self.codec.tokenizer.eos_token_id
        counts = sum(
            (count_targets(b["label"], b.get("rationale"), end_id) for b in batch_samples),
            torch.zeros(len(COUNTS), dtype=torch.double),
        )
        assert isinstance(counts, Tensor)
        gathered: Tensor = self.accelerator.reduce(counts.to(device, torch.float32), "sum")
        return gathered

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: Tensor | None = None,
    ) -> Any:
        ids = inputs.pop("ids")
        outputs = model(**inputs, counts=num_items_in_batch)
        if not torch.isfinite(outputs["loss"]):
            raise self._not_finite(ids, outputs)
        for name, value in outputs.items():
            self._parts[name] += value.detach()
        # Processes average their gradients, while the counts are sums over all of them.
        loss = outputs["loss"] * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss

    def _not_finite(self, ids: list[str], outputs: Mapping[str, Tensor]) -> TrainingError:
        parts = ", ".join(f"{name} {value.item():g}" for name, value in outputs.items())
        step = self.state.global_step + 1
        message = f"the loss is not finite at step {step} ({parts}); records {', '.join(ids)}"
        hint = "try a smaller --lr or --warmup-steps 100, or look at these records"
        return TrainingError(message, hint=hint)

    def evaluate(self, *_: Any, metric_key_prefix: str = "eval", **__: Any) -> dict[str, float]:
        """Measure losses, the information estimate and, if asked, label accuracy on valid.

        ``label_loss`` and ``rationale_loss`` are in nats a token, ``mi_loss`` a pair (a row in the
        paper's term), lower is better; 0 where there is none. ``mi_estimate`` and its control
        ``mi_shuffled`` are in nats, see :mod:`mitools.train.estimate`; absent with few pairs.
        """
        model: TwoTaskModel = self.accelerator.unwrap_model(self.model)
        model.eval()
        with torch.no_grad():
            found = self._look_at_valid(model)
        model.train()
        metrics = found.losses(of_rows=model.objective.mi == "paper")
        metrics |= found.information(self.args.seed)
        if self.measures_accuracy:
            student = LocalStudent(model.student, self.codec)
            metrics["accuracy"] = measure_accuracy(student, self.eval_dataset["record"])
            metrics["selection"] = metrics["accuracy"] - min(10.0, model.weigh(metrics)) / TIE_BREAK
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in metrics.items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def _look_at_valid(self, model: TwoTaskModel) -> Validation:
        """Run the model over the validation records; every process takes its share of batches."""
        found = Validation.of_size(len(self.eval_dataset))
        size = self.args.per_device_eval_batch_size
        for number, low in enumerate(range(0, len(self.eval_dataset), size)):
            if number % self.args.world_size != self.args.process_index:
                continue
            places = range(low, min(low + size, len(self.eval_dataset)))
            batch = self.data_collator([self.eval_dataset[place] for place in places])
            inputs = self._prepare_inputs({k: v for k, v in batch.items() if k != "ids"})
            counts = count_targets(batch["label"], batch.get("rationale"), model.end_id)
            with self.compute_loss_context_manager():
                # Divided by one, they are sums instead of means.
                outputs = model(**inputs, counts=torch.ones(len(COUNTS)), wants_words=True)
            found.add(low, outputs, counts)
        return found.reduced(lambda sums: self.accelerator.reduce(sums.to(self.args.device)).cpu())

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Add the parts of the loss, each a mean over the steps since the last line."""
        steps = self.state.global_step - getattr(self, "_logged_step", 0)
        if "loss" in logs and steps > 0:
            logs.update({name: float(total) / steps for name, total in self._parts.items()})
            self._parts.clear()
            self._logged_step = self.state.global_step
        super().log(logs, start_time)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Save everything to resume from; a checkpoint that fails leaves the one before it."""
        try:
            super()._save_checkpoint(model, trial)
        except (OSError, RuntimeError, OutputError) as exc:  # torch says RuntimeError
            step = self.state.global_step
            reason = str(exc).splitlines()[0]
            hint = 'free some space and run the same command with "--resume"'
            message = f"cannot save a checkpoint at step {step:,}: {reason}"
            raise OutputError(message, hint=hint) from exc

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        model: TwoTaskModel = self.accelerator.unwrap_model(self.model)
        save_student(folder, model.student, self.codec, self.metadata)
        if model.critic is not None:
            safetensors.torch.save_file(model.critic.state_dict(), folder / _CRITIC)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_checkpoint(self.accelerator.unwrap_model(self.model), resume_from_checkpoint)

    def _load_best_model(self) -> None:
        load_checkpoint(self.accelerator.unwrap_model(self.model), self.state.best_model_checkpoint)


def load_checkpoint(model: TwoTaskModel, folder: str) -> None:
    """Put a checkpoint's weights, those of the critic too, into the model in place.

    Raises:
        TrainingError: a file is missing, damaged or of another model.
    """
    missing, unexpected = _load_into(model.student, folder, _WEIGHTS)
    if model.critic is not None:
        for found, more in zip(
            (missing, unexpected), _load_into(model.critic, folder, _CRITIC), strict=True
        ):
            found += more
    model.student.tie_weights()
    tied = set(getattr(model.student, "all_tied_weights_keys", None) or ())
    wrong = sorted((set(missing) - tied) | set(unexpected))
    if wrong:
        message = f"the checkpoint {folder} is of another model ({wrong[0]} does not fit)"
        raise TrainingError(message, hint='start anew with "--overwrite"')


def _load_into(module: nn.Module, folder: str, name: str) -> tuple[list[str], list[str]]:
    try:
        weights = safetensors.torch.load_file(os.path.join(folder, name))
        missing, unexpected = module.load_state_dict(weights, strict=False)
    except (OSError, RuntimeError, safetensors.SafetensorError) as exc:
        reason = str(exc).splitlines()[0]
        hint = 'start anew with "--overwrite"'
        raise TrainingError(f"cannot use the checkpoint {folder}: {reason}", hint=hint) from exc
    return list(missing), list(unexpected)


class LogCallback(TrainerCallback):  # type: ignore[misc]
    """Append every log line to ``log.jsonl`` and tell the command line how far the run is."""

    def __init__(self, path: Path, on_step: OnStep) -> None:
        self.path = path
        self.on_step = on_step
        self.latest: dict[str, float] = {}

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any
    ) -> None:
        logs = {k: v for k, v in (rest.get("logs") or {}).items() if isinstance(v, int | float)}
        finite = {k: v if math.isfinite(v) else None for k, v in logs.items()}
        with self.path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"step": state.global_step, **finite}) + "\n")
        self.latest.update(logs)
        self.on_step(state.global_step, self.latest)

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any
    ) -> None:
        self.on_step(state.global_step, self.latest)


class Interrupt(TrainerCallback):  # type: ignore[misc]
    """Turn SIGINT and SIGTERM into a checkpoint and a stop after the step under way.

    A second signal stops at once.
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
        if self.signal is not None:
            control.should_save = True
            control.should_training_stop = True
            control.should_evaluate = False
        return control
