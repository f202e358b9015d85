"""Options that a run does not read, such as ``--gamma`` without ``--mi conclude``, or not in full.

A user is told of them before training. They are not refused: where ``--mi none`` replaces the term
of a recipe, the recipe's weight of that term remains.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

from mitools.train.choices import CONTRASTIVE_TERMS
from mitools.train.fields import option_fields
from mitools.train.options import TrainOptions

__all__ = ["unfinished_warmups", "unused_options"]


@dataclass(frozen=True)
class _Reader:
    """What reads some options.

    Attributes:
        options: the names of their fields.
        needs: what must be set for that, as a user types it.
        reads: whether a run reads them.
    """

    options: tuple[str, ...]
    needs: str
    reads: Callable[[TrainOptions], bool]


_READERS = (
    _Reader(("mi_divergence",), "--mi maxpool", lambda run: run.mi == "maxpool"),
    _Reader(
        ("mi_pool",),
        "--mi maxpool or ba, or --mi-critic vocabulary with infonce, jsd or nwj",
        lambda run: run.objective.needs_distributions,
    ),
    _Reader(
        ("mi_critic", "mi_same_label"),
        "--mi infonce, jsd or nwj",
        lambda run: run.mi in CONTRASTIVE_TERMS,
    ),
    _Reader(
        ("mi_gradient",),
        "--mi maxpool, ba, infonce, jsd or nwj",
        lambda run: run.mi in ("maxpool", "ba", *CONTRASTIVE_TERMS),
    ),
    _Reader(
        ("gamma",),
        "--mi conclude or name",
        lambda run: run.mi in ("conclude", "name"),
    ),
    _Reader(
        ("mi_mask_label", "mi_hide_input", "mi_control"),
        "--mi conclude",
        lambda run: run.mi == "conclude",
    ),
    _Reader(
        ("mi_temperature",),
        "--mi conclude, and --beta above 0 or --rationale-weights informative",
        lambda run: (
            run.mi == "conclude" and (run.mi_weight > 0 or run.rationale_weights == "informative")
        ),
    ),
    _Reader(("beta",), "an MI term, chosen with --mi", lambda run: run.mi != "none"),
    _Reader(
        ("beta_warmup",),
        "an MI term, chosen with --mi, and --beta above 0",
        lambda run: run.mi != "none" and run.mi_weight > 0,
    ),
    _Reader(("epochs",), "a run without --max-steps", lambda run: run.max_steps is None),
    _Reader(("soft_temperature", "soft_weight"), "--soft-labels", lambda run: run.soft_labels),
)


def unused_options(options: TrainOptions, given: Collection[str]) -> list[str]:
    """Name the given options that this run does not read.

    Args:
        options: all of them.
        given: the names of those that a user has set, not a preset or a default.

    Returns:
        One sentence for each, with what it needs; none where all are read.
    """
    flags = {field.name: field.flag for field in option_fields(TrainOptions)}
    return [
        f"--{flags[name]} has no effect: it needs {reader.needs}"
        for reader in _READERS
        for name in reader.options
        if name in given and not reader.reads(options)
    ]


def unfinished_warmups(options: TrainOptions, total_steps: int) -> list[str]:
    """Name the warm-ups that are longer than the run.

    Args:
        options: of the run.
        total_steps: optimizer steps of the run.

    Returns:
        One sentence for each, with the largest value that the run reaches.
    """
    found = []
    steps = f"in {total_steps:,} step{'' if total_steps == 1 else 's'}"
    rate, peak = options.warmup_steps, options.peak_learning_rate
    if rate >= total_steps:  # the first step has rate 0, the step after the warm-up the peak
        most = peak * (total_steps - 1) / rate
        found.append(f"--warmup-steps {rate:,}: {steps} --lr reaches {most:.2g}, not {peak:g}")
    longer, weight = options.beta_warmup, options.mi_weight
    if options.mi != "none" and weight > 0 and longer > total_steps:
        most = weight * total_steps / longer
        found.append(f"--beta-warmup {longer:,}: {steps} --beta reaches {most:.2g}, not {weight:g}")
    return found
