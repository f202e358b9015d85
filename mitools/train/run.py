"""One training run from records to a saved student."""

from __future__ import annotations

import json
import math
import platform
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from transformers import EarlyStoppingCallback, PrinterCallback, TrainingArguments

from mitools.errors import DataError, MitoolsError, TrainingError
from mitools.files import atomic_directory, output_errors
from mitools.records import Record
from mitools.student import save_student
from mitools.student.codec import PREFIXES, Codec
from mitools.student.models import open_base
from mitools.train.card import write_model_card
from mitools.train.collate import TwoTaskCollator
from mitools.train.data import Spool, TrainingData, build_data, example_of
from mitools.train.model import TwoTaskModel
from mitools.train.options import TrainOptions
from mitools.train.trainer import Interrupt, LogCallback, OnStep, StudentTrainer

__all__ = ["Interrupted", "Run", "prepare"]


class Interrupted(MitoolsError):
    """Training was stopped by a signal, after a checkpoint."""

    exit_code = 130


_MEASURES = ("accuracy", "label_loss", "rationale_loss", "mi_loss", "mi_estimate", "mi_shuffled")
_SELECTION = {"accuracy": "eval_selection", "label-loss": "eval_label_loss"}

Note = Callable[[str], None]
"""Receives a sentence for people."""


@dataclass
class Run:
    """A run that is ready to start.

    Attributes:
        spool: every record that was read, training or not; it passes them on.
    """

    options: TrainOptions
    spool: Spool
    codec: Codec
    data: TrainingData
    model: TwoTaskModel
    base_name: str
    note: Note

    @property
    def arguments(self) -> TrainingArguments:
        return training_arguments(self.options, len(self.data.train), self.data.valid is not None)

    @property
    def total_steps(self) -> int:
        return int(self.arguments.max_steps)

    def execute(self, on_step: OnStep = lambda _step, _logs: None) -> dict[str, float]:
        """Train, keep the best model and save it whole under ``--save``.

        Args:
            on_step: called after each step with its number and the latest logged numbers.

        Returns:
            The metrics of the best validation, or of the last step where nothing was validated.

        Raises:
            Interrupted: a signal came; the checkpoint to go on with is saved.
            TrainingError: the loss became NaN or infinite, or a checkpoint is unusable.
            OutputError: the disk is full.
        """
        started = time.monotonic()
        interrupt = Interrupt()
        log = LogCallback(self.options.work / "log.jsonl", on_step)
        trainer = self._make_trainer([interrupt, log])
        checkpoint = self._checkpoint()
        with output_errors(str(self.options.work)), interrupt.armed():
            trainer.train(resume_from_checkpoint=checkpoint)
        if interrupt.signal is not None:
            step = trainer.state.global_step
            message = f"interrupted; step {step:,} of {trainer.state.max_steps:,} is saved"
            raise Interrupted(message, hint='run the same command with "--resume" to go on')
        metrics = _final_metrics(trainer.state.log_history, trainer.state.best_global_step)
        run = {
            **metrics,
            "steps": trainer.state.global_step,
            "best_step": trainer.state.best_global_step,
        }
        self._save({**run, "train_seconds": round(time.monotonic() - started, 1)})
        return metrics

    def _make_trainer(self, callbacks: list[Any]) -> StudentTrainer:
        options = self.options
        if options.patience is not None and self.data.valid is not None:
            callbacks.append(EarlyStoppingCallback(early_stopping_patience=options.patience))
        trainer = StudentTrainer(
            model=self.model,
            args=self.arguments,
            train_dataset=self.data.train,
            eval_dataset=self.data.valid,
            data_collator=TwoTaskCollator(self.codec, options.needs_rationales),
            callbacks=callbacks,
            codec=self.codec,
            metadata=self._metadata({}),
            measures_accuracy=options.select_by == "accuracy",
        )
        trainer.remove_callback(PrinterCallback)  # it prints to stdout, which carries records
        return trainer

    def _checkpoint(self) -> str | None:
        """Find the checkpoint to go on from, and refuse one that another run left."""
        state = {"options": self.options.as_json(), "data": self.spool.digest}
        path = self.options.work / "run.json"
        if self.options.resume and path.exists():
            before = json.loads(path.read_text(encoding="utf-8"))
            _check_same(before, json.loads(json.dumps(state)), self.options.work)
            found = _last_complete(self.options.work)
            self.note(f"going on from {found}" if found else "no checkpoint yet; starting anew")
            return found
        path.write_text(json.dumps(state, indent=2), encoding="utf-8")
        return None

    def _save(self, results: Mapping[str, Any]) -> None:
        metadata = self._metadata(results)
        with atomic_directory(self.options.save) as folder:
            save_student(folder, self.model.student, self.codec, metadata)
            write_model_card(folder, metadata, self.options.save.name)
            shutil.copy(self.options.work / "log.jsonl", folder / "log.jsonl")

    def clean(self) -> None:
        """Remove what only an unfinished run needs; the spool is gone after this."""
        shutil.rmtree(self.options.work, ignore_errors=True)

    def _metadata(self, results: Mapping[str, Any]) -> dict[str, Any]:
        first = next(iter(self.spool), {})
        return {
            "base": self.base_name,
            "task": self.options.task or first.get("task"),
            "options": self.options.as_json(),
            "results": dict(results),
            "data": {"sha256": self.spool.digest, "records": dict(self.spool.counts)},
            "versions": {
                name: version(name) for name in ("mitools", "torch", "transformers", "datasets")
            }
            | {"python": platform.python_version()},
        }


def prepare(records: Iterable[Record], options: TrainOptions, note: Note) -> Run:
    """Read every record, open the base model and tokenize; nothing is trained yet.

    Raises:
        UsageError, OutputError: the options do not work, or the folder is taken.
        DataError: nothing can be trained on.
        StudentError: the base model cannot be opened.
    """
    options.check()
    try:
        return _prepare(records, options, note)
    except BaseException:
        if not (options.work / "run.json").exists():  # there is nothing to go on with
            shutil.rmtree(options.work, ignore_errors=True)
        raise


def _prepare(records: Iterable[Record], options: TrainOptions, note: Note) -> Run:
    spool = Spool.fill(_make_work(options) / "records.jsonl", records)
    if not spool.counts["train"]:
        found = ", ".join(f"{count:,} {name}" for name, count in spool.counts.items())
        raise DataError(f"no training record among them ({found})", hint='run "mitools split"')
    base = open_base(options.student, lambda: _texts(spool, options), options.seed)
    codec = Codec(
        base.tokenizer,
        base.kind,
        options.max_input_tokens,
        options.max_label_tokens,
        options.max_rationale_tokens,
    )
    data = build_data(spool, codec, options)
    _report(data, spool, note)
    model = TwoTaskModel(base.model, codec, options.objective)
    return Run(options, spool, codec, data, model, base.name, note)


def _make_work(options: TrainOptions) -> Path:
    with output_errors(str(options.work)):
        if options.overwrite:
            shutil.rmtree(options.work, ignore_errors=True)
        options.work.mkdir(parents=True, exist_ok=True)
    return options.work


def _texts(spool: Spool, options: TrainOptions) -> Iterator[str]:
    for record in spool.of_split("train"):
        example = example_of(record, options)
        yield from (prefix + example.input for prefix in PREFIXES.values())
        yield from (text for text in (example.label, example.rationale) if text)


def _report(data: TrainingData, spool: Spool, note: Note) -> None:
    valid = 0 if data.valid is None else len(data.valid)
    other = spool.counts.total() - spool.counts["train"] - spool.counts["valid"]
    note(f"{len(data.train):,} records to train on, {valid:,} to validate, {other:,} kept out")
    for what, count in data.notes.items():
        if count:
            note(f"{count:,} training records {what}")
    if not valid:
        note("nothing to validate with, so the last step is kept, not the best")


def training_arguments(options: TrainOptions, rows: int, validates: bool) -> TrainingArguments:
    """Translate the options of a run into those of the engine."""
    per_epoch = math.ceil(rows / options.batch_size)
    total = options.max_steps or math.ceil(options.epochs * per_epoch)
    every = options.eval_every or (max(1, total // 10) if options.max_steps else per_epoch)
    return TrainingArguments(
        output_dir=str(options.work),
        per_device_train_batch_size=options.micro_batch_size or options.batch_size,
        per_device_eval_batch_size=options.micro_batch_size or options.batch_size,
        gradient_accumulation_steps=options.accumulation_steps,
        max_steps=total,
        learning_rate=options.peak_learning_rate,
        lr_scheduler_type=options.schedule,
        warmup_steps=options.warmup_steps,
        weight_decay=options.weight_decay,
        optim="adamw_torch_fused",
        bf16=uses_bf16(options.precision),
        eval_strategy="steps" if validates else "no",
        eval_steps=min(every, total),
        save_strategy="steps",
        save_steps=min(every, total),
        save_total_limit=2,
        load_best_model_at_end=validates,
        metric_for_best_model=_SELECTION[options.select_by] if validates else None,
        greater_is_better=options.select_by == "accuracy",
        logging_steps=max(1, min(50, total // 20)),
        logging_nan_inf_filter=False,
        # Batches of one length hold records of one kind: on the demo, whose kinds differ in length,
        # 600 steps of them reach 43% of the test labels, and the same steps in random order 95%.
        train_sampling_strategy="random",
        remove_unused_columns=False,
        dataloader_pin_memory=torch.cuda.is_available(),
        disable_tqdm=True,
        log_level="error",
        report_to=[],
        seed=options.seed,
        data_seed=options.seed,
    )


def uses_bf16(precision: str) -> bool:
    """Decide on bfloat16 autocast: by itself only where the hardware multiplies in it.

    Raises:
        TrainingError: it was asked for and the device cannot do it at any useful speed.
    """
    if precision == "fp32":
        return False
    if torch.cuda.is_available():
        is_fast = bool(torch.cuda.is_bf16_supported(including_emulation=False))
    else:
        # Without these instructions a CPU emulates bfloat16, measured at 1/400 of float32's speed.
        found = torch.cpu.get_capabilities()
        is_fast = bool(found.get("avx512_bf16") or found.get("amx_bf16"))
    if precision == "bf16" and not is_fast:
        raise TrainingError("this device only emulates bfloat16", hint='use "--precision fp32"')
    return is_fast


def _check_same(before: Mapping[str, Any], now: Mapping[str, Any], work: Path) -> None:
    if before.get("data") != now["data"]:
        message = f"the records differ from those that {work} was trained on"
        raise TrainingError(message, hint='feed it the same ones, or start anew with "--overwrite"')
    old = before.get("options", {})
    changed = sorted(name for name, value in now["options"].items() if old.get(name) != value)
    if changed:
        name = changed[0]
        message = f"{work} was trained with {name} = {old.get(name)}, not {now['options'][name]}"
        raise TrainingError(message, hint='use the same options, or start anew with "--overwrite"')


def _last_complete(work: Path) -> str | None:
    """Find the newest checkpoint that was written to its end; the trainer's state comes last."""
    for folder in sorted(work.glob("checkpoint-*"), key=lambda path: -int(path.name.split("-")[1])):
        if (folder / "trainer_state.json").exists():
            return str(folder)
        shutil.rmtree(folder)  # half-written when the run died
    return None


def _final_metrics(history: list[dict[str, float]], best_step: int | None) -> dict[str, float]:
    lines = [line for line in history if "eval_label_loss" in line]
    best = [line for line in lines if line["step"] == best_step] or lines[-1:]
    if best:
        return {
            f"valid_{name}": best[0][key]
            for name in _MEASURES
            if (key := f"eval_{name}") in best[0]
        }
    losses = [line for line in history if "loss" in line][-1:]
    return {"train_loss": losses[0]["loss"]} if losses else {}
