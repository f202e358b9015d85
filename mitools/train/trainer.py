"""The training engine: ``transformers.Trainer`` around the two-task model.

Adds what the two tasks need (their counts, their validation, their parts in the log) and what a
run needs to be trusted (checkpoints without pickles of our own, a stop on NaN, a clean interrupt).
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping
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
from mitools.student.lora import adapter_weights, is_adapted
from mitools.train.collate import Batch, TwoTaskCollator
from mitools.train.data import lengths_of
from mitools.train.dropout import fast_dropout
from mitools.train.model import COUNTS, TwoTaskModel, count_targets
from mitools.train.sampler import BatchesByLength
from mitools.train.validate import Validation, measure_accuracy

__all__ = ["StudentTrainer", "load_checkpoint"]

TIE_BREAK = 1e5
"""What a loss is divided by before it is taken off an accuracy: it only decides between equals.

Without it the first of several models that answer equally well would be kept, and that is the one
that has learned to explain the least.
"""

_WEIGHTS = "model.safetensors"
_CRITIC = "critic.safetensors"
_ADAPTERS = "adapters.safetensors"


class StudentTrainer(Trainer):  # type: ignore[misc]
    """Train a :class:`TwoTaskModel`; a checkpoint holds the student as plain transformers does.

    Where low-rank adapters are trained, they are in it once merged and once as they are.
    """

    control: TrainerControl
    loss_is_scaled_for_ga = True

    def __init__(
        self,
        *,
        codec: Codec,
        metadata: Mapping[str, Any],
        measures_accuracy: bool,
        beta_warmup: int = 0,
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self.codec = codec
        self.metadata = metadata
        self.measures_accuracy = measures_accuracy
        self.beta_warmup = beta_warmup
        pieces = self.args.gradient_accumulation_steps * self.args.world_size
        batch_size = self.args.per_device_train_batch_size * pieces
        seed = self.args.data_seed or 0
        self.order = BatchesByLength(lengths_of(self.train_dataset), batch_size, seed)
        self.add_callback(_EpochCallback(self.data_collator, self.order))
        self._parts: dict[str, Tensor] = defaultdict(
            lambda: torch.zeros((), device=self.args.device)
        )

    def _get_train_sampler(self, train_dataset: Any = None) -> BatchesByLength:
        return self.order

    def _get_num_items_in_batch(self, batch_samples: list[Batch], device: torch.device) -> Tensor:
        for batch in batch_samples:
            self._choose_rationales(batch)
        end_id = self.codec.tokenizer.eos_token_id
        counts = sum(
            (count_targets(b["label"], b.get("rationale"), end_id) for b in batch_samples),
            torch.zeros(len(COUNTS), dtype=torch.double),
        )
        assert isinstance(counts, Tensor)
        gathered: Tensor = self.accelerator.reduce(counts.to(device, torch.float32), "sum")
        return gathered

    def _choose_rationales(self, batch: Batch) -> None:
        """Put the rationale that the student finds easiest in place of several.

        The gradient of the least of several losses is that of the loss that is least, so the others
        need no gradient: they are looked at beforehand, without dropout.
        """
        candidates = batch.pop("candidates", None)
        if candidates is None:
            return
        inputs = self._prepare_inputs(candidates)
        owners = inputs.pop("owners")
        model: TwoTaskModel = self.accelerator.unwrap_model(self.model)
        model.eval()
        label = self._prepare_inputs(batch["label"])
        label = {name: tensor[owners] for name, tensor in label.items()}
        with torch.no_grad(), self.compute_loss_context_manager():
            losses = model.mean_losses(inputs, label)
        model.train()
        best = [
            int(places[losses[places].argmin()])
            for row in range(len(batch["ids"]))
            if len(places := (owners == row).nonzero()[:, 0])
        ]
        batch["rationale"] = {name: tensor[best] for name, tensor in inputs.items()}

    def compute_loss(
        self,
        model: nn.Module,
        inputs: Batch,
        return_outputs: bool = False,
        num_items_in_batch: Tensor | None = None,
    ) -> Any:
        ids = inputs.pop("ids")
        share = min(1.0, (self.state.global_step + 1) / max(1, self.beta_warmup))
        with fast_dropout(self.args.device):
            outputs = model(**inputs, counts=num_items_in_batch, beta_share=share)
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
            found = self._look_at_valid(model, self.data_collator.plain())
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

    def _look_at_valid(self, model: TwoTaskModel, collator: TwoTaskCollator) -> Validation:
        """Run the model over the validation records; every process takes its share of batches."""
        found = Validation.of_size(len(self.eval_dataset))
        size = self.args.per_device_eval_batch_size
        for number, low in enumerate(range(0, len(self.eval_dataset), size)):
            if number % self.args.world_size != self.args.process_index:
                continue
            places = range(low, min(low + size, len(self.eval_dataset)))
            batch = collator([self.eval_dataset[place] for place in places])
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
            # Each process has its share of every sum; names are sorted, so that all speak in turn.
            for name in sorted(self._parts):
                total = self.accelerator.reduce(self._parts[name], "sum")
                logs[name] = float(total) / steps
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
        if is_adapted(model.student):
            safetensors.torch.save_file(adapter_weights(model.student), folder / _ADAPTERS)
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
    student = model.student
    if is_adapted(student):
        # The weights beside them never changed: they are those that the run started from.
        missing, unexpected = _load_into(student, folder, _ADAPTERS)
        missing = sorted(set(missing) & adapter_weights(student).keys())
    else:
        missing, unexpected = _load_into(student, folder, _WEIGHTS)
    if model.critic is not None:
        for found, more in zip(
            (missing, unexpected), _load_into(model.critic, folder, _CRITIC), strict=True
        ):
            found += more
    student.tie_weights()
    tied = set(getattr(student, "all_tied_weights_keys", None) or ())
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


class _EpochCallback(TrainerCallback):  # type: ignore[misc]
    """Tell collator and sampler which pass over the data this is.

    The engine tells the sampler too, but does not find it in a resumed run of several processes.
    """

    def __init__(self, collator: TwoTaskCollator, order: BatchesByLength) -> None:
        self.collator = collator
        self.order = order

    def on_epoch_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **rest: Any
    ) -> None:
        # A resumed run begins within a pass; its first steps are skipped, not its number.
        self.collator.epoch = int((state.epoch or 0) + 1e-6)
        self.order.set_epoch(self.collator.epoch)
