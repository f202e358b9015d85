"""Options of training that exclude each other, or need each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mitools.errors import UsageError
from mitools.train.choices import CONTRASTIVE_TERMS

if TYPE_CHECKING:
    from mitools.train.options import TrainOptions

__all__ = ["check_combinations"]


def check_combinations(options: TrainOptions) -> None:
    """Refuse options that do not go together; those of the objective check themselves.

    Raises:
        UsageError: two of them exclude each other, or one needs another.
    """
    micro = options.micro_batch_size or options.batch_size
    if options.batch_size % micro:
        message = (
            f"--batch-size {options.batch_size} is not a multiple of --micro-batch-size {micro}"
        )
        raise UsageError(message, hint="choose a divisor of the batch size")
    if micro == 1 and _compares_records(options):
        message = f"--mi {options.mi} compares the records of a forward pass, and here it has one"
        size = "--batch-size" if options.batch_size == 1 else "--micro-batch-size"
        raise UsageError(message, hint=f'choose a {size} above 1, or "--mi none"')
    if options.resume and options.overwrite:
        hint = 'to keep an unfinished run and continue it, drop "--overwrite"'
        raise UsageError("--resume and --overwrite exclude each other", hint=hint)
    _check_data(options)
    _check_selection(options)
    is_new = options.student.split(":")[0] in ("scratch", "encoder")
    if options.lora and is_new:
        message = f"--lora freezes the weights, and those of --student {options.student} are random"
        raise UsageError(message, hint="drop --lora, or choose a pretrained student")


def _compares_records(options: TrainOptions) -> bool:
    """Return whether a forward pass of one record leaves the MI term without a value."""
    has_pairs = options.mi in CONTRASTIVE_TERMS and not options.wrong_rationales
    shuffles = options.mi == "conclude" and options.objective.shuffled_share > 0
    return (has_pairs and options.mi_weight > 0) or shuffles


def _check_data(options: TrainOptions) -> None:
    if options.soft_labels and options.labels_from == "gold":
        message = "--soft-labels uses the teacher's labels, --labels-from gold excludes them"
        raise UsageError(message, hint="drop one")
    if options.rationales != "one" and options.objective.names:
        message = f"--mi name learns from one rationale, --rationales {options.rationales} chooses"
        raise UsageError(message, hint='drop one; "--mi conclude" takes several')
    if options.wrong_rationales and options.mi not in CONTRASTIVE_TERMS:
        message = f"--wrong-rationales needs a contrastive term, not --mi {options.mi}"
        raise UsageError(message, hint='add "--mi infonce"')


def _check_selection(options: TrainOptions) -> None:
    if options.select_by != "last" and options.eval_on == "test":
        message = f"--select-by {options.select_by} must not read the test split"
        raise UsageError(message, hint='add "--select-by last", or use "--eval-on valid"')
    if options.select_by == "last" and options.patience is not None:
        message = "--patience needs a metric, and --select-by last has none"
        raise UsageError(message, hint='drop --patience, or add "--select-by accuracy"')
