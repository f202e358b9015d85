"""Dry runs: the steps of a run, the shapes of its batches, their padding, and its memory."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mitools.records import Record
from mitools.train.options import TrainOptions
from mitools.train.prepare import Note, prepare
from mitools.train.recompute import recomputes_layers
from mitools.train.sampler import BatchesByLength
from mitools.train.tokenized import lengths_of
from mitools.train.training_run import TrainingRun, no_note
from mitools.train.two_task_model import TwoTaskModel

__all__ = ["Shape", "batch_shapes", "describe_training", "estimate_training"]

_PARTS = ("label_prompt", "label_target", "rationale_prompt", "rationale_target")
_FEWEST_PIECES = 200


@dataclass(frozen=True)
class Shape:
    """The shape of one part of the batches.

    Attributes:
        rows: B.
        widest: the widest batch of the run, in tokens.
        padding: share of padding in the batches that were looked at, 0 to 1; 0 for no batches.
    """

    name: str
    rows: int
    widest: int
    padding: float


def estimate_training(
    records: Iterable[Record], options: TrainOptions, on_note: Note = no_note
) -> list[tuple[str, str]]:
    """Read and tokenize records, and describe the run without training.

    Works in a temporary folder: ``options.save`` is neither read nor written, and ``resume`` and
    ``overwrite`` have no effect.

    Args:
        records: as in :func:`mitools.train.run.train_student`.
        on_note: called with each message for people.

    Returns:
        Names and values for people; see :func:`describe_training`.

    Raises:
        UsageError, DataError, StudentError, TrainingError: as in
            :func:`mitools.train.run.train_student`.
    """
    with tempfile.TemporaryDirectory(prefix="mitools-") as folder:
        options = replace(options, save=Path(folder) / "student", resume=False, overwrite=False)
        run = prepare(records, options, on_note)
        assert isinstance(run, TrainingRun)  # nothing is resumed
        return describe_training(run)


def describe_training(run: TrainingRun) -> list[tuple[str, str]]:
    """Describe the steps, batches and memory of a run, as names and values for people."""
    arguments = run.arguments
    size = arguments.per_device_train_batch_size
    pieces = arguments.gradient_accumulation_steps
    parts = _PARTS[: 4 if run.model.objective.alpha < 1 else 2]
    lengths = {name: lengths_of(run.data.train, name) for name in parts}
    shapes = batch_shapes(lengths, _first_batches(run, size, pieces), size)
    return [
        ("steps", f"{run.total_steps:,}"),
        ("records per step", f"{run.options.batch_size:,}"),
        ("records per forward pass", f"{size:,}"),
        *_describe_shapes(shapes),
        *_describe_memory(run.model, shapes, has_wrong=run.options.wrong_rationales),
    ]


def batch_shapes(
    lengths: Mapping[str, NDArray[np.int32]], order: Sequence[int], size: int
) -> list[Shape]:
    """Measure the parts of batches.

    Args:
        lengths: [N] for each part, the tokens of every training record.
        order: the records of some batches in the order of training; their padding stands for all.
        size: records of a batch; the last one may have fewer.

    Returns:
        The shape of each part that any record has. ``widest`` is over all records, as each of
        them is in some batch.
    """
    shapes = []
    for name, of_rows in lengths.items():
        if len(of_rows) and not of_rows.any():  # in one pass there is one prompt
            continue
        found = of_rows[list(order)]
        batches = [found[low : low + size] for low in range(0, len(found), size)]
        places = sum(len(batch) * int(batch.max()) for batch in batches)
        padding = 1 - int(found.sum()) / places if places else 0.0
        widest = int(of_rows.max(initial=0))
        shapes.append(Shape(name, min(size, len(of_rows)), widest, padding))
    return shapes


def _first_batches(run: TrainingRun, size: int, pieces: int) -> list[int]:
    """Return the records of the first batches of a run, whole batches and a few hundred pieces."""
    order = BatchesByLength(lengths_of(run.data.train), size * pieces, run.options.seed)
    return list(islice(order, size * pieces * math.ceil(_FEWEST_PIECES / pieces)))


def _describe_shapes(shapes: Sequence[Shape]) -> list[tuple[str, str]]:
    return [
        (
            shape.name.replace("_", " "),
            f"up to [{shape.rows}, {shape.widest}], {shape.padding:.0%} padding",
        )
        for shape in shapes
    ]


def _describe_memory(
    model: TwoTaskModel, shapes: Sequence[Shape], *, has_wrong: bool
) -> list[tuple[str, str]]:
    """Describe the memory of weights, gradients and AdamW, and roughly of a forward pass.

    Args:
        has_wrong: whether wrong rationales are read, too.
    """
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    count = sum(weight.numel() for weight in weights)
    frozen = sum(weight.numel() for weight in model.parameters()) - count
    fixed = 16 * count + 4 * frozen  # float32: the weight, and if trained gradient and two moments
    if model.critic is not None:
        fixed += sum(buffer.nbytes for buffer in model.critic.buffers())  # past weights
    lines = [
        ("weights to train", f"{count:,}"),
        ("weights, gradients and optimizer", _gigabytes(fixed)),
    ]
    batch = _activations(model, shapes, has_wrong=has_wrong)
    if batch is not None:
        lines.append(("activations of a forward pass, about", _gigabytes(batch)))
    return lines


def _activations(
    model: TwoTaskModel, shapes: Sequence[Shape], *, has_wrong: bool = False
) -> int | None:
    """Estimate the activations that a forward pass keeps, in bytes of float32.

    Source: arXiv:2205.05198, equation 1, for half precision: tokens · D · (34 + 5 · heads · S / D)
    per layer. The vocabulary head keeps very little, see :mod:`mitools.train.losses.fused`, but
    where it is not fused.
    """
    whole = model.student.config
    config = getattr(whole, "decoder", None) or whole  # that of a pair is in its parts
    names = ("hidden_size", "num_hidden_layers", "num_attention_heads")
    width, layers, heads = (getattr(config, name, None) for name in names)
    if not (width and layers and heads):
        return None
    total = 0.0
    recomputes = recomputes_layers(model.student)  # one layer whole, the inputs of the others
    rows = max((shape.rows for shape in shapes), default=0)
    widest = {shape.name: shape.widest for shape in shapes}
    for prompt, target in _passes(model, widest, has_wrong=has_wrong):
        parts = [prompt, target] if whole.is_encoder_decoder else [prompt + target]
        for length in parts:
            layer = rows * length * width * (34 + 5 * heads * length / width)
            total += layer + rows * length * width * 2 * layers if recomputes else layer * layers
    return int(2 * total) + 4 * rows * _kept_scores(model, widest)


def _kept_scores(model: TwoTaskModel, widest: Mapping[str, int]) -> int:
    """Count the scores of words that a row keeps: T · V for each [T, V] tensor.

    In the plain form these are the log-probabilities of both tasks and, for an MI term, what it
    pools of the rationale.
    """
    if model.is_fused:
        return 0
    copies = 1 if model.objective.mi == "none" else 2
    places = widest.get("label_target", 0) + copies * widest.get("rationale_target", 0)
    return places * int(model.head.weight.shape[0])


def _passes(
    model: TwoTaskModel, widest: Mapping[str, int], *, has_wrong: bool
) -> list[tuple[int, int]]:
    """Return the widths of prompt and target of each forward pass of a step."""
    label, rationale = (widest.get(f"{name}_target", 0) for name in ("label", "rationale"))
    if (first := model.codec.first) is not None:
        whole = (widest.get(f"{first}_prompt", 0), label + rationale)
        return [whole, whole] if has_wrong else [whole]
    prompts = [widest.get(f"{name}_prompt", 0) for name in ("label", "rationale")]
    alone = prompts[1]
    if model.tails is not None and prompts[1]:
        prompts[1] = model.tails[1]  # the rest is read with the label's
    found = [(prompts[0], label), (prompts[1], rationale)]
    if (conclusion := model.passes.conclusion_input) is not None:
        if conclusion.takes_a_pass:
            read = 0 if model.objective.hides_input else alone
            found.append((read, rationale + label))
        else:
            found[1] = (prompts[1], rationale + label)
    if has_wrong:
        found.append((alone, rationale))
    return found


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.2f} GB"
