"""Dry runs: the steps of a run, the shapes of its batches, their padding, and its memory."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from mitools.records import Record
from mitools.train.options import TrainOptions
from mitools.train.prepare import Note, prepare
from mitools.train.training_run import TrainingRun, no_note
from mitools.train.two_task_model import TwoTaskModel

__all__ = ["Shape", "batch_shapes", "describe_training", "estimate_training"]

_PARTS = ("label_prompt", "label_target", "rationale_prompt", "rationale_target")
_MOST_PIECES = 200


@dataclass(frozen=True)
class Shape:
    """The shape of one part of the batches.

    Attributes:
        rows: B.
        widest: the widest batch, in tokens.
        padding: share of padding in all batches, 0 to 1; 0 for no batches.
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
    shapes = batch_shapes(run.data.train, size, pieces, run.model.objective.alpha < 1)
    return [
        ("steps", f"{run.total_steps:,}"),
        ("records per step", f"{run.options.batch_size:,}"),
        ("records per forward pass", f"{size:,}"),
        *_describe_shapes(shapes),
        *_describe_memory(run.model, shapes),
    ]


def batch_shapes(
    rows: Sequence[Mapping[str, Any]], size: int, pieces: int, with_rationales: bool
) -> list[Shape]:
    """Measure the first batches, each sorted and cut into ``pieces`` of ``size`` records.

    Training draws records at random, so the first few hundred pieces are representative.
    """
    shapes = []
    count = min(len(rows), size * max(pieces, _MOST_PIECES))
    seen = [rows[place] for place in range(count)]
    parts = _PARTS[: 4 if with_rationales else 2]
    order: list[int] = []
    for low in range(0, count, size * pieces):
        batch = range(low, min(count, low + size * pieces))
        order += sorted(batch, key=lambda place: sum(len(seen[place][name]) for name in parts))
    for name in parts:
        lengths = [len(seen[place][name]) for place in order]
        if lengths and not any(lengths):  # in one pass there is one prompt
            continue
        batches = [lengths[low : low + size] for low in range(0, count, size)]
        places = sum(len(batch) * max(batch) for batch in batches)
        padding = 1 - sum(lengths) / places if places else 0.0
        shapes.append(Shape(name, min(size, count), max(lengths, default=0), padding))
    return shapes


def _describe_shapes(shapes: Sequence[Shape]) -> list[tuple[str, str]]:
    return [
        (
            shape.name.replace("_", " "),
            f"up to [{shape.rows}, {shape.widest}], {shape.padding:.0%} padding",
        )
        for shape in shapes
    ]


def _describe_memory(model: TwoTaskModel, shapes: Sequence[Shape]) -> list[tuple[str, str]]:
    """Describe the memory of weights, gradients and AdamW, and roughly of a forward pass."""
    weights = [parameter for parameter in model.parameters() if parameter.requires_grad]
    count = sum(weight.numel() for weight in weights)
    frozen = sum(weight.numel() for weight in model.parameters()) - count
    fixed = 16 * count + 4 * frozen  # float32: the weight, and if trained gradient and two moments
    lines = [
        ("weights to train", f"{count:,}"),
        ("weights, gradients and optimizer", _gigabytes(fixed)),
    ]
    batch = _activations(model, shapes)
    if batch is not None:
        lines.append(("activations of a forward pass, about", _gigabytes(batch)))
    return lines


def _activations(model: TwoTaskModel, shapes: Sequence[Shape]) -> int | None:
    """Estimate the activations that a forward pass keeps, in bytes of float32.

    Source: arXiv:2205.05198, equation 1, for half precision: tokens · D · (34 + 5 · heads · S / D)
    per layer. The vocabulary head keeps very little, see :mod:`mitools.train.losses.fused`.
    """
    config = model.student.config
    names = ("hidden_size", "num_hidden_layers", "num_attention_heads")
    width, layers, heads = (getattr(config, name, None) for name in names)
    if not (width and layers and heads):
        return None
    total = 0.0
    rows = max((shape.rows for shape in shapes), default=0)
    for prompt, target in _passes(model, {shape.name: shape.widest for shape in shapes}):
        parts = [prompt, target] if config.is_encoder_decoder else [prompt + target]
        for length in parts:
            total += rows * length * width * (34 + 5 * heads * length / width) * layers
    return int(2 * total)


def _passes(model: TwoTaskModel, widest: Mapping[str, int]) -> list[tuple[int, int]]:
    """Return the widths of prompt and target of each forward pass of a step."""
    label, rationale = (widest.get(f"{name}_target", 0) for name in ("label", "rationale"))
    if model.codec.first is not None:
        return [(widest.get(f"{model.codec.first}_prompt", 0), label + rationale)]
    prompts = [widest.get(f"{name}_prompt", 0) for name in ("label", "rationale")]
    if model.tails is not None and prompts[1]:
        prompts[1] = model.tails[1]  # the rest is read with the label's
    if model.objective.concludes:
        rationale += label
    return [(prompts[0], label), (prompts[1], rationale)]


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.2f} GB"
