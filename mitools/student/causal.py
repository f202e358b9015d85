"""Forward passes of causal students, and prompts that are read once for several continuations.

The states of a prompt do not depend on the tokens behind it. So where several rows have the same
beginning (the two tasks of a record with the prefix behind the input, or the choices of a record),
it is read once, and all rows use its keys and values, in training with their gradient.
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
    "is_close",
    "positions",
    "read_prefix",
    "taken_by",
]


@dataclass(frozen=True)
class Prefix:
    """The cache of a causal model after reading B prompts.

    Attributes:
        cache: the keys and values of every layer.
        mask: [B, S] 1 on real tokens.
    """

    cache: Any
    mask: Tensor

    def select(self, rows: Tensor) -> Prefix:
        """Select rows by their numbers, [N], in any order and with repetition."""
        cache = _fork(self.cache)
        cache.batch_select_indices(rows)
        return Prefix(cache, self.mask[rows])


def _fork(cache: Any) -> Any:
    """Copy a cache whose layers replace their tensors and never write to them.

    The tensors are shared, so that they receive gradients from all copies.
    """
    fork = copy.copy(cache)
    fork.layers = [copy.copy(layer) for layer in cache.layers]
    return fork


def given_cache(model: Any, cache: Any) -> dict[str, Any]:
    """Return the cache under the name of the model's argument; transformers 5.24 renamed it."""
    names = inspect.signature(type(model).forward).parameters
    return {"past_key_values" if "past_key_values" in names else "cache": cache}


def cache_in(output: Any) -> Any:
    """Return the cache in a model's output, under its new or old name, or None."""
    found = getattr(output, "cache", None)
    return getattr(output, "past_key_values", None) if found is None else found


def causal_forward(model: Any, pairs: Pairs, prefix: Prefix | None = None) -> Any:
    """Run a causal model over prompts and targets.

    Args:
        model: a transformers causal language model.
        pairs: B prompts with targets of up to T tokens.
        prefix: the cache of the beginning of the prompts; ``pairs`` has the rest.

    Returns:
        The model's output; logits [B, T + 1, V], of which entry t predicts target token t.
    """
    ids = torch.cat([pairs.prompt_ids, pairs.target_ids], dim=1)
    mask = torch.cat([pairs.prompt_mask, pairs.target_mask], dim=1)
    past: dict[str, Any] = {}
    if prefix is not None:
        mask = torch.cat([prefix.mask, mask], dim=1)
        past = given_cache(model, _fork(prefix.cache))
    # Prompts end in the same column, so the vocabulary head is needed on T + 1 columns only.
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
    """Return the arguments that a model's forward pass accepts.

    Some models derive positions from the mask themselves; some always return all logits.
    """
    names = inspect.signature(type(model).forward).parameters
    return {name: value for name, value in arguments.items() if name in names}


def positions(mask: Tensor) -> Tensor:
    """Number the real tokens of a [B, S] mask from 0, whatever the padding on the left."""
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
    """Return the common beginning of the prompts of two tasks.

    Args:
        first: B prompts of one task.
        second: B prompts of the other task of the same records.
        tails: the number of tokens at the end of each prompt that differ between the tasks.

    Returns:
        The prompts without their tails; None if they differ, as in a batch with a record that has
        only one of the tasks.
    """
    one, other = (
        (pairs.prompt_ids[:, :-tail], pairs.prompt_mask[:, :-tail])
        for pairs, tail in zip((first, second), tails, strict=True)
    )
    if not one[0].shape[1] or not all(map(torch.equal, one, other)):
        return None
    return replace(first, prompt_ids=one[0], prompt_mask=one[1])


def can_share_prefix(model: Any) -> bool:
    """Return whether a prompt can be read once for several continuations without a difference.

    It can if the cache has only keys and values of attention; state-space models, for example, have
    other layers in it. Then a trial decides: two continuations of a short prompt must have the same
    logits as if each were read alone.
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
                is_close(
                    causal_forward(model, behind(one, 2), prefix).logits,
                    causal_forward(model, one).logits,
                )
                for one in pairs
            )
    finally:
        model.train(was_training)


def is_close(found: Tensor, expected: Tensor) -> bool:
    """Return whether logits are equal but for rounding, relative to the largest; False for NaN."""
    if not expected.isfinite().all():
        return False
    return torch.allclose(found, expected, rtol=1e-3, atol=1e-3 * float(expected.abs().max()))
