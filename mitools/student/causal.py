"""Forward passes of causal students, and prompts that are read once for several continuations.

A prompt's states depend on nothing behind it. So where several rows begin alike (the two tasks of a
record whose prefix stands behind the input, or the choices of a record) what they share is read
once, and its keys and values serve them all, in training with their gradient.
"""

from __future__ import annotations

import copy
import inspect
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import DynamicLayer

from mitools.student.codec import Pairs

__all__ = [
    "Prefix",
    "behind",
    "cache_in",
    "can_share_prefix",
    "causal_forward",
    "causal_shared_logits",
    "common_prefix",
    "given_cache",
    "positions",
    "read_prefix",
    "taken_by",
]


@dataclass(frozen=True)
class Prefix:
    """What a causal model has read of B prompts.

    Attributes:
        cache: the keys and values of every layer.
        mask: [B, S] 1 on real tokens.
    """

    cache: Any
    mask: Tensor

    def select(self, rows: Tensor) -> Prefix:
        """Give rows, in any order and as often as asked for: of [N] numbers."""
        cache = _fork(self.cache)
        cache.batch_select_indices(rows)
        return Prefix(cache, self.mask[rows])


def _fork(cache: Any) -> Any:
    """Copy a cache whose layers put new tensors in the place of old ones, and never write to them.

    The tensors are shared, so that gradients flow into them from all copies.
    """
    fork = copy.copy(cache)
    fork.layers = [copy.copy(layer) for layer in cache.layers]
    return fork


def given_cache(model: Any, cache: Any) -> dict[str, Any]:
    """Name the argument by which a model takes a cache; transformers 5.24 renamed it."""
    names = inspect.signature(type(model).forward).parameters
    return {"past_key_values" if "past_key_values" in names else "cache": cache}


def cache_in(output: Any) -> Any:
    """Find the cache in a model's output, under its new or old name; None where there is none."""
    found = getattr(output, "cache", None)
    return getattr(output, "past_key_values", None) if found is None else found


def causal_forward(model: Any, pairs: Pairs, prefix: Prefix | None = None) -> Any:
    """Run a causal model over prompts and targets.

    Args:
        model: a transformers causal language model.
        pairs: B prompts with targets of up to T tokens.
        prefix: what was read of the prompts before; ``pairs`` holds what comes behind it.

    Returns:
        The model's output; logits [B, T + 1, V], of which entry t predicts target token t.
    """
    ids = torch.cat([pairs.prompt_ids, pairs.target_ids], dim=1)
    mask = torch.cat([pairs.prompt_mask, pairs.target_mask], dim=1)
    past: dict[str, Any] = {}
    if prefix is not None:
        mask = torch.cat([prefix.mask, mask], dim=1)
        past = given_cache(model, _fork(prefix.cache))
    # Prompts end in the same column, so the vocabulary head runs on the last T + 1 columns only.
    kept = pairs.target_ids.shape[1] + 1
    output = model(
        input_ids=ids,
        attention_mask=mask,
        use_cache=False,
        **taken_by(model, position_ids=positions(mask)[:, -ids.shape[1] :], logits_to_keep=kept),
        **past,
    )
    if output.logits.dim() == 3:
        output.logits = output.logits[:, -kept:]
    return output


def taken_by(model: Any, **arguments: Any) -> dict[str, Any]:
    """Keep the arguments that a model's forward pass knows.

    Some models number positions by the mask themselves; some give all logits.
    """
    names = inspect.signature(type(model).forward).parameters
    return {name: value for name, value in arguments.items() if name in names}


def positions(mask: Tensor) -> Tensor:
    """Number the real tokens of a [B, S] mask from 0, so that left padding shifts nothing."""
    return (mask.cumsum(dim=-1) - 1).clamp(min=0)


def read_prefix(model: Any, ids: Tensor, mask: Tensor) -> Prefix:
    """Read the beginning of B prompts.

    Args:
        model: a transformers causal language model that can share it, see
            :func:`can_share_prefix`.
        ids: [B, S] token ids, padded on the left.
        mask: [B, S] 1 on real tokens.
    """
    return Prefix(cache_in(_read(model, ids, mask)), mask)


def _read(model: Any, ids: Tensor, mask: Tensor) -> Any:
    return model(
        input_ids=ids,
        attention_mask=mask,
        use_cache=True,
        **taken_by(model, position_ids=positions(mask), logits_to_keep=1),
    )


def causal_shared_logits(model: Any, pairs: Pairs, owners: Tensor) -> Tensor:
    """Score the vocabulary at every position of N targets behind B prompts: [N, T, V].

    Args:
        model: a transformers causal language model that can share a prefix.
        pairs: B prompts, and N targets.
        owners: [N] the prompt of each target.
    """
    output = _read(model, pairs.prompt_ids, pairs.prompt_mask)
    first: Tensor = output.logits[:, -1:][owners]  # (N, 1, V) of the first target token
    ids, mask = pairs.target_ids[:, :-1], pairs.target_mask[:, :-1]
    if not ids.shape[1]:
        return first
    prefix = Prefix(cache_in(output), pairs.prompt_mask).select(owners)
    mask = torch.cat([prefix.mask, mask], dim=1)
    rest = model(
        input_ids=ids,
        attention_mask=mask,
        use_cache=False,
        **taken_by(model, position_ids=positions(mask)[:, -ids.shape[1] :]),
        **given_cache(model, prefix.cache),
    )
    return torch.cat([first, rest.logits], dim=1)


def behind(pairs: Pairs, tail: int) -> Pairs:
    """Keep only the last ``tail`` tokens of the prompts."""
    ids, mask = pairs.prompt_ids[:, -tail:], pairs.prompt_mask[:, -tail:]
    return replace(pairs, prompt_ids=ids, prompt_mask=mask)


def common_prefix(first: Pairs, second: Pairs, tails: tuple[int, int]) -> Pairs | None:
    """Find what the prompts of two tasks have in common.

    Args:
        first: B prompts of one task.
        second: B prompts of the other task of the same records.
        tails: how many tokens at the end of each prompt are its own.

    Returns:
        The prompts without their tails; None where they are not the same, as in a batch with a
        record that has one of the tasks only.
    """
    one, other = (
        (pairs.prompt_ids[:, :-tail], pairs.prompt_mask[:, :-tail])
        for pairs, tail in zip((first, second), tails, strict=True)
    )
    if not one[0].shape[1] or not all(map(torch.equal, one, other)):
        return None
    return replace(first, prompt_ids=one[0], prompt_mask=one[1])


def can_share_prefix(model: Any) -> bool:
    """Tell whether a prompt that is read once serves several continuations unchanged.

    It does where all that a model remembers are the keys and values of its attention. Others, such
    as state-space models, are found by what they remember; and whatever else may stand in the way,
    by trying: two continuations of a short prompt must come out as if each were read alone.
    """
    count = model.get_input_embeddings().weight.shape[0]
    ids = (torch.arange(24, device=model.device) * 7 + 3).remainder(count).view(2, 12)
    mask = torch.ones_like(ids)
    mask[0, :2] = 0
    pairs = [
        Pairs(ids[:, :6], mask[:, :6], ids[:, low:high], mask[:, low:high])
        for low, high in ((6, 9), (8, 12))
    ]
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            output = model(input_ids=ids, attention_mask=mask, use_cache=True)
            layers = getattr(cache_in(output), "layers", None)
            if not layers or not all(isinstance(layer, DynamicLayer) for layer in layers):
                return False
            prefix = read_prefix(model, ids[:, :4], mask[:, :4])
            return all(
                _is_close(
                    causal_forward(model, behind(one, 2), prefix).logits,
                    causal_forward(model, one).logits,
                )
                for one in pairs
            )
    finally:
        model.train(was_training)


def _is_close(found: Tensor, expected: Tensor) -> bool:
    return torch.allclose(found, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))
