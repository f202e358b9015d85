"""What a training run is told: one frozen value, checked before anything is read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from mitools.errors import OutputError, UsageError
from mitools.student.metadata import METADATA_NAME
from mitools.train.objective import Critic, Divergence, MiTerm, Objective, Pool, SameLabel

__all__ = ["TrainOptions"]


@dataclass(frozen=True)
class TrainOptions:
    """Everything that decides a run.

    Attributes:
        save: the folder that the student appears in, whole, when training has ended.
        student: what to start from; see :mod:`mitools.student.models`.
        max_steps: optimizer steps; None means ``epochs`` passes over the training records.
        learning_rate: peak; None means 1e-3 for ``scratch`` and 1e-4 for anything pretrained.
        batch_size: records in one optimizer step.
        micro_batch_size: records in one forward pass; None means the whole batch.
        eval_every: optimizer steps between validations; None means once an epoch, or ten times
            in a run of ``max_steps``.
        patience: stop after so many validations without a new best; None never stops early.
        select_by: what the best model is the best in.
        valid_limit: validation records used (the first ones); None means all.
    """

    save: Path
    student: str
    mi: MiTerm = "maxpool"
    mi_pool: Pool = "max"
    mi_divergence: Divergence = "ce"
    mi_critic: Critic = "states"
    mi_same_label: SameLabel = "mask"
    mi_gradient: Literal["auto", "both", "rationale"] = "auto"
    alpha: float = 0.5
    beta: float = 0.1
    epochs: float = 3.0
    max_steps: int | None = None
    learning_rate: float | None = None
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    warmup_steps: int = 0
    weight_decay: float = 0.0
    batch_size: int = 16
    micro_batch_size: int | None = None
    max_input_tokens: int = 512
    max_label_tokens: int = 64
    max_rationale_tokens: int = 256
    labels_from: Literal["auto", "gold", "teacher"] = "auto"
    rationales_from: Literal["auto", "teacher", "human"] = "auto"
    eval_every: int | None = None
    patience: int | None = None
    select_by: Literal["accuracy", "label-loss"] = "accuracy"
    valid_limit: int | None = 500
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    seed: int = 0
    task: str | None = None
    resume: bool = False
    overwrite: bool = False

    @property
    def work(self) -> Path:
        """Where an unfinished run lives: checkpoints, log and tokenized records."""
        return self.save.with_name(self.save.name + ".work")

    @property
    def objective(self) -> Objective:
        return Objective(
            alpha=self.alpha,
            beta=self.beta,
            mi=self.mi,
            pool=self.mi_pool,
            divergence=self.mi_divergence,
            critic=self.mi_critic,
            same_label=self.mi_same_label,
            gradient=self.mi_gradient,
        )

    @property
    def needs_rationales(self) -> bool:
        return self.alpha < 1

    @property
    def peak_learning_rate(self) -> float:
        if self.learning_rate is not None:
            return self.learning_rate
        return 1e-3 if self.student.startswith("scratch") else 1e-4

    @property
    def accumulation_steps(self) -> int:
        return self.batch_size // (self.micro_batch_size or self.batch_size)

    def check(self) -> None:
        """Refuse what cannot work, before a record is read.

        Raises:
            UsageError: options that exclude each other or make no sense.
            OutputError: the folder to save to is taken.
        """
        self.objective.check()
        micro = self.micro_batch_size or self.batch_size
        if self.batch_size % micro:
            message = f"--batch-size {self.batch_size} is no multiple of --micro-batch-size {micro}"
            raise UsageError(message, hint="make it one")
        if self.resume and self.overwrite:
            raise UsageError("--resume and --overwrite exclude each other", hint="drop one")
        if self.save.exists() and not self.overwrite:
            hint = 'choose another --save, or add "--overwrite"'
            raise OutputError(f"{self.save} is already there", hint=hint)
        if self.save.exists() and not _is_replaceable(self.save):
            message = f"{self.save} holds something else than a student"
            raise OutputError(message, hint="choose another --save")
        if self.work.exists() and not (self.resume or self.overwrite):
            hint = 'add "--resume" to go on with it, or "--overwrite" to start anew'
            raise OutputError(f"{self.work} holds an unfinished run", hint=hint)

    def as_json(self) -> dict[str, Any]:
        """What a resumed run must have in common with the one it goes on with."""
        ignored = ("save", "resume", "overwrite")
        return {name: value for name, value in asdict(self).items() if name not in ignored}


def _is_replaceable(folder: Path) -> bool:
    """Tell whether overwriting loses no more than a student."""
    return folder.is_dir() and ((folder / METADATA_NAME).exists() or not any(folder.iterdir()))
