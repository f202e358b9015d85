"""Choices, shared defaults and presets of training; no torch, so that help texts can read them.

Each option that is one of several words has its type here and the tuple of its values. A default
stands here where both :class:`mitools.train.losses.objective.Objective` and
:class:`mitools.train.options.TrainOptions` have it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

__all__ = [
    "BETA_OF",
    "CONTRASTIVE_TERMS",
    "DEFAULT_ALPHA",
    "DEFAULT_BETA",
    "DEFAULT_CONTROL",
    "DEFAULT_CRITIC",
    "DEFAULT_DIVERGENCE",
    "DEFAULT_GAMMA",
    "DEFAULT_GRADIENT",
    "DEFAULT_MI",
    "DEFAULT_POOL",
    "DEFAULT_RATIONALE_WEIGHTS",
    "DEFAULT_SAME_LABEL",
    "DEFAULT_TEMPERATURE",
    "DIVERGENCES",
    "MI_TERMS",
    "POOLS",
    "PRESETS",
    "Control",
    "Critic",
    "CutTargets",
    "Divergence",
    "EvalSplit",
    "Gradient",
    "LabelSource",
    "MiTerm",
    "Pool",
    "Precision",
    "PresetName",
    "RationaleChoice",
    "RationaleSource",
    "RationaleWeights",
    "SameLabel",
    "Schedule",
    "Selection",
    "StudentAnswers",
    "Tracker",
    "UnreadableRationales",
]

# The objective

MiTerm = Literal["none", "paper", "maxpool", "infonce", "jsd", "nwj", "ba", "conclude", "name"]
MI_TERMS: tuple[MiTerm, ...] = get_args(MiTerm)
CONTRASTIVE_TERMS: tuple[MiTerm, ...] = ("infonce", "jsd", "nwj")

Pool = Literal["max", "mean", "logsumexp"]
POOLS: tuple[Pool, ...] = get_args(Pool)

Divergence = Literal["ce", "kl", "jsd"]
DIVERGENCES: tuple[Divergence, ...] = get_args(Divergence)

Critic = Literal["states", "vocabulary"]
SameLabel = Literal["mask", "positive"]
Gradient = Literal["auto", "both", "rationale"]
Control = Literal["none", "shuffled", "mixed", "past"]
RationaleWeights = Literal["uniform", "informative"]

DEFAULT_ALPHA = 0.5
DEFAULT_BETA = 0.1
DEFAULT_MI: MiTerm = "none"
DEFAULT_POOL: Pool = "max"
DEFAULT_DIVERGENCE: Divergence = "ce"
DEFAULT_CRITIC: Critic = "states"
DEFAULT_SAME_LABEL: SameLabel = "mask"
DEFAULT_GRADIENT: Gradient = "auto"
DEFAULT_GAMMA = 0.5
DEFAULT_TEMPERATURE = 2.0
DEFAULT_CONTROL: Control = "none"
DEFAULT_RATIONALE_WEIGHTS: RationaleWeights = "uniform"

SHUFFLED_SHARE: Mapping[Control, float] = {"shuffled": 1.0, "mixed": 0.5}
"""The probability that a record's label is read behind another record's rationale; else 0."""

BETA_OF: Mapping[MiTerm, float] = {"conclude": 0.0, "name": 0.5}
"""The weight of an MI term where none is given; :data:`DEFAULT_BETA` of the others."""

# The data

LabelSource = Literal["auto", "gold", "teacher"]
RationaleSource = Literal["auto", "teacher", "human"]
RationaleChoice = Literal["one", "sample", "min"]
UnreadableRationales = Literal["skip", "blank"]
StudentAnswers = Literal["skip", "use"]
CutTargets = Literal["open", "ended"]

# The run

Schedule = Literal["linear", "cosine", "constant"]
Selection = Literal["accuracy", "label-loss", "last"]
EvalSplit = Literal["valid", "test"]
Precision = Literal["auto", "fp32", "bf16"]
Tracker = Literal["tensorboard", "wandb", "trackio"]

PresetName = Literal["paper"]
PRESETS: Mapping[PresetName, Mapping[str, Any]] = {
    # The defaults of the code of arXiv:2403.03348: main.py, lines 20 to 44 and 158 to 172, of
    # https://github.com/xinchen9/cot_distillation_ACL2024 at 59ca033. What is not an option here,
    # and what still differs, is in recipes/paper/README.md.
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
        "cut_targets": "ended",
        "rationales_from": "teacher",
        "unreadable_rationales": "blank",
        "precision": "fp32",
        "select_by": "last",
        "eval_on": "test",
        "eval_every": 250,
        "valid_limit": None,
    }
}
"""Values of fields of ``TrainOptions`` that replace its defaults, by the preset's name."""
