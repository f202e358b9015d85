"""A prepared run: its steps, its end, and the student that it saves."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers import PrinterCallback, TrainingArguments

from mitools.errors import INTERRUPTED, MitoolsError, TrainingError
from mitools.files import output_errors
from mitools.student.boundary import is_out_of_memory
from mitools.student.codec import Codec
from mitools.student.local import LocalStudent
from mitools.train.allocator import freed_memory_kept
from mitools.train.answer_weight import choose_answer
from mitools.train.arguments import training_arguments
from mitools.train.callbacks import (
    Clock,
    Interrupt,
    LogCallback,
    OnStep,
    Patience,
    Resumption,
    no_step,
    trim_log,
)
from mitools.train.collate import TwoTaskCollator
from mitools.train.options import TrainOptions
from mitools.train.processes import Processes
from mitools.train.saving import describe_student, save_trained
from mitools.train.tokenized import TokenSpool, TrainingData, lengths_of
from mitools.train.trackers import tracking
from mitools.train.trainer import SMALLER_STEPS, StudentTrainer
from mitools.train.two_task_model import TwoTaskModel
from mitools.train.validate import final_metrics
from mitools.train.work_folder.checkpoints import START_AGAIN, read_state
from mitools.train.work_folder.resume import is_at_its_end
from mitools.train.work_folder.workspace import Workspace

__all__ = ["Interrupted", "TrainingRun", "no_note"]


def no_note(_text: str) -> None:
    """Ignore a message."""


class Interrupted(MitoolsError):
    """Training was stopped by a signal, after a checkpoint."""

    exit_code = INTERRUPTED


@dataclass
class TrainingRun:
    """A run that is ready to start.

    Attributes:
        spool: every record that was read, of any split.
        checkpoint: the checkpoint to continue from.
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

    @property
    def steps_done(self) -> int:
        """Steps up to the checkpoint to continue from."""
        if self.checkpoint is None:
            return 0
        return int(read_state(Path(self.checkpoint))["global_step"])

    def execute(
        self, on_step: OnStep = no_step, on_note: Callable[[str], None] = no_note
    ) -> dict[str, float]:
        """Train, and save the best checkpoint as a student under ``--save``.

        Args:
            on_step: called after each step with its number and the latest logged figures.
            on_note: called with what experiment trackers print, and with what is done at the end.

        Returns:
            The metrics of the best validation, or the last training loss if nothing was validated.

        Raises:
            Interrupted: a signal arrived; a checkpoint is saved.
            TrainingError: the loss became NaN or infinite, memory ran out, or a checkpoint is
                unusable.
            OutputError: the disk is full.
        """
        try:
            names = self.options.log_to if self.processes.is_first else ()
            save, settings = self.options.save, self.options.as_json()
            resumes = self.checkpoint is not None
            with tracking(names, save, settings, resumes=resumes, note=on_note) as trackers:
                return self._execute(on_step, on_note, trackers)
        except BaseException as exc:
            if self.workspace is not None:
                self.workspace.release()
            if is_out_of_memory(exc):
                raise self._out_of_memory() from exc
            raise

    def _execute(
        self, on_step: OnStep, on_note: Callable[[str], None], trackers: list[Any]
    ) -> dict[str, float]:
        clock = Clock(self.checkpoint)
        interrupt = Interrupt()
        log = LogCallback(self.options.work / "log.jsonl", on_step)
        trainer = self._make_trainer([interrupt, clock, log, *trackers])
        with output_errors(str(self.options.work)), interrupt.armed():
            if self.processes.is_first:
                trim_log(log.path, self.checkpoint)
            try:
                self._train(trainer)
            except KeyboardInterrupt as exc:  # the second signal
                message = f"stopped at once in step {trainer.state.global_step + 1:,}"
                hint = f"{self.options.same_command} to continue from the last checkpoint"
                raise Interrupted(message, hint=hint) from exc
        self.processes.meet()  # the first one deletes files that others may still be loading
        if interrupt.signal is not None:
            step = trainer.state.global_step
            message = f"interrupted; step {step:,} of {trainer.state.max_steps:,} is saved"
            raise Interrupted(message, hint=f"{self.options.same_command} to continue")
        metrics = self._final_metrics(trainer)
        results = {
            **metrics,
            "steps": trainer.state.global_step,
            "best_step": trainer.state.best_global_step,
        }
        if self.processes.is_first:
            self._note_early_stop(trainer, on_note)
            self._save({**results, "train_seconds": clock.seconds}, self._answering(on_note))
        return metrics

    def _note_early_stop(self, trainer: StudentTrainer, on_note: Callable[[str], None]) -> None:
        step, total = trainer.state.global_step, trainer.state.max_steps
        if step < total:
            count = self.options.patience
            which = (
                "the last validation has" if count == 1 else f"the last {count} validations have"
            )
            on_note(f"stopped after step {step:,} of {total:,}: {which} not improved (--patience)")

    def _train(self, trainer: StudentTrainer) -> None:
        """Make the remaining steps."""
        total = trainer.args.max_steps
        if self.checkpoint and self.data.valid is not None:
            trainer.make_owed_validation(self.checkpoint)
        if self.checkpoint and is_at_its_end(self.checkpoint, total, self.options):
            trainer.restore(self.checkpoint)  # ``train`` would make one step more
        else:
            with freed_memory_kept():
                trainer.train(resume_from_checkpoint=self.checkpoint)

    def _final_metrics(self, trainer: StudentTrainer) -> dict[str, float]:
        state = trainer.state
        is_last = self.options.select_by == "last"
        saved = state.global_step if is_last else state.best_global_step
        return final_metrics(state.log_history, saved, self.options.eval_on)

    def _out_of_memory(self) -> TrainingError:
        size = self.arguments.per_device_train_batch_size
        if size > 1 and self.options.objective.is_sum_over_rows:
            hint = f"{self.options.same_command} and a --micro-batch-size below {size}"
        elif size > 1:
            hint = f"lower --batch-size ({self.options.batch_size}), and {START_AGAIN}"
        else:
            hint = f"lower --max-input-tokens or choose a smaller student, and {START_AGAIN}"
        if not self.options.gradient_checkpointing:
            hint += "; --gradient-checkpointing needs less memory, too"
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
                names=options.objective.names,
            ),
            callbacks=callbacks,
            codec=self.codec,
            metadata=self._metadata({}),
            measures_accuracy=options.select_by != "label-loss",
            beta_warmup=options.beta_warmup,
            same_command=options.same_command,
        )
        trainer.remove_callback(PrinterCallback)  # it prints to stdout, which carries records
        return trainer

    def _answering(self, on_note: Callable[[str], None]) -> dict[str, Any]:
        """Choose how the student answers, where there are validation records."""
        if self.data.valid is None or self.options.eval_on != "valid":
            return {}
        student = LocalStudent(self.model.student, self.codec, self._metadata({}))
        return choose_answer(student, self.data.valid, on_note)

    def _save(self, results: Mapping[str, Any], answering: Mapping[str, Any]) -> None:
        # Without validation records, nothing else would notice what the last step did.
        if not all(weight.isfinite().all() for weight in self.model.student.parameters()):
            message = f"the weights are not finite after step {results['steps']}"
            raise TrainingError(message, hint=SMALLER_STEPS)
        metadata = {**self._metadata(results), "answer_weight": None, **answering}
        save_trained(self.options, self.model.student, self.codec, metadata)

    def clean(self) -> None:
        """Delete the work folder, with the spool."""
        if self.workspace is not None:
            self.workspace.delete()

    def _metadata(self, results: Mapping[str, Any]) -> dict[str, Any]:
        return describe_student(
            self.options, self.base_name, self.codec, self.spool, self.data, results
        )
