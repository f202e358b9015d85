"""Forward passes that compute the logits or states of targets, for every kind of student.

Uses only what every transformers model of its kind has, so it does not depend on architectures.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from transformers.modeling_outputs import BaseModelOutput

from mitools.student.causal import (
    Prefix,
    behind,
    causal_forward,
    causal_shared_logits,
    common_prefix,
    read_prefix,
)
from mitools.student.codec import Kind, Pairs
from mitools.student.packing import Packing, Rows, pack, packed_forward

__all__ = [
    "has_plain_head",
    "packed_hidden",
    "packed_states",
    "shared_logits",
    "target_logits",
    "target_logits_and_states",
    "target_states",
    "two_task_states",
]

Read = Tensor | Prefix
"""Encoded prompts: [B, S, D] of an encoder, or the prefix cache of a causal model."""


def target_logits(model: Any, kind: Kind, pairs: Pairs, read: Read | None = None) -> Tensor:
    """Score the vocabulary at every target position, given the tokens before it.

    Args:
        model: a transformers sequence-to-sequence or causal language model.
        pairs: B prompts with targets of up to T tokens.
        read: what was read of the prompts before, if anything.

    Returns:
        [B, T, V] raw scores; entry t predicts target token t. Entries at padding have no meaning.
    """
    logits: Tensor = _forward(model, kind, pairs, read).logits
    return logits[:, :-1] if kind == "causal" else logits


def shared_logits(model: Any, kind: Kind, pairs: Pairs, owners: Tensor) -> Tensor:
    """Compute :func:`target_logits` of N targets, reading each of their B prompts once.

    Args:
        model: a transformers sequence-to-sequence model, or a causal one that can share a prefix.
        pairs: B prompts, and N targets.
        owners: [N] the prompt of each target.

    Returns:
        [N, T, V] raw scores.
    """
    ids, mask = pairs.prompt_ids, pairs.prompt_mask
    if kind == "causal":
        return causal_shared_logits(model, pairs, owners)
    encoded = model.get_encoder()(input_ids=ids, attention_mask=mask).last_hidden_state
    rows = replace(pairs, prompt_ids=ids[owners], prompt_mask=mask[owners])
    return target_logits(model, kind, rows, encoded[owners])


def target_logits_and_states(model: Any, kind: Kind, pairs: Pairs) -> tuple[Tensor, Tensor]:
    """Compute [B, T, V] as :func:`target_logits` and [B, T, D] as :func:`target_states` at once."""
    seen: list[Tensor] = []
    head = model.get_output_embeddings()
    handle = head.register_forward_pre_hook(lambda _module, args: seen.append(args[0]))
    try:
        logits = target_logits(model, kind, pairs)
    finally:
        handle.remove()
    return logits, seen[0][:, :-1] if kind == "causal" else seen[0]


def target_states(model: Any, kind: Kind, pairs: Pairs, read: Read | None = None) -> Tensor:
    """Compute the input of the vocabulary head at every target position, without the head.

    Args:
        model: a transformers sequence-to-sequence or causal language model.
        pairs: B prompts with targets of up to T tokens.
        read: what was read of the prompts before, if anything.

    Returns:
        [B, T, D] states; from entry t the head computes the scores of target token t.
    """
    with _without_head(model) as seen:
        _forward(model, kind, pairs, read)
    return seen[0][:, :-1] if kind == "causal" else seen[0]


def two_task_states(
    model: Any, kind: Kind, first: Pairs, second: Pairs, tails: tuple[int, int] | None = None
) -> tuple[Tensor, Tensor]:
    """Compute the states of two tasks of the same B records: [B, T_1, D] and [B, T_2, D].

    An encoder reads both prompts in one pass over 2B rows. Decoders and causal models run one task
    after the other: labels in one batch with rationales would be mostly padding.

    Args:
        model: a transformers sequence-to-sequence or causal language model.
        first: B prompts and targets of one task.
        second: those of the other.
        tails: the number of tokens at the end of each prompt that differ between the tasks; where
            the prompts are the same before them, a causal model reads that part once. None reads
            all prompts whole.
    """
    if kind == "causal":
        common = common_prefix(first, second, tails) if tails else None
        if tails is None or common is None:
            return target_states(model, kind, first), target_states(model, kind, second)
        prefix = read_prefix(model, common.prompt_ids, common.prompt_mask)
        return (
            target_states(model, kind, behind(first, tails[0]), prefix),
            target_states(model, kind, behind(second, tails[1]), prefix),
        )
    width = max(first.prompt_ids.shape[1], second.prompt_ids.shape[1])
    parts = [(p.prompt_ids, p.prompt_mask) for p in (first, second)]
    wide = [[_widen(tensor, width) for tensor in part] for part in parts]
    ids, mask = (torch.cat(tensors) for tensors in zip(*wide, strict=True))
    encoder = model.get_encoder()
    encoded = encoder(input_ids=ids, attention_mask=mask).last_hidden_state.chunk(2)
    return (
        target_states(model, kind, first, encoded[0][:, : first.prompt_ids.shape[1]]),
        target_states(model, kind, second, encoded[1][:, : second.prompt_ids.shape[1]]),
    )


def packed_states(
    model: Any, passes: Sequence[Pairs], tails: tuple[int, int] | None = None
) -> list[Tensor]:
    """Compute :func:`target_states` of several batches in one pass of a causal model, packed.

    Args:
        model: a causal language model that can pack, see
            :func:`mitools.student.packing_trial.can_pack`.
        passes: prompts and targets.
        tails: as for :func:`two_task_states`, of two tasks.
    """
    common = None
    if tails is not None and len(passes) == 2:
        common = common_prefix(passes[0], passes[1], tails)
    if tails is None or common is None:
        packing = pack(*(Rows.joined((_whole(pairs), _whole_mask(pairs))) for pairs in passes))
        ends = [pairs.prompt_ids.shape[1] for pairs in passes]
        places = [at[:, end - 1 : -1] for at, end in zip(packing.places, ends, strict=True)]
    else:
        behind_it = [behind(pairs, tail) for pairs, tail in zip(passes, tails, strict=True)]
        stem = common.prompt_ids, common.prompt_mask
        rows = Rows.joined(stem, *((_whole(pairs), _whole_mask(pairs)) for pairs in behind_it))
        packing = pack(rows)
        branches = torch.split(packing.places[0], list(rows.widths), dim=1)[1:]
        places = [at[:, tail - 1 : -1] for at, tail in zip(branches, tails, strict=True)]
    flat = packed_hidden(model, packing)
    return [flat.index_select(0, at.flatten()).view(*at.shape, -1) for at in places]


def packed_hidden(model: Any, packing: Packing) -> Tensor:
    """Compute the input of the vocabulary head for every token of a packing: [N, D]."""
    with _without_head(model) as seen:
        packed_forward(model, packing)
    return seen[0][0]


def _whole(pairs: Pairs) -> Tensor:
    return torch.cat([pairs.prompt_ids, pairs.target_ids], dim=1)


def _whole_mask(pairs: Pairs) -> Tensor:
    return torch.cat([pairs.prompt_mask, pairs.target_mask], dim=1)


def _widen(tensor: Tensor, width: int) -> Tensor:
    return torch.nn.functional.pad(tensor, (0, width - tensor.shape[1]))


def has_plain_head(model: Any, kind: Kind, pairs: Pairs) -> bool:
    """Return whether logits are one matrix product of the states (and a bias), nothing more.

    Some models scale or cap their logits. The test replaces the output of the head by known scores,
    which must be the logits of the model.

    Args:
        pairs: any batch.
    """
    head = model.get_output_embeddings()
    if not isinstance(head, torch.nn.Linear) or getattr(model, "hf_device_map", None):
        return False
    known = torch.linspace(-50, 50, head.out_features, device=head.weight.device)
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad(), _without_head(model, known):
            logits = _forward(model, kind, pairs).logits
    finally:
        model.train(was_training)
    return torch.equal(logits, known.expand_as(logits))  # a model may add a bias [1, V]


@contextmanager
def _without_head(model: Any, scores: Tensor | None = None) -> Iterator[list[Tensor]]:
    """Make the vocabulary head record its input and return ``scores``, or an empty result."""
    head = model.get_output_embeddings()
    seen: list[Tensor] = []

    def note(states: Tensor) -> Tensor:
        seen.append(states)
        return states.new_zeros(()) if scores is None else scores

    before = head.__dict__.get("forward")  # accelerate may have wrapped it
    head.forward = note
    try:
        yield seen
    finally:
        del head.forward
        if before is not None:
            head.forward = before


def _forward(model: Any, kind: Kind, pairs: Pairs, read: Read | None = None) -> Any:
    if kind == "causal":
        assert not isinstance(read, Tensor)
        return causal_forward(model, pairs, read)
    source: dict[str, Any] = {"input_ids": pairs.prompt_ids}
    if read is not None:
        source = {"encoder_outputs": BaseModelOutput(last_hidden_state=read)}
    return model(
        **source,
        attention_mask=pairs.prompt_mask,
        decoder_input_ids=_decoder_inputs(model, pairs),
        use_cache=False,
    )


def _decoder_inputs(model: Any, pairs: Pairs) -> Tensor:
    """Shift the targets right behind the start token: [B, T], entry t is the token before t.

    Models can do that themselves, but not all in the same way; decoding starts with this token.
    """
    start = model.config.decoder_start_token_id
    first = pairs.target_ids.new_full((len(pairs.target_ids), 1), start)
    return torch.cat([first, pairs.target_ids[:, :-1]], dim=1)
