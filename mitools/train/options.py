"""Options of a training run: one frozen value, checked before anything is read.

A new option is one annotated field here; the command line makes its option from that. This module
imports no torch, so that ``mitools train --help`` is quick.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

from mitools.errors import UsageError
from mitools.student.layout import Order, PrefixPosition
from mitools.student.metadata import work_folder
from mitools.train.choices import (
    BETA_OF,
    DEFAULT_ALPHA,
    DEFAULT_BETA,
    DEFAULT_CONTROL,
    DEFAULT_CRITIC,
    DEFAULT_DIVERGENCE,
    DEFAULT_GAMMA,
    DEFAULT_GRADIENT,
    DEFAULT_MI,
    DEFAULT_POOL,
    DEFAULT_RATIONALE_WEIGHTS,
    DEFAULT_SAME_LABEL,
    DEFAULT_TEMPERATURE,
    PRESETS,
    Control,
    Critic,
    CutTargets,
    Divergence,
    EvalSplit,
    Gradient,
    LabelSource,
    MiTerm,
    Pool,
    Precision,
    PresetName,
    RationaleChoice,
    RationaleSource,
    RationaleWeights,
    SameLabel,
    Schedule,
    Selection,
    StudentAnswers,
    Tracker,
    UnreadableRationales,
)
from mitools.train.combinations import check_combinations
from mitools.train.fields import Help, check_values
from mitools.train.losses.combination import Objective
from mitools.train.ranges import (
    COUNT,
    EPOCHS,
    INPUT_TOKENS,
    RANK,
    RATE,
    SEED,
    SHARE,
    STEPS,
    TARGET_TOKENS,
    WEIGHT,
)
from mitools.train.trackers import check_trackers

__all__ = ["TrainOptions"]


@dataclass(frozen=True)
class TrainOptions:
    """Everything that decides a run.

    The help text of each field is its documentation; here is what a help text is too short for.

    Attributes:
        student: see :mod:`mitools.student.base.open_base` for what it may name.
        prefix_position: see :mod:`mitools.student.layout`.
        learning_rate: None means 1e-3 for ``scratch`` and for adapters, and 1e-4 for the weights
            of a pretrained model.
        micro_batch_size: None means the whole batch; on a CPU, if the loss is a sum over records,
            as many of its records as are fastest.
        agreement_weight: see :func:`mitools.train.example.example_of`.
    """

    save: Annotated[
        Path, Help("Folder of the trained student; it appears when training is complete.")
    ]
    student: Annotated[
        str,
        Help(
            "Base model: a folder or Hub name (T5, Flan-T5, SmolLM2 …), FILE.gguf, encoder:MODEL, "
            "package:NAME or scratch[:SIZE]."
        ),
    ] = "google/flan-t5-small"
    order: Annotated[
        Order, Help("Separate passes for label and rationale, or both in one pass in this order.")
    ] = "separate"
    prefix_position: Annotated[
        PrefixPosition,
        Help(
            "Position of the task prefix in the prompt. After the input (causal students only), "
            "both tasks share one reading of it."
        ),
    ] = "before"
    lora: Annotated[
        int | None,
        Help(
            "Rank of low-rank adapters to train instead of the weights; they are merged when "
            "saved.",
            RANK,
            metavar="RANK",
        ),
    ] = None
    mi: Annotated[
        MiTerm,
        Help(
            "Mutual-information (MI) term of the loss: none (DSS), as published (paper), masked "
            "and normalized (maxpool), contrastive (infonce, jsd, nwj), Barber-Agakov (ba), the "
            "label read behind the rationale (conclude), or the choice that it names (name)."
        ),
    ] = DEFAULT_MI
    mi_pool: Annotated[
        Pool, Help("How maxpool and ba pool the distributions at all positions.")
    ] = DEFAULT_POOL
    mi_divergence: Annotated[
        Divergence, Help("How maxpool compares the label's distribution with the rationale's.")
    ] = DEFAULT_DIVERGENCE
    mi_critic: Annotated[
        Critic,
        Help("What infonce, jsd and nwj compare: decoder states or vocabulary distributions."),
    ] = DEFAULT_CRITIC
    mi_same_label: Annotated[
        SameLabel,
        Help(
            "How infonce, jsd and nwj treat two records with the same label: left out (mask) or "
            "as a positive pair."
        ),
    ] = DEFAULT_SAME_LABEL
    mi_gradient: Annotated[
        Gradient,
        Help(
            "Side that receives the gradient of the MI term; auto is both for infonce, jsd and "
            "nwj, otherwise the rationale."
        ),
    ] = DEFAULT_GRADIENT
    mi_temperature: Annotated[
        float, Help("Temperature at which conclude compares both readings of the label.", RATE)
    ] = DEFAULT_TEMPERATURE
    mi_mask_label: Annotated[
        float,
        Help(
            "Probability of masking the label's words in the rationale that conclude reads; "
            "above 0 takes one more decoder pass.",
            SHARE,
        ),
    ] = 0.0
    mi_hide_input: Annotated[
        bool,
        Help("Hide the input where conclude reads the rationale; takes one more decoder pass."),
    ] = False
    mi_control: Annotated[
        Control,
        Help("Control for conclude: others' rationales (mixed: half of them), or past weights."),
    ] = DEFAULT_CONTROL
    rationale_weights: Annotated[
        RationaleWeights,
        Help("Loss weights of rationales; informative needs conclude and its information."),
    ] = DEFAULT_RATIONALE_WEIGHTS
    alpha: Annotated[
        float, Help("Weight of the label loss; the rationale loss has 1 - alpha.", SHARE)
    ] = DEFAULT_ALPHA
    beta: Annotated[
        float | None,
        Help("Weight of the MI term.  [default: 0.1; conclude: 0; name: 0.5]", WEIGHT),
    ] = None
    gamma: Annotated[
        float,
        Help("Weight of the label behind the rationale (conclude) or named in it (name).", WEIGHT),
    ] = DEFAULT_GAMMA
    beta_warmup: Annotated[
        int, Help("Steps in which the weight of the MI term rises from 0 to --beta.", STEPS)
    ] = 0
    agreement_weight: Annotated[
        float, Help("Loss weight of rationales whose teacher label is wrong, 0 to 1.", SHARE)
    ] = 1.0
    rationales: Annotated[
        RationaleChoice,
        Help(
            "Which rationale to learn if teacher.samples has several: the teacher's own (one), a "
            "random one in each epoch (sample) or the one with the lowest loss (min)."
        ),
    ] = "one"
    soft_labels: Annotated[bool, Help("Learn the teacher's distribution over labels.")] = False
    soft_temperature: Annotated[float, Help("Temperature of soft labels.", RATE)] = 1.0
    soft_weight: Annotated[float, Help("Weight of soft labels beside the label.", SHARE)] = 1.0
    wrong_rationales: Annotated[
        bool,
        Help("Use rationales of wrong teacher labels as negatives in infonce, jsd and nwj."),
    ] = False
    epochs: Annotated[float, Help("Passes over the training records.", EPOCHS)] = 3.0
    max_steps: Annotated[
        int | None, Help("Number of optimizer steps; overrides --epochs.", COUNT)
    ] = None
    learning_rate: Annotated[
        float | None,
        Help("Peak learning rate.  [default: 1e-4; 1e-3 for scratch and --lora]", RATE, flag="lr"),
    ] = None
    schedule: Annotated[Schedule, Help("Learning-rate schedule after the warm-up.")] = "linear"
    warmup_steps: Annotated[int, Help("Steps of learning-rate warm-up.", STEPS)] = 0
    weight_decay: Annotated[float, Help("Weight decay of AdamW.", WEIGHT)] = 0.0
    batch_size: Annotated[int, Help("Records per optimizer step.", COUNT)] = 16
    gradient_checkpointing: Annotated[
        bool,
        Help(
            "Keep the input of each layer only, and compute the rest again in the backward pass: "
            "less memory, slower steps."
        ),
    ] = False
    micro_batch_size: Annotated[
        int | None,
        Help("Records per forward pass.  [default: --batch-size; fewer on a CPU]", COUNT),
    ] = None
    max_input_tokens: Annotated[int, Help("Maximum input length in tokens.", INPUT_TOKENS)] = 512
    max_label_tokens: Annotated[int, Help("Maximum label length in tokens.", TARGET_TOKENS)] = 64
    max_rationale_tokens: Annotated[
        int, Help("Maximum rationale length in tokens.", TARGET_TOKENS)
    ] = 256
    cut_targets: Annotated[
        CutTargets, Help("Whether labels and rationales that are cut get an end token (ended).")
    ] = "open"
    labels_from: Annotated[
        LabelSource, Help("Source of the labels; auto is gold where known, else the teacher.")
    ] = "auto"
    rationales_from: Annotated[
        RationaleSource,
        Help("Source of the rationales; auto is the teacher where it gave one, else the human."),
    ] = "auto"
    unreadable_rationales: Annotated[
        UnreadableRationales,
        Help("Where a teacher's reply gave no rationale: train none (skip) or an empty one."),
    ] = "skip"
    student_answers: Annotated[
        StudentAnswers, Help("Answers of a student in the teacher's place: leave out, or train on.")
    ] = "skip"
    eval_every: Annotated[
        int | None,
        Help("Steps between validations.  [default: an epoch; --max-steps / 10]", COUNT),
    ] = None
    patience: Annotated[
        int | None,
        Help("Stop after this many validations without improvement.  [default: never]", COUNT),
    ] = None
    select_by: Annotated[
        Selection,
        Help(
            "Metric that selects the best checkpoint, the rationale loss with --alpha 0; last "
            "saves the last step."
        ),
    ] = "accuracy"
    eval_on: Annotated[
        EvalSplit, Help("Split to measure during training; test only with --select-by last.")
    ] = "valid"
    valid_limit: Annotated[
        int | None, Help("Maximum number of validation records; a hash draws them.", COUNT)
    ] = 500
    precision: Annotated[
        Precision,
        Help("Numeric precision; auto is bf16 autocast where the hardware computes in bf16."),
    ] = "auto"
    log_to: Annotated[
        tuple[Tracker, ...],
        Help("Tracker that also receives the figures: tensorboard, wandb, trackio. Repeatable."),
    ] = ()
    seed: Annotated[
        int, Help("Random seed: the same seed and input give the same student.", SEED)
    ] = 0
    task: Annotated[
        str | None, Help("How labels are read and compared.  [default: as the record says]")
    ] = None
    resume: Annotated[bool, Help("Continue an interrupted run.")] = False
    overwrite: Annotated[bool, Help("Replace an existing student or unfinished run.")] = False

    def __post_init__(self) -> None:
        object.__setattr__(self, "save", Path(self.save))  # a program may give a string

    @classmethod
    def from_preset(cls, preset: PresetName | None, **given: Any) -> TrainOptions:
        """Make options whose defaults are those of a preset.

        Args:
            preset: its name; None takes the defaults of this class.
            given: fields to set; they override the preset, as ``epochs`` does its ``max_steps``.
        """
        defaults = dict(PRESETS[preset]) if preset else {}
        if "epochs" in given:
            defaults.pop("max_steps", None)
        return cls(**{**defaults, **given})

    @property
    def work(self) -> Path:
        """The work folder of an unfinished run: checkpoints, log and tokenized records."""
        return work_folder(self.save)

    @property
    def same_command(self) -> str:
        """What to type to continue this run, for hints."""
        instead = ' in place of "--overwrite"' if self.overwrite else ""
        return f'run the same command with "--resume"{instead}'

    @property
    def objective(self) -> Objective:
        return Objective(
            alpha=self.alpha,
            beta=self.mi_weight,
            mi=self.mi,
            pool=self.mi_pool,
            divergence=self.mi_divergence,
            critic=self.mi_critic,
            same_label=self.mi_same_label,
            gradient=self.mi_gradient,
            gamma=self.gamma,
            temperature=self.mi_temperature,
            mask_label=self.mi_mask_label,
            hides_input=self.mi_hide_input,
            control=self.mi_control,
            rationale_weights=self.rationale_weights,
        )

    @property
    def mi_weight(self) -> float:
        """The weight of the MI term: the given one, or the term's own default."""
        return BETA_OF.get(self.mi, DEFAULT_BETA) if self.beta is None else self.beta

    @property
    def concludes(self) -> bool:
        """Whether the student learns the label behind the rationale and prompt of explain."""
        return self.mi == "conclude" and self.gamma > 0 and not self.mi_hide_input

    @property
    def marks_label_words(self) -> bool:
        """Whether batches have to mark the words of the label in each rationale."""
        return self.mi == "conclude" and self.mi_mask_label > 0

    @property
    def needs_rationales(self) -> bool:
        return self.alpha < 1

    @property
    def peak_learning_rate(self) -> float:
        if self.learning_rate is not None:
            return self.learning_rate
        # Adapters need about ten times the learning rate of the weights; see the source in
        # mitools.student.lora. After 12 steps of SmolLM2-135M on SVAMP at rank 8, held-out loss is
        # 1.39 at 1e-4 and 0.59 at 1e-3; it is 0.47 with the weights at 1e-4.
        return 1e-3 if self.student.startswith("scratch") or self.lora else 1e-4

    def check(self) -> None:
        """Refuse invalid options, whatever is on disk.

        Raises:
            UsageError: options exclude each other or are out of range.
        """
        check_values(self)
        if self.save.name in ("", ".."):
            raise UsageError(f"--save {self.save} does not name a new folder", hint="name one")
        self.objective.check()
        self.objective.check_order(self.order)
        check_trackers(self.log_to)
        check_combinations(self)

    def as_json(self) -> dict[str, Any]:
        """Return the options that a resumed run must share with the interrupted one."""
        ignored = ("save", "resume", "overwrite", "log_to")
        values = {**asdict(self), "beta": self.mi_weight}
        return {name: value for name, value in values.items() if name not in ignored}

    def changes_since(self, before: Mapping[str, Any]) -> list[str]:
        """Name the options that differ from those of an earlier run.

        The size of forward passes is not compared if the loss is a sum over records. Nor is what
        they keep in memory, which changes no result.

        Args:
            before: the earlier options, as :meth:`as_json` returned them.
        """
        now = json.loads(json.dumps(self.as_json()))
        now.pop("gradient_checkpointing")
        if self.objective.is_sum_over_rows:
            now.pop("micro_batch_size")
        return sorted(name for name, value in now.items() if before.get(name) != value)
