"""Log-probabilities of given targets behind given prompts, in one batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from mitools.student.codec import Codec, Pairs
from mitools.student.forward import packed_hidden, shared_logits, target_logits
from mitools.student.packing import pack_trees

__all__ = [
    "Asked",
    "can_select_positions",
    "grouped",
    "length_of",
    "score_rows",
    "score_trees",
]

_TRIED_ERROR = 1e-3

_SCORES_PER_CHUNK = 1 << 24
"""Maximum number of logits in memory: 64 MB in single precision."""


@dataclass(frozen=True)
class Asked:
    """Prompts and targets to score.

    Attributes:
        prompts: token ids of B prompts.
        owners: of each of N targets, the number of its prompt, ascending.
        targets: token ids of N targets.
        skips: the number of first tokens of each target that are context and have no score.
    """

    prompts: Sequence[Sequence[int]]
    owners: Sequence[int]
    targets: Sequence[Sequence[int]]
    skips: Sequence[int]


def grouped(
    prompts: Sequence[Sequence[int]],
    targets: Sequence[Sequence[Sequence[int]]],
    *,
    shares_prompts: bool,
) -> list[list[tuple[int, int]]]:
    """List the targets by the prompt that they share, each as its row and its number there."""
    groups: dict[Any, list[tuple[int, int]]] = {}
    for index, prompt in enumerate(prompts):
        rows = groups.setdefault(tuple(prompt) if shares_prompts else index, [])
        rows += [(index, choice) for choice in range(len(targets[index]))]
    return [rows for rows in groups.values() if rows]


def length_of(
    prompts: Sequence[Sequence[int]],
    contexts: Sequence[Sequence[int]],
    targets: Sequence[Sequence[Sequence[int]]],
    index: int,
    choice: int,
) -> int:
    """Count the tokens that a model reads to score one target."""
    return len(prompts[index]) + len(contexts[index]) + len(targets[index][choice])


def score_rows(
    model: Any, codec: Codec, asked: Asked, *, shares: bool, selects: bool = False
) -> list[float]:
    """Sum the log-probabilities of each target's tokens behind its prompt: N of them, in nats.

    Args:
        model: a transformers model, in evaluation.
        codec: its codec.
        asked: prompts and targets to score.
        shares: whether a prompt with several targets may be read once for all of them.
        selects: whether the vocabulary head reads the scored positions alone; see
            :func:`can_select_positions`.
    """
    shares = shares and len(asked.owners) > len(asked.prompts)
    prompts = asked.prompts if shares else [asked.prompts[owner] for owner in asked.owners]
    found = codec.pad(prompts, asked.targets).as_dict()
    pairs = Pairs(**{name: tensor.to(model.device) for name, tensor in found.items()})
    skips = torch.tensor(asked.skips, device=model.device)[:, None]
    is_scored = torch.arange(pairs.target_ids.shape[1], device=model.device) >= skips
    is_scored = is_scored & pairs.target_mask.bool()
    owners = asked.owners if shares else None
    picked = pairs.target_ids.new_zeros(pairs.target_ids.shape, dtype=torch.float32)
    if selects:
        with _head_at(model, is_scored):
            logits = _logits(model, codec, pairs, owners)[0]  # (n, V) of the scored positions
        tokens = pairs.target_ids[is_scored][:, None]
        picked[is_scored] = logits.float().log_softmax(-1).gather(-1, tokens)[:, 0]
    else:
        logits = _logits(model, codec, pairs, owners)  # (N, T, V)
        picked = logits.float().log_softmax(-1).gather(-1, pairs.target_ids[..., None])[..., 0]
    sums: list[float] = (picked * is_scored).sum(-1).tolist()
    return sums


def score_trees(model: Any, codec: Codec, asked: Asked) -> list[float]:
    """Compute :func:`score_rows` without padding: each prompt once, its targets as its branches.

    The vocabulary head reads each scored position once, a chunk of them at a time.

    Args:
        model: a causal model that can pack, with a plain head; see
            :func:`mitools.student.packing_trial.can_pack` and
            :func:`mitools.student.forward.has_plain_head`. Targets have no tokens to skip.
    """
    groups: list[list[int]] = [[] for _ in asked.prompts]
    for number, owner in enumerate(asked.owners):
        groups[owner].append(number)
    # The last token of a target is predicted, but nothing is predicted behind it.
    trees = [
        (prompt, [asked.targets[number][:-1] for number in numbers])
        for prompt, numbers in zip(asked.prompts, groups, strict=True)
    ]
    packing, ends = pack_trees(trees, model.device)
    places: list[int] = []  # of the state that predicts each scored token
    tokens: list[int] = []
    owners: list[int] = []
    for numbers, (last, firsts) in zip(groups, ends, strict=True):
        for number, first in zip(numbers, firsts, strict=True):
            target = asked.targets[number]
            places += [last, *range(first, first + len(target) - 1)][: len(target)]
            tokens += target
            owners += [number] * len(target)
    sums = torch.zeros(len(asked.targets), dtype=torch.double)
    if tokens:
        states = packed_hidden(model, packing)
        picked = _log_probs(model.get_output_embeddings(), states, places, tokens)
        sums.index_add_(0, torch.tensor(owners), picked.double().cpu())
    found: list[float] = sums.tolist()
    return found


def _log_probs(head: Any, states: Tensor, places: list[int], tokens: list[int]) -> Tensor:
    """Compute the log-probability of each token, given the place of the state that predicts it."""
    device = states.device
    distinct, at = torch.unique(torch.tensor(places, device=device), return_inverse=True)
    wanted = torch.tensor(tokens, device=device)
    picked = torch.empty(len(tokens), device=device)
    size = max(1, _SCORES_PER_CHUNK // head.out_features)
    for low in range(0, len(distinct), size):
        logits = head(states[distinct[low : low + size]]).float()  # (chunk, V)
        is_here = (at >= low) & (at < low + size)
        rows = at[is_here] - low
        picked[is_here] = logits.log_softmax(dim=-1)[rows, wanted[is_here]]
    return picked


def can_select_positions(model: Any, codec: Codec) -> bool:
    """Tell whether a decoder's vocabulary head can read the scored positions alone.

    Behind a long context most logits are never looked at, and over a large vocabulary they are
    most of the work. What a model does behind its head may stand in the way, so two targets are
    scored both ways.

    Args:
        model: a transformers model, in evaluation.
        codec: its codec.
    """
    if codec.kind != "seq2seq" or not isinstance(model.get_output_embeddings(), torch.nn.Linear):
        return False
    end = codec.tokenizer.eos_token_id
    tried = Asked([[end], [end]], [0, 1], [[0, end], [end, 0, 1, end]], [0, 3])
    try:
        found = score_rows(model, codec, tried, shares=False, selects=True)
    except (IndexError, RuntimeError, TypeError, ValueError):
        return False
    expected = score_rows(model, codec, tried, shares=False)
    return all(abs(one - other) < _TRIED_ERROR for one, other in zip(found, expected, strict=True))


@contextmanager
def _head_at(model: Any, places: Tensor) -> Iterator[None]:
    """Let the vocabulary head read states at [N, T] places alone: logits are [1, n, V]."""
    head = model.get_output_embeddings()
    before = head.__dict__.get("forward")  # accelerate may have wrapped it
    forward = head.forward
    head.forward = lambda states: forward(states[places][None])
    try:
        yield
    finally:
        del head.forward
        if before is not None:
            head.forward = before


def _logits(model: Any, codec: Codec, pairs: Pairs, owners: Sequence[int] | None) -> Tensor:
    if owners is None:
        return target_logits(model, codec.kind, pairs)
    return shared_logits(
        model, codec.kind, pairs, torch.tensor(owners, device=pairs.prompt_ids.device)
    )
