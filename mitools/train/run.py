"""One training run from records to a saved student."""

from __future__ import annotations

import json
import platform
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from transformers import EarlyStoppingCallback, PrinterCallback, TrainingArguments

from mitools.errors import DataError, MitoolsError, TrainingError, UsageError
from mitools.files import atomic_directory, output_errors
from mitools.records import Record
from mitools.student import save_student
from mitools.student.codec import PREFIXES, Codec, Purpose
from mitools.student.lora import add_lora
from mitools.student.models import Base, open_base
from mitools.tasks import task_of
from mitools.train.arguments import training_arguments
from mitools.train.callbacks import Interrupt, LogCallback, OnStep
from mitools.train.card import write_model_card
from mitools.train.collate import TwoTaskCollator
from mitools.train.data import Spool, TrainingData, build_data, lengths_of, open_data
from mitools.train.example import example_of
from mitools.train.model import TwoTaskModel
from mitools.train.options import TrainOptions
from mitools.train.plan import batch_shapes, describe_memory, describe_shapes
from mitools.train.processes import Processes
from mitools.train.trainer import StudentTrainer

__all__ = ["Interrupted", "Run", "prepare"]


class Interrupted(MitoolsError):
    """Training was stopped by a signal, after a checkpoint."""

    exit_code = 130


_MEASURES = ("accuracy", "label_loss", "rationale_loss", "mi_loss", "mi_estimate", "mi_shuffled")

Note = Callable[[str], None]
"""Receives a sentence for people."""


@dataclass
class Run:
    """A run that is ready to start.

    Attributes:
        spool: every record that was read, training or not; it passes them on.
        checkpoint: what to go on from.
        processes: this process among those that share the run; the first one saves.
    """

    options: TrainOptions
    spool: Spool
    codec: Codec
    data: TrainingData
    model: TwoTaskModel
    base_name: str
    checkpoint: str | None = None
    processes: Processes = field(default_factory=Processes)

    @property
    def arguments(self) -> TrainingArguments:
        width = self.model.student.get_output_embeddings().weight.shape[1]
        return training_arguments(
            self.options,
            len(self.data.train),
            self.data.valid is not None,
            self.processes.count,
            row_size=width * float(lengths_of(self.data.train).mean()),
        )

    @property
    def total_steps(self) -> int:
        return int(self.arguments.max_steps)

    def plan(self) -> list[tuple[str, str]]:
        """Say what training would take, as names and values for people."""
        size = self.arguments.per_device_train_batch_size
        pieces = self.arguments.gradient_accumulation_steps
        shapes = batch_shapes(self.data.train, size, pieces, self.model.objective.alpha < 1)
        return [
            ("steps", f"{self.total_steps:,}"),
            ("records a step", f"{self.options.batch_size:,}"),
            ("records a forward pass", f"{size:,}"),
            *describe_shapes(shapes),
            *describe_memory(self.model, shapes),
        ]

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
        with output_errors(str(self.options.work)), interrupt.armed():
            trainer.train(resume_from_checkpoint=self.checkpoint)
        self.processes.meet()  # the first one removes what the others may still be loading
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
        if self.processes.is_first:
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
            data_collator=TwoTaskCollator(
                self.codec,
                options.needs_rationales,
                options.rationales,
                options.soft_labels,
                options.wrong_rationales,
                options.seed,
            ),
            callbacks=callbacks,
            codec=self.codec,
            metadata=self._metadata({}),
            measures_accuracy=options.select_by == "accuracy",
            beta_warmup=options.beta_warmup,
        )
        trainer.remove_callback(PrinterCallback)  # it prints to stdout, which carries records
        return trainer

    def _save(self, results: Mapping[str, Any]) -> None:
        metadata = self._metadata(results)
        with atomic_directory(self.options.save) as folder:
            save_student(folder, self.model.student, self.codec, metadata)
            write_model_card(folder, metadata, self.options.save.name)
            shutil.copy(self.options.work / "log.jsonl", folder / "log.jsonl")

    def clean(self) -> None:
        """Remove what only an unfinished run needs; the spool is gone after this."""
        if self.processes.is_first:
            shutil.rmtree(self.options.work, ignore_errors=True)

    def _metadata(self, results: Mapping[str, Any]) -> dict[str, Any]:
        first = next(iter(self.spool), {})
        return {
            "base": self.base_name,
            "task": self.options.task or first.get("task"),
            "labels": self._labels(),
            "trained": self._trained(),
            "options": self.options.as_json(),
            "results": dict(results),
            "data": {"sha256": self.spool.digest, "records": dict(self.spool.counts)},
            "versions": {
                name: version(name) for name in ("mitools", "torch", "transformers", "datasets")
            }
            | {"python": platform.python_version()},
        }

    def _labels(self) -> list[str] | None:
        """Give the label set of the task ``labels``; None where there is none, or several."""
        found: set[tuple[str, ...]] = set()
        for record in self.spool.of_split("train"):
            if task_of(record, self.options.task).name == "labels":
                found.add(tuple(record.get("choices") or ()))
            if len(found) > 1:
                return None
        return list(found.pop()) or None if found else None

    def _trained(self) -> list[Purpose]:
        """Name the tasks that the student is taught: those with a weight and with a target."""
        shares: dict[Purpose, float] = {
            "label": self.options.alpha,
            "rationale": 1 - self.options.alpha,
        }
        return [name for name, share in shares.items() if share > 0 and self.data.has(name)]


def prepare(records: Iterable[Record], options: TrainOptions, note: Note) -> Run:
    """Read every record, open the base model and tokenize; nothing is trained yet.

    Of several processes the first one does all that; the others leave ``records`` alone and use
    what it left on disk.

    Raises:
        UsageError, OutputError: the options do not work, or the folder is taken.
        DataError: nothing can be trained on.
        StudentError: the base model cannot be opened.
        TrainingError: what is to be resumed is another run.
    """
    processes = Processes.found()
    if not processes.is_first:
        return _follow(options, processes)
    options.check()
    _refuse_foreign(options)
    try:
        return _prepare(records, options, note, processes)
    except BaseException:
        if not (options.work / "run.json").exists():  # there is nothing to go on with
            shutil.rmtree(options.work, ignore_errors=True)
        raise


def _prepare(
    records: Iterable[Record], options: TrainOptions, note: Note, processes: Processes
) -> Run:
    work = _make_work(options)
    processes.withdraw(work)
    processes.meet()
    spool = Spool.fill(work / "records.jsonl", records)
    if not spool.counts["train"]:
        found = ", ".join(f"{count:,} {name}" for name, count in spool.counts.items())
        raise DataError(f"no training record among them ({found})", hint='run "mitools split"')
    base, codec = _open_student(spool, options)
    data = build_data(spool, codec, options)
    _report(data, spool, note)
    checkpoint = _checkpoint(options, spool.digest, note)
    model = TwoTaskModel(base.model, codec, options.objective)
    processes.announce(
        work,
        {
            "counts": spool.counts,
            "digest": spool.digest,
            "notes": data.notes,
            "checkpoint": checkpoint,
        },
    )
    return Run(options, spool, codec, data, model, base.name, checkpoint, processes)


def _follow(options: TrainOptions, processes: Processes) -> Run:
    """Prepare a further process of a run from what the first one left on disk."""
    processes.meet()
    found = processes.await_files(options.work)
    spool = Spool(options.work / "records.jsonl", Counter(found["counts"]), found["digest"])
    base, codec = _open_student(spool, options)
    data = open_data(options.work, found["notes"])
    model = TwoTaskModel(base.model, codec, options.objective)
    return Run(options, spool, codec, data, model, base.name, found["checkpoint"], processes)


def _open_student(spool: Spool, options: TrainOptions) -> tuple[Base, Codec]:
    base = open_base(options.student, lambda: _texts(spool, options), options.seed)
    if options.prefix_position == "after" and base.kind == "seq2seq":
        message = "--prefix-position after is for causal students: an encoder reads all at once"
        raise UsageError(message, hint="drop it, or choose a causal --student")
    if options.lora:
        add_lora(base.model, options.lora)
    codec = Codec(
        base.tokenizer,
        base.kind,
        options.max_input_tokens,
        options.max_label_tokens,
        options.max_rationale_tokens,
        options.order,
        options.prefix_position,
    )
    return base, codec


def _checkpoint(options: TrainOptions, digest: str, note: Note) -> str | None:
    """Find the checkpoint to go on from, and refuse one that another run left."""
    state = {"options": options.as_json(), "data": digest}
    path = options.work / "run.json"
    if options.resume and path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        _check_same(before, json.loads(json.dumps(state)), options.work)
        found = _last_complete(options.work)
        note(f"going on from {found}" if found else "no checkpoint yet; starting anew")
        return found
    path.write_text(json.dumps(state, indent=2), encoding="utf-8")
    return None


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
        texts = (example.label, example.rationale, *example.votes, *example.rationales)
        yield from (text for text in texts if text)


def _report(data: TrainingData, spool: Spool, note: Note) -> None:
    valid = 0 if data.valid is None else len(data.valid)
    other = spool.counts.total() - spool.counts["train"] - spool.counts["valid"]
    note(f"{len(data.train):,} records to train on, {valid:,} to validate, {other:,} kept out")
    for what, count in data.notes.items():
        if count:
            note(f"{count:,} training records {what}")
    if not valid:
        note("nothing to validate with, so the last step is kept, not the best")


def _refuse_foreign(options: TrainOptions) -> None:
    is_ours = options.overwrite or (options.work / "run.json").exists()
    if not is_ours and any(options.work.glob("checkpoint-*")):
        message = f"{options.work} holds checkpoints of something that mitools did not start"
        raise TrainingError(message, hint='move them away, or start anew with "--overwrite"')


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
