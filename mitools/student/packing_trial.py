"""Whether a model can read packed rows without a difference: decided by a trial."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from mitools.student.causal import is_close, taken_by
from mitools.student.packing import PLAIN, Rows, pack, packed_forward, row_positions

__all__ = ["can_pack"]


def can_pack(model: Any, longest: int) -> bool:
    """Return whether rows of up to ``longest`` tokens can be packed without a difference.

    Layers other than attention must treat each token by itself, and attention must see the whole
    row. A trial decides: packed rows and branches must have the logits of each alone.
    """
    config = model.config
    if not all(_uses_plain_attention(one) for one in (config, *_parts_of(config))):
        return False
    text = config.get_text_config()
    limits = (getattr(text, name, None) for name in ("sliding_window", "attention_chunk_size"))
    if any(limit is not None and limit < longest for limit in limits):
        return False
    if not taken_by(model, position_ids=None):
        return False
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            return _packs_alike(model)
    finally:
        model.train(was_training)


def _uses_plain_attention(config: Any) -> bool:
    return getattr(config, "_attn_implementation", None) == PLAIN


def _parts_of(config: Any) -> Sequence[Any]:
    """Return the configurations of the parts of a model that has several."""
    names = getattr(config, "sub_configs", {})
    return [part for name in names if (part := getattr(config, name, None)) is not None]


def _packs_alike(model: Any) -> bool:
    """Compare rows with two branches, and without any, with rows that are read alone."""
    count = model.get_input_embeddings().weight.shape[0]
    ids = (torch.arange(26, device=model.device) * 7 + 3).remainder(count)
    parts = [ids[:12].view(2, 6), ids[12:20].view(2, 4), ids[20:].view(2, 3)]
    masks = [torch.ones_like(part) for part in parts]
    masks[0][0, :2] = 0
    stem, *branches = zip(parts, masks, strict=True)
    packing = pack(Rows.joined(stem), Rows.joined(stem, *branches))
    packed = packed_forward(model, packing).logits[0]
    plain, tree = packing.places
    places = [tree[:, :10], torch.cat([tree[:, :6], tree[:, 10:]], dim=1)]
    for branch, at in zip(branches, places, strict=True):
        read = Rows.joined(stem, branch)
        positions = row_positions(read).clamp(min=0)
        alone = model(
            input_ids=read.ids,
            attention_mask=read.mask,
            use_cache=False,
            **taken_by(model, position_ids=positions),
        ).logits
        is_real = read.mask.bool()
        is_stem = is_real[:, :6]
        if not is_close(packed[at[is_real]], alone[is_real]):
            return False
        if not is_close(packed[plain[is_stem]], alone[:, :6][is_stem]):
            return False
    return True
