"""One forward pass that gives the logits of targets, for every kind of student.

Uses only what every transformers model of its kind offers, so it knows no architecture.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from mitools.student.codec import Kind, Pairs

__all__ = ["positions", "target_logits"]


def target_logits(model: Any, kind: Kind, pairs: Pairs) -> Tensor:
    """Score the vocabulary at every target position, each seeing only what comes before it.

    Args:
        model: a transformers sequence-to-sequence or causal language model.
        pairs: B prompts with targets of up to T tokens.

    Returns:
        [B, T, V] raw scores; entry t predicts target token t. Padded positions hold numbers too.
    """
    if kind == "causal":
        return _causal_logits(model, pairs)
    labels = pairs.target_ids.masked_fill(pairs.target_mask == 0, -100)
    logits: Tensor = model(
        input_ids=pairs.prompt_ids,
        attention_mask=pairs.prompt_mask,
        decoder_input_ids=model.prepare_decoder_input_ids_from_labels(labels=labels),
        use_cache=False,
    ).logits
    return logits


def _causal_logits(model: Any, pairs: Pairs) -> Tensor:
    ids = torch.cat([pairs.prompt_ids, pairs.target_ids], dim=1)
    mask = torch.cat([pairs.prompt_mask, pairs.target_mask], dim=1)
    # Prompts end in the same column, so the vocabulary head runs on the last T + 1 columns only.
    logits: Tensor = model(
        input_ids=ids,
        attention_mask=mask,
        position_ids=positions(mask),
        logits_to_keep=pairs.target_ids.shape[1] + 1,
        use_cache=False,
    ).logits
    return logits[:, :-1]


def positions(mask: Tensor) -> Tensor:
    """Number the real tokens of a [B, S] mask from 0, so that left padding shifts nothing."""
    return (mask.cumsum(dim=-1) - 1).clamp(min=0)
