"""What a training run is told: one frozen value, checked before anything is read."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from mitools.errors import OutputError, UsageError
from mitools.student.codec import Order, PrefixPosition
from mitools.student.metadata import is_student
from mitools.train.losses.objective import (
    CONTRASTIVE_TERMS,
    Critic,
    Divergence,
    MiTerm,
    Objective,
    Pool,
    SameLabel,
)
from mitools.train.ranges import check_ranges
from mitools.train.work_folder.workspace import check_work_folder

__all__ = ["PRESETS", "TrainOptions", "is_replaceable"]

PRESETS: dict[str, dict[str, Any]] = {
    # arXiv:2403.03348, section 4, and the defaults of its code.
    "paper": {
        "mi": "paper",
        "alpha": 0.5,
        "beta": 0.1,
        "learning_rate": 5e-5,
        "batch_size": 64,
        "max_steps": 10_000,
        "max_input_tokens": 1024,
        "max_label_tokens": 256,
        "max_rationale_tokens": 256,
    }
}


@dataclass(frozen=True)
class TrainOptions:
    """Everything that decides a run.

    Attributes:
        save: the folder that the student appears in, whole, when training has ended.
        student: what to start from; see :mod:`mitools.student.base.open_base`.
        order: two passes, or one with both texts, and which of them comes first.
        prefix_position: where the task prefix stands, see :mod:`mitools.student.codec`.
        lora: the rank of low-rank adapters that are trained in place of the weights; None trains
            the weights.
        beta_warmup: steps over which β grows from 0 to its full weight.
        agreement_weight: what a record counts whose teacher missed gold, see
            :func:`mitools.train.example.example_of`.
        rationales: which of several to learn: the teacher's own, one drawn in each pass, or
            the one that the student finds easiest at that moment.
        soft_labels: draw each pass's label from the teacher's votes.
        wrong_rationales: show the contrastive terms rationales of answers that missed gold.
        max_steps: optimizer steps; None means ``epochs`` passes over the training records.
        learning_rate: peak; None means 1e-3 for ``scratch`` and for adapters, and 1e-4 for the
            weights of anything pretrained.
        batch_size: records in one optimizer step.
        micro_batch_size: records in one forward pass; None means the whole batch; on a CPU, if
            the loss is a sum over records, as many of it as are fastest.
        eval_every: optimizer steps between validations; None means once an epoch, or ten times
            in a run of ``max_steps``.
        patience: stop after so many validations without a new best; None never stops early.
        select_by: what the best model is the best in.
        valid_limit: validation records used (the first ones); None means all.
    """

    save: Path
    student: str
    order: Order = "separate"
    prefix_position: PrefixPosition = "before"
    lora: int | None = None
    mi: MiTerm = "none"
    mi_pool: Pool = "max"
    mi_divergence: Divergence = "ce"
    mi_critic: Critic = "states"
    mi_same_label: SameLabel = "mask"
    mi_gradient: Literal["auto", "both", "rationale"] = "auto"
    alpha: float = 0.5
    beta: float = 0.1
    beta_warmup: int = 0
    agreement_weight: float = 1.0
    rationales: Literal["one", "sample", "min"] = "one"
    soft_labels: bool = False
    wrong_rationales: bool = False
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
        # Beside the folder itself, not beside a link to it: one is renamed to the other.
        place = Path(os.path.realpath(self.save)) if self.save.is_symlink() else self.save
        return place.with_name(place.name + ".work")

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
        # Adapters want about ten times the rate of the weights beside them; see the source in
        # mitools.student.lora. After 12 steps of SmolLM2-135M on SVAMP at rank 8, held-out loss is
        # 1.39 at 1e-4 and 0.59 at 1e-3; it is 0.47 with the weights at 1e-4.
        return 1e-3 if self.student.startswith("scratch") or self.lora else 1e-4

    def check(self) -> None:
        """Refuse what cannot work, before a record is read.

        Raises:
            UsageError: options that exclude each other or make no sense.
            OutputError: the folder to save to is taken.
        """
        self.check_values()
        if self.save.exists():
            self._check_taken()
        check_work_folder(self.work, may_continue=self.resume, may_replace=self.overwrite)

    def _check_taken(self) -> None:
        if not (self.overwrite or self.resume):
            hint = 'choose another --save, or add "--overwrite"'
            raise OutputError(f"{self.save} is already there", hint=hint)
        if not is_replaceable(self.save):
            message = f"{self.save} holds something else than a student"
            raise OutputError(message, hint="choose another --save")

    def check_values(self) -> None:
        """Refuse options that exclude each other or make no sense, whatever is on disk.

        Raises:
            UsageError: some do.
        """
        check_ranges(vars(self))
        if self.save.name in ("", ".."):
            raise UsageError(f"--save {self.save} does not name a new folder", hint="name one")
        self.objective.check()
        self.objective.check_order(self.order)
        micro = self.micro_batch_size or self.batch_size
        if self.batch_size % micro:
            message = (
                f"--batch-size {self.batch_size} is not a multiple of --micro-batch-size {micro}"
            )
            raise UsageError(message, hint="choose a divisor of the batch size")
        if self.resume and self.overwrite:
            raise UsageError("--resume and --overwrite exclude each other", hint="drop one")
        self._check_data_options()
        is_new = self.student.split(":")[0] in ("scratch", "encoder")
        if self.lora and is_new:
            message = (
                f"--lora keeps weights as they are, and --student {self.student} has random ones"
            )
            raise UsageError(message, hint="drop --lora, or start from a pretrained student")

    def _check_data_options(self) -> None:
        if self.soft_labels and self.labels_from == "gold":
            message = "--soft-labels learns the teacher's votes, --labels-from gold does not"
            raise UsageError(message, hint="drop one")
        if self.wrong_rationales and self.mi not in CONTRASTIVE_TERMS:
            message = f"--wrong-rationales are for contrastive terms, not for --mi {self.mi}"
            raise UsageError(message, hint='add "--mi infonce"')

    def as_json(self) -> dict[str, Any]:
        """What a resumed run must have in common with the one it goes on with."""
        ignored = ("save", "resume", "overwrite")
        return {name: value for name, value in asdict(self).items() if name not in ignored}

    def changes_since(self, before: Mapping[str, Any]) -> list[str]:
        """Name the options that differ from those of an earlier run, as :meth:`as_json` gave them.

        How a batch is cut does not count where its loss is a sum over its records.
        """
        now = json.loads(json.dumps(self.as_json()))
        if self.objective.is_sum_over_rows:
            now.pop("micro_batch_size")
        return sorted(name for name, value in now.items() if before.get(name) != value)


def is_replaceable(folder: Path) -> bool:
    """Tell whether overwriting loses no more than a student."""
    return folder.is_dir() and (is_student(folder) or not any(folder.iterdir()))
