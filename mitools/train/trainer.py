"""The training engine: ``transformers.Trainer`` around the two-task model.

Adds what the two tasks need (counts, validation, their losses in the log) and what a reliable run
needs (checkpoints without pickles of our own, a stop on NaN, a clean interrupt).
"""

from __future__ import annotations

import math
import shutil
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import safetensors
import torch
from torch import Tensor, nn
from transformers import Trainer, TrainerCallback, TrainerControl, TrainerState

from mitools.errors import OutputError, TrainingError
from mitools.student import save_student
from mitools.student.boundary import is_out_of_memory
from mitools.student.codec import Codec
from mitools.student.local import LocalStudent
from mitools.train.attention import without_cudnn_attention
from mitools.train.callbacks import AfterStep, EpochNumber, Interrupt, Patience, Resumption
from mitools.train.collate import Batch, TwoTaskCollator
from mitools.train.dropout import fast_dropout
from mitools.train.fill import FilledRows
from mitools.train.sampler import BatchesByLength
from mitools.train.task_tensors import COUNTS, LOSS_COUNTS, count_targets
from mitools.train.tokenized import lengths_of
from mitools.train.two_task_model import TwoTaskModel
from mitools.train.validate import Validation, measure_accuracy, partners, with_rationales_of
from mitools.train.weights import load_checkpoint, save_extras, unusable
from mitools.train.work_folder.checkpoints import (
    OWED,
    STATE,
    checkpoint_path,
    damage_of,
    publish,
    rotate,
    seal,
)
from mitools.train.work_folder.workspace import remove

__all__ = ["SMALLER_STEPS", "StudentTrainer"]

C = TypeVar("C", bound=TrainerCallback)

SMALLER_STEPS = "try a smaller --lr or --warmup-steps 100"
"""What to try where training diverges."""

TIE_BREAK = 1e5
"""Divisor of the loss that is subtracted from an accuracy: it only decides between equal ones.

Without it the first of several models with the same accuracy would be kept, which is the one with
the worst rationales.
"""


class StudentTrainer(Trainer):  # type: ignore[misc]
    """Train a :class:`TwoTaskModel`; a checkpoint has the student in the format of transformers.

    With low-rank adapters, a checkpoint has the merged weights and the adapters themselves.
    """

    control: TrainerControl
    train_dataset: Any
    loss_is_scaled_for_ga = True

    def __init__(
        self,
        *,
        codec: Codec,
        metadata: Mapping[str, Any],
        measures_accuracy: bool,
        beta_warmup: int = 0,
        same_command: str = 'run the same command with "--resume"',
        **rest: Any,
    ) -> None:
        super().__init__(**rest)
        self._part: Path | None = None
        self._logged_step = 0
        self._latest: tuple[int, list[str]] = (0, [])
        self.codec = codec
        self.metadata = metadata
        self.measures_accuracy = measures_accuracy
        self.beta_warmup = beta_warmup
        self.same_command = same_command
        processes, piece = self.args.world_size, self.args.per_device_train_batch_size
        batch_size = piece * self.args.gradient_accumulation_steps * processes
        seed, lengths = self.args.data_seed or 0, lengths_of(self.train_dataset)
        self.order = BatchesByLength(lengths, batch_size, seed, piece, processes)
        self.train_dataset = FilledRows(self.train_dataset)
        self.add_callback(EpochNumber(self.data_collator, self.order))
        self.add_callback(AfterStep(self.accelerator.unwrap_model(self.model).after_step))
        self._parts: dict[str, Tensor] = defaultdict(
            lambda: torch.zeros((), device=self.args.device)
        )
        self._counted = torch.zeros(len(COUNTS), device=self.args.device)

    def _get_train_sampler(self, train_dataset: Any = None) -> BatchesByLength:
        return self.order

    def _get_num_items_in_batch(self, batch_samples: list[Batch], device: torch.device) -> Tensor:
        for batch in batch_samples:
            self._choose_rationales(batch)
        end_id = self.codec.tokenizer.eos_token_id
        # On a GPU the batches are there already: accelerate's loader moves them.
        total = torch.zeros(len(COUNTS), dtype=torch.double, device=device)
        for batch in batch_samples:
            counts = count_targets(batch["label"], batch.get("rationale"), end_id)
            total += counts.to(device)
        gathered: Tensor = self.accelerator.reduce(total.float(), "sum")
        return gathered

    def _choose_rationales(self, batch: Batch) -> None:
        """Replace several rationales by the one with the lowest loss.

        The gradient of a minimum of losses is that of the lowest one, so the others need none: all
        losses are computed first, without dropout.
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

    def training_step(self, *args: Any, **rest: Any) -> Tensor:
        with without_cudnn_attention():
            found: Tensor = super().training_step(*args, **rest)
        return found

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
        self._note_records(ids)
        for name, value in outputs.items():
            self._parts[name] += value.detach()
        if num_items_in_batch is not None:
            self._counted += num_items_in_batch
        # Processes average their gradients, but the counts are sums over all processes.
        loss = outputs["loss"] * self.accelerator.num_processes
        return (loss, outputs) if return_outputs else loss

    def _note_records(self, ids: list[str]) -> None:
        """Keep the records of the current step, in case it ruins the weights."""
        step, before = self._latest
        now = self.state.global_step + 1
        self._latest = (now, [*before, *ids] if step == now else ids)

    def _not_finite(self, ids: list[str], outputs: Mapping[str, Tensor]) -> TrainingError:
        """State what is not finite: the weights since the step before, or the loss of this one."""
        step, before = self._latest
        weights = self.accelerator.unwrap_model(self.model).parameters()
        if before and not all(weight.isfinite().all() for weight in weights):
            what = f"the weights are not finite after step {step}, whose loss was finite"
            message = f"{what}: its gradient was not, or its step was too long"
        else:
            before = ids
            parts = ", ".join(f"{name} {value.item():g}" for name, value in outputs.items())
            message = f"the loss is not finite at step {self.state.global_step + 1} ({parts})"
        hint = f"{SMALLER_STEPS}, or look at these records"
        return TrainingError(f"{message}; records {', '.join(before)}", hint=hint)

    def _check_finite(self, losses: Mapping[str, float]) -> None:
        """Refuse to go on where the latest step made the losses on valid infinite or NaN."""
        if all(map(math.isfinite, losses.values())):
            return
        parts = ", ".join(f"{name} {value:g}" for name, value in losses.items())
        step = self.state.global_step
        message = f"the loss on the validation records is not finite after step {step} ({parts})"
        raise TrainingError(message, hint=SMALLER_STEPS)

    def evaluate(self, *_: Any, metric_key_prefix: str = "eval", **__: Any) -> dict[str, float]:
        """Measure losses, the information estimate and, if asked, label accuracy on valid.

        ``label_loss``, ``rationale_loss`` and ``conclusion_loss`` (the label behind the rationale)
        are in nats a token, ``naming_loss`` (the choice that it names) and ``mi_loss`` a pair
        (``mi_loss`` a row in the paper's term, a label token in ``conclude``), lower is better;
        each is absent where there was nothing to measure it on.
        ``mi_estimate`` and its control ``mi_shuffled`` are in nats a record, see
        :meth:`mitools.train.validate.Validation.information`; absent with few pairs.
        ``selection`` is the metric that selects the best checkpoint: accuracy, or without it the
        loss with its sign turned; higher is better. See :func:`_selection`.
        """
        model: TwoTaskModel = self.accelerator.unwrap_model(self.model)
        model.eval()
        with torch.no_grad():
            found = self._look_at_valid(model, self.data_collator.plain())
        model.train()
        metrics = found.losses(model.objective.mi_count)
        self._check_finite(metrics)
        metrics |= found.information(self.args.seed)
        accuracy = None
        if self.measures_accuracy:
            student = LocalStudent(model.student, self.codec)
            accuracy = measure_accuracy(student, self.eval_dataset["record"])
        metrics["selection"] = _selection(model, metrics, accuracy, self.measures_accuracy)
        if accuracy is not None:
            metrics["accuracy"] = accuracy
        metrics = {f"{metric_key_prefix}_{name}": value for name, value in metrics.items()}
        self.log(metrics)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics

    def _look_at_valid(self, model: TwoTaskModel, collator: TwoTaskCollator) -> Validation:
        """Run the model over the validation records; each process takes a share of the batches."""
        rows = self.eval_dataset
        found = Validation.of_size(len(rows))
        other = partners(rows, self.args.seed) if model.objective.tells else {}
        size = self.args.per_device_eval_batch_size
        for number, low in enumerate(range(0, len(rows), size)):
            if number % self.args.world_size != self.args.process_index:
                continue
            batch = [rows[place] for place in range(low, min(low + size, len(rows)))]
            found.add(low, *self._measure(model, collator(batch)))
            if other:
                strange = with_rationales_of(rows, batch, range(low, low + size), other)
                found.add_told(low, self._measure(model, collator(strange))[0], shuffled=True)
        return found.reduced(lambda sums: self.accelerator.reduce(sums.to(self.args.device)).cpu())

    def _measure(self, model: TwoTaskModel, batch: Batch) -> tuple[dict[str, Tensor], Tensor]:
        """Return the model's results for a batch, with losses as sums, and their counts."""
        counts = count_targets(batch["label"], batch.get("rationale"), model.end_id)
        inputs = self._prepare_inputs({k: v for k, v in batch.items() if k != "ids"})
        # In training the model itself computes in bfloat16; before it, this context does.
        with self.compute_loss_context_manager(), self.accelerator.autocast():
            # With divisors of 1 the losses are sums.
            outputs = model(**inputs, counts=torch.ones(len(COUNTS)), wants_words=True)
        return outputs, counts

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Log the parts of the loss, each as a mean over the steps since the last line.

        A part without a measurement in these steps is left out.
        """
        steps = self.state.global_step - max(self._logged_step, self._initial_global_step)
        if "loss" in logs and steps > 0:
            # The counts are of all processes together; a loss is the share of this one.
            counts = dict(zip(COUNTS, self._counted.tolist(), strict=True))
            counted = {name: counts[count] for name, count in LOSS_COUNTS.items()}
            for name in sorted(self._parts):  # sorted: all processes reduce in the same order
                total = self.accelerator.reduce(self._parts[name], "sum")
                if counted.get(name, 1) > 0:
                    logs[name] = float(total) / steps
            self._parts.clear()
            self._counted.zero_()
            self._logged_step = self.state.global_step
        super().log(logs, start_time)

    def _get_output_dir(self, trial: Any) -> str:
        """Return the folder for an unfinished checkpoint."""
        folder: str = super()._get_output_dir(trial) if self._part is None else str(self._part)
        return folder

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Save a checkpoint; if that fails, the previous one stays."""
        work, step = Path(self.args.output_dir), self.state.global_step
        self._part = work / "part"
        try:
            super()._save_checkpoint(model, trial)
            if self.state.best_global_step == step:
                self.state.best_model_checkpoint = str(checkpoint_path(work, step))
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                self._finish_checkpoint(work, step)
            self.accelerator.wait_for_everyone()
        except (OSError, RuntimeError, OutputError, safetensors.SafetensorError) as exc:
            if is_out_of_memory(exc):
                raise
            shutil.rmtree(self._part, ignore_errors=True)  # the space that is left may be needed
            reason = str(exc).splitlines()[0]  # torch says RuntimeError
            message = f"cannot save a checkpoint at step {step:,}: {reason}"
            raise OutputError(message, hint=f"free some space and {self.same_command}") from exc
        finally:
            self._part = None

    def _finish_checkpoint(self, work: Path, step: int) -> None:
        """Seal a finished checkpoint, and move it to its final name."""
        part = work / "part"
        written, final = checkpoint_path(part, step), checkpoint_path(work, step)
        self.state.save_to_json(str(written / STATE))
        if any(found.owes_validation for found in self._callbacks(Interrupt)):
            (written / OWED).touch()
        seal(written)
        publish(written, final, part / "old")
        remove(part)
        rotate(work, step, self.state.best_global_step)

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        model: TwoTaskModel = self.accelerator.unwrap_model(self.model)
        save_student(folder, model.student, self.codec, self.metadata)
        save_extras(model, folder)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        load_checkpoint(self.accelerator.unwrap_model(self.model), resume_from_checkpoint)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        with unusable(checkpoint):
            super()._load_optimizer_and_scheduler(checkpoint)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        with unusable(checkpoint):
            super()._load_rng_state(checkpoint)

    def _load_best_model(self) -> None:
        load_checkpoint(self.accelerator.unwrap_model(self.model), self.state.best_model_checkpoint)

    def restore(self, checkpoint: str) -> None:
        """Restore a run after its last step: its state and its best model."""
        with unusable(checkpoint):
            self.state = TrainerState.load_from_json(str(Path(checkpoint) / STATE))
        best = self.state.best_global_step
        folder = checkpoint_path(Path(self.args.output_dir), best) if best else Path(checkpoint)
        has_best = self.args.load_best_model_at_end and damage_of(folder) is None
        load_checkpoint(
            self.accelerator.unwrap_model(self.model), str(folder) if has_best else checkpoint
        )

    def _callbacks(self, kind: type[C]) -> list[C]:
        return [one for one in self.callback_handler.callbacks if isinstance(one, kind)]

    def make_owed_validation(self, checkpoint: str) -> None:
        """Make the validation that an interrupt left out at a checkpoint, if it did.

        The checkpoint is then as that of a run without the interrupt: only the state of its run
        changes, which has the metrics, the best step and the count of early stopping.
        """
        if not (Path(checkpoint) / OWED).exists():
            return
        with unusable(checkpoint):
            self.state = TrainerState.load_from_json(str(Path(checkpoint) / STATE))
        self._initial_global_step = self.state.global_step  # the log measures from there
        self._load_from_checkpoint(checkpoint)
        restored: list[Any] = [*self._callbacks(Patience), *self._callbacks(Resumption)]
        for callback in restored:
            callback.on_train_begin(self.args, self.state, self.control)
        self._determine_best_metric(self.evaluate(), None)
        work, step = Path(self.args.output_dir), self.state.global_step
        if self.state.best_global_step == step:
            self.state.best_model_checkpoint = str(checkpoint_path(work, step))
        for patience in self._callbacks(Patience):
            self.state.stateful_callbacks[type(patience).__name__] = patience.state()
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            written = checkpoint_path(work / "part", step)
            shutil.copytree(checkpoint, written, ignore=shutil.ignore_patterns(OWED))
            self._finish_checkpoint(work, step)
        self.accelerator.wait_for_everyone()


def _selection(
    model: TwoTaskModel,
    metrics: Mapping[str, float],
    accuracy: float | None,
    measures_accuracy: bool,
) -> float:
    """Return the number by which checkpoints are compared; higher is better.

    Where the label task has no weight, it is the rationale loss: the label was not trained.
    """
    if model.objective.alpha == 0 and "rationale_loss" in metrics:
        return -metrics["rationale_loss"]
    if accuracy is not None:
        return accuracy - min(10.0, model.weigh(metrics)) / TIE_BREAK
    if not measures_accuracy and "label_loss" in metrics:
        return -metrics["label_loss"]
    return -model.weigh(metrics)
