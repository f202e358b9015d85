"""The vocabulary head, the token losses and the pooling together, without a [B, T, V] tensor.

The plain form multiplies states [B, T, D] by the head [V, D], and then holds logits, probabilities
and their gradients, each [B, T, V], at the same time. Here only real tokens are multiplied, a chunk
of them at a time. What is kept of a chunk is one loss per token and a running maximum (or sum) over
the positions of each row. The backward pass computes the scores of a chunk again, except where
there is only one chunk, which is kept. Memory is O(chunk · V) + O(B · V) at any time. The results
are those of :mod:`mitools.train.losses.objective`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from mitools.train.losses.objective import Pool, normalize_pooled

__all__ = ["Head", "fused_losses", "product_dtype", "scores_of", "scores_per_chunk"]

_SCORES_PER_CHUNK = {"cpu": 1 << 25, "cuda": 1 << 26}
"""Maximum number of scores [chunk, V] in memory: 128 MB on a CPU, 256 MB on a GPU.

Each chunk adds to the whole gradient of the head's weights, so small chunks are slow: on a CPU
(V = 32,128, D = 512, 360 tokens) 1.7 s in chunks of 32, 1.2 s of 64, 1.0 s of 130 and 0.8 s in one,
where the plain form takes 1.0 s.
"""


@dataclass(frozen=True)
class Head:
    """A vocabulary head: logits = states · weightᵀ + bias.

    Attributes:
        weight: [V, D].
        bias: [V], or None.
    """

    weight: Tensor
    bias: Tensor | None = None


@dataclass(frozen=True)
class _Plan:
    """The N real tokens of a batch, and how they are processed.

    Attributes:
        rows: [N] the row of each token, ascending.
        words: [N] whether it takes part in pooling.
        count: B.
        chunk: tokens processed at a time.
        dtype: the precision of the matrix products.
        pool: how positions are reduced; None disables pooling.
    """

    rows: Tensor
    words: Tensor
    count: int
    chunk: int
    dtype: torch.dtype
    pool: Pool | None

    def chunks(self) -> list[tuple[int, int]]:
        """Return the first token of each chunk, and the first one behind it."""
        size = len(self.rows)
        return [(low, min(size, low + self.chunk)) for low in range(0, size, self.chunk)]

    def words_of_rows(self) -> Tensor:
        """Return the number of words of each row, at least 1: [B]."""
        counts = torch.bincount(self.rows[self.words], minlength=self.count)
        return counts.clamp(min=1)

    def runs(self) -> list[tuple[int, int, int]]:
        """Return (row, first, behind) of each run of words within one chunk and one row."""
        found: list[tuple[int, int, int]] = []
        for index, (row, is_word) in enumerate(
            zip(self.rows.tolist(), self.words.tolist(), strict=True)
        ):
            if not is_word:
                continue
            last = found[-1] if found else (-1, -1, -1)
            if last[0] == row and last[2] == index and index % self.chunk:
                found[-1] = (row, last[1], index + 1)
            else:
                found.append((row, index, index + 1))
        return found


def fused_losses(
    states: Tensor,
    head: Head,
    targets: Tensor,
    masks: tuple[Tensor, Tensor],
    pool: Pool | None = "max",
    chunk: int | None = None,
) -> tuple[Tensor, Tensor | None]:
    """Compute the losses of all tokens and the pooled distributions of all rows.

    Args:
        states: [B, T, D] decoder states, the input of the vocabulary head.
        head: the vocabulary head.
        targets: [B, T] token ids.
        masks: [B, T] real tokens, which have a loss; and [B, T] those of them that are pooled.
        pool: as in :func:`mitools.train.losses.objective.pooled_log_probs`; None disables pooling.
        chunk: tokens processed at a time; None chooses by device. It does not change the result.

    Returns:
        [B, T] nats, as from :func:`mitools.train.losses.objective.token_losses`, 0 on padding; and
        [B, V] log-probabilities, as from ``pooled_log_probs``, or None. Both are float32 (float64
        for float64 states); under autocast only the products are in half precision.
    """
    is_real = masks[0].bool()
    rows, columns = is_real.nonzero(as_tuple=True)
    plan = _Plan(
        rows=rows,
        words=masks[1].bool()[rows, columns],
        count=len(states),
        chunk=chunk or max(1, scores_per_chunk(states) // len(head.weight)),
        dtype=product_dtype(states),
        pool=pool,
    )
    picked = targets[rows, columns]
    losses, pooled = _FusedHead.apply(  # type: ignore[no-untyped-call]
        states[rows, columns], head.weight, head.bias, picked, plan
    )
    scattered = losses.new_zeros(targets.shape).index_put((rows, columns), losses)
    return scattered, None if pool is None else normalize_pooled(pooled)


def scores_per_chunk(states: Tensor) -> int:
    """Return the maximum number of scores in memory on the device of the states."""
    return _SCORES_PER_CHUNK.get(states.device.type, 1 << 25)


def product_dtype(states: Tensor) -> torch.dtype:
    """Return the precision of matrix products with the states: half precision under autocast."""
    device = states.device.type
    if torch.is_autocast_enabled(device):
        return torch.get_autocast_dtype(device)
    return states.dtype


class _FusedHead(torch.autograd.Function):
    """Token losses [N], and pooled scores [B, V] before normalization."""

    @staticmethod
    def forward(
        ctx: Any, states: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor, plan: _Plan
    ) -> tuple[Tensor, Tensor]:
        ctx.set_materialize_grads(False)
        ctx.plan, ctx.dtypes = plan, (states.dtype, weight.dtype)
        full = torch.float64 if states.dtype == torch.float64 else torch.float32
        states, weight = states.to(plan.dtype), weight.to(plan.dtype)
        losses = torch.empty(len(states), dtype=full, device=states.device)
        pooling = _Pooling(plan, losses.new_empty(0, len(weight)))
        ctx.log_probs = None
        chunks = plan.chunks()
        for low, high in chunks:
            # On a CPU, logsumexp takes longer than log_softmax.
            log_probs = scores_of(states[low:high], weight, bias, full).log_softmax(dim=-1)
            losses[low:high] = -log_probs.gather(-1, targets[low:high, None])[:, 0]
            pooling.add(low, high, log_probs)
            ctx.log_probs = log_probs if len(chunks) == 1 else None
        pooled = pooling.finish()
        ctx.save_for_backward(states, weight, bias, targets, pooling.winners, pooled)
        return losses, pooled

    @staticmethod
    @once_differentiable
    def backward(
        ctx: Any, of_losses: Tensor | None, of_pooled: Tensor | None
    ) -> tuple[Tensor | None, ...]:
        plan: _Plan = ctx.plan
        states, weight, bias, targets, winners, pooled = ctx.saved_tensors
        full = pooled.dtype
        if of_losses is None:
            of_losses = pooled.new_zeros(len(states))
        # Gradient that arrives from the pooled scores [B, V], distributed over the tokens.
        inflow = None if of_pooled is None else _Inflow(plan, of_pooled, winners, pooled)
        of_states = torch.empty_like(states)  # (N, D)
        of_weight: Tensor | None = None
        of_bias = None if bias is None else torch.zeros_like(bias, dtype=full)
        for low, high in plan.chunks():
            # Log-probabilities (chunk, V): those kept, which are overwritten below, or new ones.
            log_probs, ctx.log_probs = ctx.log_probs, None
            if log_probs is None:
                log_probs = scores_of(states[low:high], weight, bias, full).log_softmax(dim=-1)
            # Gradient of the scores (chunk, V). A loss −log p(target) contributes
            # softmax − one-hot; a log-probability with inflow g contributes g − Σ g · softmax.
            factor = of_losses[low:high]  # (chunk): what multiplies the softmax
            if inflow is not None:
                factor = factor - inflow.sums(low, high, log_probs)
            grad = log_probs.exp_().mul_(factor[:, None])
            grad.scatter_add_(-1, targets[low:high, None], -of_losses[low:high, None])
            if inflow is not None:
                inflow.add_to(grad, low, high)
            # From the scores to their inputs: scores = states · weightᵀ + bias.
            if of_bias is not None:
                of_bias += grad.sum(dim=0)  # (V)
            half = grad.to(plan.dtype)
            of_states[low:high] = half @ weight  # (chunk, D)
            if ctx.needs_input_grad[1]:
                part = (half.T @ states[low:high]).to(full)  # (V, D)
                of_weight = part if of_weight is None else of_weight.add_(part)
        if of_weight is None and ctx.needs_input_grad[1]:
            of_weight = torch.zeros_like(weight)
        return (
            of_states.to(ctx.dtypes[0]),
            None if of_weight is None else of_weight.to(ctx.dtypes[1]),
            None if of_bias is None else of_bias.to(bias.dtype),
            None,
            None,
        )


def scores_of(states: Tensor, weight: Tensor, bias: Tensor | None, full: torch.dtype) -> Tensor:
    """Apply a head to states [..., D]: [..., V] in the precision ``full``."""
    scores = (states @ weight.T).to(full)
    return scores if bias is None else scores.add_(bias)


class _Pooling:
    """Reduce log-probabilities over the words of each row, chunk by chunk."""

    def __init__(self, plan: _Plan, like: Tensor) -> None:
        """Start with empty rows; ``like`` is any tensor [·, V] of the right type and device."""
        self.plan = plan
        shape = (plan.count if plan.pool else 0, like.shape[1])
        start = 0.0 if plan.pool == "mean" else torch.finfo(like.dtype).min
        self.pooled = like.new_full(shape, start)
        winners = shape if plan.pool == "max" else (0, 0)
        self.winners = torch.full(winners, -1, dtype=torch.int32, device=like.device)
        self.runs = plan.runs() if plan.pool else []

    def add(self, low: int, high: int, log_probs: Tensor) -> None:
        """Include the log-probabilities [chunk, V] of tokens ``low`` to ``high``."""
        while self.runs and self.runs[0][1] < high:
            row, first, behind = self.runs.pop(0)
            part = log_probs[first - low : behind - low]
            if self.plan.pool == "mean":
                self.pooled[row] += part.sum(dim=0)
            elif self.plan.pool == "logsumexp":
                self.pooled[row] = torch.logaddexp(self.pooled[row], part.logsumexp(dim=0))
            else:
                # max() with indices takes three times as long as these on a CPU.
                best = part.amax(dim=0)
                places = torch.arange(first, behind, dtype=torch.int32, device=part.device)
                found = torch.where(part == best, places[:, None], -1).amax(dim=0)
                is_better = best > self.pooled[row]
                self.pooled[row] = torch.where(is_better, best, self.pooled[row])
                self.winners[row] = torch.where(is_better, found, self.winners[row])

    def finish(self) -> Tensor:
        """Return the pooled scores, [B, V]."""
        if self.plan.pool == "mean":
            self.pooled /= self.plan.words_of_rows()[:, None]
        return self.pooled


class _Inflow:
    """Gradient that reaches log-probabilities through the pooling, for one chunk at a time.

    With ``max`` it reaches one token per row and word, the one with the maximum; with ``mean`` and
    ``logsumexp`` all words of the row.
    """

    def __init__(self, plan: _Plan, grad: Tensor, winners: Tensor, pooled: Tensor) -> None:
        self.plan = plan
        self.grad = grad  # (B, V)
        self.winners = winners
        self.pooled = pooled
        self.dense: Tensor | None = None
        if plan.pool == "max":
            has_words = winners >= 0
            index = winners.long().clamp(min=0).flatten()
            flow = torch.where(has_words, grad, 0).flatten()
            self.totals = grad.new_zeros(max(1, len(plan.rows))).index_add_(0, index, flow)
        elif plan.pool == "mean":
            self.grad = grad / plan.words_of_rows()[:, None]

    def sums(self, low: int, high: int, log_probs: Tensor) -> Tensor:
        """Sum the gradient that each token of a chunk receives over the vocabulary: [chunk]."""
        if self.plan.pool == "max":
            return self.totals[low:high]
        rows, words = self.plan.rows[low:high], self.plan.words[low:high]
        self.dense = self.grad[rows] * words[:, None]
        if self.plan.pool == "logsumexp":
            # Mask before exp: only words are sure to be below the pooled score.
            shares = (log_probs - self.pooled[rows]).masked_fill(~words[:, None], 0).exp()
            self.dense = self.dense * shares
        return self.dense.sum(dim=-1)

    def add_to(self, grad: Tensor, low: int, high: int) -> None:
        """Add the gradient of a chunk's log-probabilities to ``grad``, [chunk, V]."""
        if self.dense is not None:
            grad += self.dense
            return
        # Positions of the maxima of these rows, relative to the chunk: (rows, V).
        rows = self.plan.rows[low:high]
        first, last = int(rows[0]), int(rows[-1]) + 1
        winners = self.winners[first:last].long() - low
        is_here = (winners >= 0) & (winners < high - low)
        words = torch.arange(grad.shape[1], device=grad.device).expand_as(winners)
        places = (winners * grad.shape[1] + words)[is_here]
        # Each row and word has one maximum, so no place occurs twice.
        flat = grad.view(-1)
        flat[places] += self.grad[first:last][is_here]
