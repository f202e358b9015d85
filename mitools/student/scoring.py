"""The log-probabilities of given targets behind given prompts, in one batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mitools.student.codec import Codec, Pairs
from mitools.student.forward import shared_logits, target_logits

__all__ = ["Asked", "score_rows"]


@dataclass(frozen=True)
class Asked:
    """What to score.

    Attributes:
        prompts: token ids of B prompts.
        owners: of each of N targets, the number of its prompt, ascending.
        targets: token ids of N targets.
        skips: of each target, how many of its first tokens are given and have no score.
    """

    prompts: Sequence[Sequence[int]]
    owners: Sequence[int]
    targets: Sequence[Sequence[int]]
    skips: Sequence[int]


def score_rows(model: Any, codec: Codec, asked: Asked, *, shares: bool) -> list[float]:
    """Sum the log-probabilities of each target's tokens behind its prompt: N of them, in nats.

    Args:
        model: a transformers model, in evaluation.
        codec: its codec.
        asked: what to score.
        shares: whether a prompt with several targets may be read once for them all.
    """
    shares = shares and len(asked.owners) > len(asked.prompts)
    prompts = asked.prompts if shares else [asked.prompts[owner] for owner in asked.owners]
    found = codec.pad(prompts, asked.targets).as_dict()
    pairs = Pairs(**{name: tensor.to(model.device) for name, tensor in found.items()})
    logits = _logits(model, codec, pairs, asked.owners if shares else None)
    picked = logits.float().log_softmax(-1).gather(-1, pairs.target_ids[..., None])[..., 0]
    skips = torch.tensor(asked.skips, device=model.device)[:, None]
    is_scored = torch.arange(picked.shape[1], device=model.device) >= skips
    sums: list[float] = (picked * pairs.target_mask * is_scored).sum(-1).tolist()
    return sums


def _logits(model: Any, codec: Codec, pairs: Pairs, owners: Sequence[int] | None) -> Tensor:
    if owners is None:
        return target_logits(model, codec.kind, pairs)
    return shared_logits(
        model, codec.kind, pairs, torch.tensor(owners, device=pairs.prompt_ids.device)
    )
