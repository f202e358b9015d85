"""What a run would take: the shapes of its batches, their padding, and about how much memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mitools.train.two_task_model import TwoTaskModel

__all__ = ["Shape", "batch_shapes", "describe_memory", "describe_shapes"]

_PARTS = ("label_prompt", "label_target", "rationale_prompt", "rationale_target")
_MOST_PIECES = 200


@dataclass(frozen=True)
class Shape:
    """One part of the batches that were looked at.

    Attributes:
        rows: B.
        widest: the widest batch, in tokens.
        padding: share of padded places over all of them, 0 to 1; 0 where there is none.
    """

    name: str
    rows: int
    widest: int
    padding: float


def batch_shapes(
    rows: Sequence[Mapping[str, Any]], size: int, pieces: int, with_rationales: bool
) -> list[Shape]:
    """Look at batches as they come, each sorted and cut into ``pieces`` of ``size`` records.

    Training draws them at random, so the first ones, some hundred pieces at most, are as good as
    any.
    """
    found = []
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
        found.append(Shape(name, min(size, count), max(lengths, default=0), padding))
    return found


def describe_shapes(shapes: Sequence[Shape]) -> list[tuple[str, str]]:
    return [
        (
            shape.name.replace("_", " "),
            f"up to [{shape.rows}, {shape.widest}], {shape.padding:.0%} padding",
        )
        for shape in shapes
    ]


def describe_memory(model: TwoTaskModel, shapes: Sequence[Shape]) -> list[tuple[str, str]]:
    """Say what weights, gradients and AdamW take, exactly, and a forward pass, roughly."""
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
        lines.append(("a batch on top of it, about", _gigabytes(batch)))
    return lines


def _activations(model: TwoTaskModel, shapes: Sequence[Shape]) -> int | None:
    """Estimate what a forward pass keeps for the backward pass, in bytes of float32.

    Source: arXiv:2205.05198, equation 1, for half precision: tokens · D · (34 + 5 · heads · S / D)
    a layer. The vocabulary head keeps next to nothing, see :mod:`mitools.train.losses.fused`.
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
    """Give the widths of prompt and target of each pass that a step makes."""
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
