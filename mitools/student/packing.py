"""Rows of different length as one sequence without padding, for causal models.

Everything but attention treats each token by itself. So the real tokens of a batch stand one after
another, [1, N], and only attention puts the rows back into a grid [R, L], in which a token sees its
own row alone. Padding is then computed in attention only, a small part of the work.

A row can have branches behind a common stem: the two tasks of a record behind its input, or the
choices behind a question. Each branch sees the stem and itself, so the stem is read once.

The layout is passed to attention through transformers' registry of attention functions
(https://huggingface.co/docs/transformers/attention_interface). A trial decides whether a model
supports it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from transformers import AttentionInterface

from mitools.student.causal import taken_by

__all__ = [
    "PLAIN",
    "Packing",
    "Rows",
    "attending",
    "current_packing",
    "pack",
    "pack_trees",
    "packed_forward",
    "row_positions",
]

PLAIN = "sdpa"
"""Name of the attention that rows are read with alone."""

_NAME = "mitools_packed"
_STEM, _NONE = 0, -1

_LONG = 64
"""Mean number of tokens from which rows are taken one by one on a CPU.

A call for one row takes about 0.1 ms more, forward and backward. Measured with one thread and 9
heads of 64, ms a layer, one by one and in one grid: 32 rows of 75 to 150 tokens 53 and 81, 64 rows
of 8 to 30 tokens 16 and 19; with 4 heads of 16, 32 rows of 8 to 30 tokens 4.3 and 2.4.
"""

_SHORT = 256
"""Number of tokens up to which attention is trained in float32 on a CPU, not in bfloat16.

PyTorch 2.13's backward pass in bfloat16 is slow for short rows: with 9 heads of 64, one thread of
an Intel Xeon with AMX, 8 rows of 100 tokens take 22 ms and 8 of 200 take 26. Forward and backward
together, ms in bfloat16 and float32: 8 rows of 40 tokens 9.7 and 2.2, of 100 tokens 23.5 and 9.4; 1
row of 200 tokens 3.7 and 3.1, of 300 tokens 5.9 and 6.1, of 400 tokens 8.1 and 10.1.
"""


@dataclass(frozen=True)
class Rows:
    """R sequences as tensors with padding anywhere.

    Attributes:
        ids: [R, W] token ids.
        mask: [R, W] 1 on real tokens; each row has one at least.
        widths: the number of columns of the stem, and of each branch behind it; their sum is W.
    """

    ids: Tensor
    mask: Tensor
    widths: tuple[int, ...]

    @classmethod
    def joined(cls, *parts: tuple[Tensor, Tensor]) -> Rows:
        """Join the ids and masks, [R, ·] each, of the stem and of each branch."""
        ids, masks = zip(*parts, strict=True)
        widths = tuple(one.shape[1] for one in ids)
        return cls(torch.cat(ids, dim=1), torch.cat(masks, dim=1), widths)

    def branches(self) -> Tensor:
        """Number the branch of each column, from 1; 0 in the stem: [R, W]."""
        device = self.ids.device
        numbers = torch.arange(len(self.widths), device=device)
        found = numbers.repeat_interleave(torch.tensor(self.widths, device=device))
        return found.expand_as(self.ids)


@dataclass(frozen=True)
class _Grid:
    """The grid [R, L] in which attention sees R rows.

    Attributes:
        shape: R and L.
        size: n, the number of their tokens.
        slots: [n] the place in the grid, flattened, of each token; None without padding.
        tokens: [R · L] the token at each place; any at padding. None without padding.
        mask: [R, 1, L, L] which tokens each token sees; None for those before it.
    """

    shape: tuple[int, int]
    size: int
    slots: Tensor | None
    tokens: Tensor | None
    mask: Tensor | None

    def spread(self, values: Tensor) -> Tensor:
        """Put the tokens [1, H, n, d] into the grid: [R, H, L, d]."""
        heads, width = values.shape[1], values.shape[3]
        if self.tokens is None:
            return values[0].view(heads, *self.shape, width).transpose(0, 1)
        flat = values[0].transpose(0, 1).reshape(self.size, heads * width)
        grid = _Spread.apply(flat, self.tokens, self.slots)  # type: ignore[no-untyped-call]
        found: Tensor = grid.view(*self.shape, heads, width).transpose(1, 2)
        return found

    def gather(self, values: Tensor) -> Tensor:
        """Take the tokens out of the grid [R, L, H, d]: [n, H, d]."""
        if self.slots is None:
            return values.flatten(0, 1)
        flat = values.reshape(self.shape[0] * self.shape[1], -1)
        found: Tensor = _Gather.apply(flat, self.slots)  # type: ignore[no-untyped-call]
        return found.view(self.size, *values.shape[2:])


@dataclass(frozen=True)
class Packing:
    """The N real tokens of a batch in one sequence.

    Attributes:
        ids: [1, N] token ids.
        positions: [1, N] the position of each in its row; each branch goes on where the stem ends.
        places: for each :class:`Rows`, [R, W] the place of each column's token among the N; at
            padding that of the real token before.
        grids: where attention sees the tokens, in their order.
    """

    ids: Tensor
    positions: Tensor
    places: tuple[Tensor, ...]
    grids: tuple[_Grid, ...]


_packing: ContextVar[Packing] = ContextVar("packing")


def pack(*batches: Rows) -> Packing:
    """Pack one or several batches; attention sees each in a grid of its own."""
    ids, positions, places, grids = [], [], [], []
    low = 0
    for rows in batches:
        is_real = rows.mask.bool()
        ids.append(rows.ids[is_real])
        positions.append(row_positions(rows)[is_real])
        places.append((is_real.flatten().cumsum(0) - 1).clamp(min=0).view_as(rows.ids) + low)
        branches = rows.branches()[is_real] if len(rows.widths) > 1 else None
        grids += _grids(is_real.sum(dim=1), branches)
        low += len(ids[-1])
    return Packing(torch.cat(ids)[None], torch.cat(positions)[None], tuple(places), tuple(grids))


def pack_trees(
    trees: Sequence[tuple[Sequence[int], Sequence[Sequence[int]]]], device: torch.device
) -> tuple[Packing, list[tuple[int, list[int]]]]:
    """Pack stems with any number of branches each.

    Args:
        trees: token ids of each stem, at least one, and of its branches.

    Returns:
        The packing; for each tree, the place of its last stem token and of the first token of each
        branch, which for an empty branch has no meaning.
    """
    ids: list[int] = []
    positions: list[int] = []
    branch_of: list[int] = []
    lengths, places = [], []
    for stem, branches in trees:
        start = len(ids)
        firsts = []
        for number, part in enumerate([stem, *branches]):
            first = len(stem) if number else 0
            firsts.append(len(ids))
            ids += part
            positions += range(first, first + len(part))
            branch_of += [number] * len(part)
        lengths.append(len(ids) - start)
        places.append((start + len(stem) - 1, firsts[1:]))
    flat, numbers = (torch.tensor([values], device=device) for values in (ids, positions))
    counts, owners = (torch.tensor(values, device=device) for values in (lengths, branch_of))
    return Packing(flat, numbers, (), tuple(_grids(counts, owners))), places


def row_positions(rows: Rows) -> Tensor:
    """Number the tokens of each row, [R, W]; each branch goes on where the stem ends."""
    stem, *branches = torch.split(rows.mask, list(rows.widths), dim=1)
    length = stem.sum(dim=1, keepdim=True)
    counted = [part.cumsum(dim=1) - 1 + length for part in branches]
    return torch.cat([stem.cumsum(dim=1) - 1, *counted], dim=1)


def _grids(lengths: Tensor, branches: Tensor | None) -> list[_Grid]:
    """Lay out rows of [R] tokens each for attention, given [n] the branch of every token.

    Long rows are taken one by one on a CPU: no padding, no copies, and the work grows with the
    square of each row's own length.
    """
    if not _takes_rows_alone(lengths):
        return [_grid(lengths, branches)]
    parts = torch.split(lengths, 1)
    if branches is None:
        return [_grid(part, None) for part in parts]
    return [*map(_grid, parts, torch.split(branches, lengths.tolist()))]


def _takes_rows_alone(lengths: Tensor) -> bool:
    return lengths.device.type == "cpu" and int(lengths.sum()) >= _LONG * len(lengths)


def _grid(lengths: Tensor, branches: Tensor | None) -> _Grid:
    """Lay out rows from the left in one grid; arguments as for :func:`_grids`."""
    width, size = int(lengths.max()), int(lengths.sum())
    columns = torch.arange(width, device=lengths.device)
    is_used = columns < lengths[:, None]  # (R, L)
    slots = tokens = mask = None
    if size < is_used.numel():
        starts = (lengths.cumsum(0) - lengths)[:, None]
        tokens = torch.where(is_used, starts + columns, starts).flatten()
        slots = is_used.flatten().nonzero()[:, 0]
    if branches is not None:
        branch = branches.new_full(is_used.shape, _NONE)
        branch[is_used] = branches
        # A token sees those before it in the stem and in its own branch; padding sees itself, as a
        # softmax over nothing is NaN.
        mask = (branch[:, None] == _STEM) | (branch[:, None] == branch[..., None])
        mask = (mask & (columns <= columns[:, None]))[:, None]
    return _Grid((len(lengths), width), size, slots, tokens, mask)


class _Spread(torch.autograd.Function):
    """Select ``tokens`` of [n, F]; the gradient at padding is zero, and is left out."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, tokens: Tensor, slots: Tensor) -> Tensor:
        ctx.save_for_backward(slots)
        return values.index_select(0, tokens)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (slots,) = ctx.saved_tensors
        return grad.index_select(0, slots), None, None


class _Gather(torch.autograd.Function):
    """Select ``slots`` of [m, F]; the gradient of what is not selected is zero."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, slots: Tensor) -> Tensor:
        ctx.save_for_backward(slots)
        ctx.size = len(values)
        return values.index_select(0, slots)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        (slots,) = ctx.saved_tensors
        wide = grad.new_zeros(ctx.size, grad.shape[1])
        return wide.index_copy_(0, slots, grad), None


def _attend(
    module: Any, query: Tensor, key: Tensor, value: Tensor, _mask: Tensor | None, **rest: Any
) -> tuple[Tensor, None]:
    """Attend within the rows of a packing: [1, N, H, d]."""
    grids = _packing.get().grids
    sizes = [grid.size for grid in grids]
    parts = zip(*(torch.split(values, sizes, dim=2) for values in (query, key, value)), strict=True)
    found = [
        grid.gather(_attend_in(grid, module, *map(grid.spread, part), **rest))
        for grid, part in zip(grids, parts, strict=True)
    ]
    return (found[0] if len(found) == 1 else torch.cat(found))[None], None


def _attend_in(
    grid: _Grid, module: Any, query: Tensor, key: Tensor, value: Tensor, **rest: Any
) -> Tensor:
    """Attend in one grid, [R, H, L, d] each: [R, L, H, d]."""
    plain = AttentionInterface()[PLAIN]
    found: Tensor
    if not _trains_faster_in_float32(grid, query):
        found = plain(module, query, key, value, grid.mask, **rest)[0]
        return found
    with torch.autocast("cpu", enabled=False):
        found = plain(module, query.float(), key.float(), value.float(), grid.mask, **rest)[0]
    return found.to(query.dtype)


def _trains_faster_in_float32(grid: _Grid, query: Tensor) -> bool:
    if query.device.type != "cpu" or not query.requires_grad or grid.shape[1] > _SHORT:
        return False
    dtype = torch.get_autocast_dtype("cpu") if torch.is_autocast_enabled("cpu") else query.dtype
    return dtype == torch.bfloat16


# No mask function is registered under this name, so that transformers makes no mask.
AttentionInterface.register(_NAME, _attend)


def packed_forward(model: Any, packing: Packing) -> Any:
    """Run a causal model over a packing.

    Args:
        model: a transformers causal language model that can pack, see
            :mod:`mitools.student.packing_trial`.

    Returns:
        The model's output; logits [1, N, V].
    """
    with attending(model, packing):
        return model(
            input_ids=packing.ids,
            use_cache=False,
            **taken_by(model, position_ids=packing.positions),
        )


def current_packing() -> Packing | None:
    """Return the packing of the forward pass that is running; None outside of one."""
    return _packing.get(None)


@contextmanager
def attending(model: Any, packing: Packing) -> Iterator[None]:
    """Let a model attend as a packing says."""
    token = _packing.set(packing)
    model.config._attn_implementation = _NAME
    try:
        yield
    finally:
        model.config._attn_implementation = PLAIN
        _packing.reset(token)
