"""One training run from records to a saved student."""

from __future__ import annotations

import errno
import os
import platform
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from transformers import PrinterCallback, TrainingArguments

from mitools.errors import DataError, MitoolsError, OutputError, TrainingError, UsageError
from mitools.files import atomic_directory, output_errors
from mitools.records import Record
from mitools.student import save_student
from mitools.student.base.open_base import Base, open_base
from mitools.student.boundary import is_out_of_memory
from mitools.student.codec import PREFIXES, Codec, Purpose
from mitools.student.lora import add_lora
from mitools.student.round_trip import check_saving
from mitools.student.trial import check_forward
from mitools.tasks import task_of
from mitools.train.arguments import training_arguments
from mitools.train.callbacks import Interrupt, LogCallback, OnStep, Patience, Resumption, trim_log
from mitools.train.card import write_model_card
from mitools.train.collate import TwoTaskCollator
from mitools.train.dry_run import batch_shapes, describe_memory, describe_shapes
from mitools.train.example import example_of
from mitools.train.options import TrainOptions, is_replaceable
from mitools.train.preflight import check_texts, fit_limits
from mitools.train.processes import Processes
from mitools.train.tokenized import TokenSpool, TrainingData, build_data, lengths_of, open_data
from mitools.train.trainer import StudentTrainer
from mitools.train.two_task_model import TwoTaskModel
from mitools.train.validate import final_metrics
from mitools.train.work_folder.checkpoints import publish, sync_folder
from mitools.train.work_folder.resume import (
    Finished,
    find_checkpoint,
    finished_run,
    is_at_its_end,
    is_started,
    write_state,
)
from mitools.train.work_folder.workspace import Workspace

__all__ = ["Interrupted", "TrainingRun", "prepare"]


class Interrupted(MitoolsError):
    """Training was stopped by a signal, after a checkpoint."""

    exit_code = 130


Note = Callable[[str], None]
"""Receives a sentence for people."""


@dataclass
class TrainingRun:
    """A run that is ready to start.

    Attributes:
        spool: every record that was read, training or not; it passes them on.
        checkpoint: what to go on from.
        processes: this process among those that share the run; the first one saves.
        workspace: the work folder, in the first process.
    """

    options: TrainOptions
    spool: TokenSpool
    codec: Codec
    data: TrainingData
    model: TwoTaskModel
    base_name: str
    checkpoint: str | None = None
    processes: Processes = field(default_factory=Processes)
    workspace: Workspace | None = None

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
            TrainingError: the loss became NaN or infinite, memory ran out, or a checkpoint is
                unusable.
            OutputError: the disk is full.
        """
        try:
            return self._execute(on_step)
        except BaseException as exc:
            if self.workspace is not None:
                self.workspace.release()
            if is_out_of_memory(exc):
                raise self._out_of_memory() from exc
            raise

    def _execute(self, on_step: OnStep) -> dict[str, float]:
        started = time.monotonic()
        interrupt = Interrupt()
        log = LogCallback(self.options.work / "log.jsonl", on_step)
        trainer = self._make_trainer([interrupt, log])
        with output_errors(str(self.options.work)), interrupt.armed():
            if self.processes.is_first:
                trim_log(log.path, self.checkpoint)
            try:
                self._train(trainer)
            except KeyboardInterrupt as exc:  # the second signal
                message = f"stopped at once in step {trainer.state.global_step + 1:,}"
                hint = 'run the same command with "--resume" to go on from the last checkpoint'
                raise Interrupted(message, hint=hint) from exc
        self.processes.meet()  # the first one removes what the others may still be loading
        if interrupt.signal is not None:
            step = trainer.state.global_step
            message = f"interrupted; step {step:,} of {trainer.state.max_steps:,} is saved"
            raise Interrupted(message, hint='run the same command with "--resume" to go on')
        metrics = final_metrics(trainer.state.log_history, trainer.state.best_global_step)
        run = {
            **metrics,
            "steps": trainer.state.global_step,
            "best_step": trainer.state.best_global_step,
        }
        if self.processes.is_first:
            self._save({**run, "train_seconds": round(time.monotonic() - started, 1)})
        return metrics

    def _train(self, trainer: StudentTrainer) -> None:
        """Make the steps that are left."""
        total = trainer.args.max_steps
        if self.checkpoint and is_at_its_end(self.checkpoint, total, self.options):
            trainer.restore(self.checkpoint)  # the engine would make one step more
        else:
            trainer.train(resume_from_checkpoint=self.checkpoint)

    def _out_of_memory(self) -> TrainingError:
        size = self.arguments.per_device_train_batch_size
        if size > 1 and self.options.objective.is_sum_over_rows:
            hint = f'run it again with "--resume" and a --micro-batch-size below {size}'
        elif size > 1:
            hint = f'lower --batch-size ({self.options.batch_size}), and add "--overwrite"'
        else:
            hint = 'lower --max-input-tokens or choose a smaller student, and add "--overwrite"'
        return TrainingError(f"not enough memory for a forward pass of {size:,} records", hint=hint)

    def _make_trainer(self, callbacks: list[Any]) -> StudentTrainer:
        options = self.options
        if options.patience is not None and self.data.valid is not None:
            callbacks.append(Patience(early_stopping_patience=options.patience))
        callbacks.append(Resumption(options.work))
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
                marks_label_words=options.marks_label_words,
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
        work, save = self.options.work, self.options.save
        try:
            with atomic_directory(work / "student") as folder:
                save_student(folder, self.model.student, self.codec, metadata)
                write_model_card(folder, metadata, save.name)
                shutil.copy(work / "log.jsonl", folder / "log.jsonl")
                sync_folder(folder)
            with output_errors(str(save)):
                final = Path(os.path.realpath(save))
                if final.exists() and not is_replaceable(final):
                    raise FileExistsError(errno.EEXIST, "something else has taken its name")
                publish(work / "student", final, work / "replaced")
        except OutputError as exc:
            hint = 'make room, and run the same command with "--resume"'
            raise OutputError(exc.message, hint=hint) from exc

    def clean(self) -> None:
        """Remove what only an unfinished run needs; the spool is gone after this."""
        if self.workspace is not None:
            self.workspace.delete()

    def _metadata(self, results: Mapping[str, Any]) -> dict[str, Any]:
        first, trained = next(iter(self.spool), {}), self._trained()
        return {
            "base": self.base_name,
            "task": self.options.task or first.get("task"),
            "labels": self._labels(),
            "trained": trained,
            "concludes": self.codec.concludes and len(trained) == len(PREFIXES),
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


def prepare(records: Iterable[Record], options: TrainOptions, note: Note) -> TrainingRun | Finished:
    """Read every record, open the base model and tokenize; nothing is trained yet.

    Of several processes the first one does all that; the others leave ``records`` alone and use
    what it left on disk.

    Returns:
        A run that is ready to start; or one that was finished before, with its records.

    Raises:
        UsageError, OutputError: the options do not work, or the folder is taken.
        DataError: nothing can be trained on.
        StudentError: the base model cannot be opened, or cannot be trained and saved.
        TrainingError: what is to be resumed is another run or in use, or the student's tokenizer
            cannot tell the answers apart.
    """
    processes = Processes.found()
    if not processes.is_first:
        return _follow(options, processes)
    options.check()
    workspace = Workspace(options.work, empty=options.overwrite)
    try:
        return _prepare(records, options, note, processes, workspace)
    except BaseException:
        if is_started(options.work):
            workspace.release()
        else:  # there is nothing to go on with
            workspace.delete()
        raise


def _prepare(
    records: Iterable[Record],
    options: TrainOptions,
    note: Note,
    processes: Processes,
    workspace: Workspace,
) -> TrainingRun | Finished:
    work = workspace.path
    processes.meet()
    spool = TokenSpool.fill(work / "records.jsonl", records)
    if not spool.counts["train"]:
        found = ", ".join(f"{count:,} {name}" for name, count in spool.counts.items())
        raise DataError(f"no training record among them ({found})", hint='run "mitools split"')
    if (finished := finished_run(options, spool, workspace)) is not None:
        return finished
    checkpoint = find_checkpoint(options, spool.digest, note)
    base, codec = _open_student(spool, options, note)
    check_forward(base.model, codec)
    check_saving(base.model, codec, work / "trial")
    lost = check_texts(spool.of_split("train"), codec, options)
    data = build_data(spool, codec, options)
    _report(data, spool, note, lost)
    model = TwoTaskModel(base.model, codec, options.objective)
    write_state(options, spool.digest)
    processes.announce(
        work,
        {
            "counts": spool.counts,
            "digest": spool.digest,
            "notes": data.notes,
            "checkpoint": checkpoint,
        },
    )
    return TrainingRun(
        options, spool, codec, data, model, base.name, checkpoint, processes, workspace
    )


def _follow(options: TrainOptions, processes: Processes) -> TrainingRun:
    """Prepare a further process of a run from what the first one left on disk."""
    processes.meet()
    found = processes.await_files(options.work)
    spool = TokenSpool(options.work / "records.jsonl", Counter(found["counts"]), found["digest"])
    base, codec = _open_student(spool, options, lambda _: None)
    data = open_data(options.work, found["notes"])
    model = TwoTaskModel(base.model, codec, options.objective)
    return TrainingRun(
        options, spool, codec, data, model, base.name, found["checkpoint"], processes
    )


def _open_student(spool: TokenSpool, options: TrainOptions, note: Note) -> tuple[Base, Codec]:
    base = open_base(options.student, lambda: _texts(spool, options), options.seed)
    if options.prefix_position == "after" and base.kind == "seq2seq":
        message = "--prefix-position after is for causal students: an encoder reads all at once"
        raise UsageError(message, hint="drop it, or choose a causal --student")
    if options.lora:
        add_lora(base.model, options.lora)
    limits = fit_limits(base.model.config, base.kind, options, note)
    codec = Codec(
        base.tokenizer,
        base.kind,
        limits.max_input_tokens,
        limits.max_label_tokens,
        limits.max_rationale_tokens,
        options.order,
        options.prefix_position,
        options.concludes,
    )
    return base, codec


def _texts(spool: TokenSpool, options: TrainOptions) -> Iterator[str]:
    for record in spool.of_split("train"):
        example = example_of(record, options)
        yield from (prefix + example.input for prefix in PREFIXES.values())
        texts = (example.label, example.rationale, *example.votes, *example.rationales)
        yield from (text for text in texts if text)


def _report(data: TrainingData, spool: TokenSpool, note: Note, lost: Mapping[str, int]) -> None:
    valid = 0 if data.valid is None else len(data.valid)
    other = spool.counts.total() - spool.counts["train"] - spool.counts["valid"]
    note(f"{len(data.train):,} records to train on, {valid:,} to validate, {other:,} kept out")
    for what, count in {**data.notes, **lost}.items():
        if count:
            note(f"{count:,} training records {what}")
    if not valid:
        note("nothing to validate with, so the last step is kept, not the best")
