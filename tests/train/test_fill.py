"""The last batch of an epoch in several processes: no record counts twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
import torch
from accelerate.data_loader import BatchSamplerShard
from torch.utils.data import BatchSampler

from mitools.student.base.open_base import open_checkpoint
from mitools.student.codec import Codec
from mitools.train.collate import TwoTaskCollator
from mitools.train.fill import FilledRows, fill_up
from mitools.train.losses.objective import Objective
from mitools.train.sampler import BatchesByLength
from mitools.train.task_tensors import count_targets
from mitools.train.two_task_model import TwoTaskModel
from tests.train.models import NAMED
from tests.train.test_conclude import rows_of


def test_rows_are_spread_over_pieces_of_one_size() -> None:
    assert fill_up([4, 7, 2, 9], 4, 2) == [4, 7, -5, -5, 2, 9, -3, -3]
    assert fill_up([4, 7, 2, 9, 1], 4, 1) == [4, 7, -5, -5, 2, 9, 1, -3]
    assert fill_up([4], 2, 2) == [-5, -5, 4, -5]
    assert fill_up([4, 7], 1, 2) == [4, 7]


def shards(order: BatchesByLength, piece: int, processes: int) -> list[list[list[int]]]:
    """The pieces of each process, as the engine deals them."""
    batches = BatchSampler(order, piece, drop_last=False)
    return [list(BatchSamplerShard(batches, processes, number)) for number in range(processes)]


@pytest.mark.parametrize("processes", [2, 3])
@pytest.mark.parametrize("rows", range(1, 40))
def test_every_record_counts_once_and_every_process_has_as_many_steps(
    rows: int, processes: int
) -> None:
    piece, pieces = 2, 3
    size = piece * pieces * processes
    order = BatchesByLength(range(rows), size, 5, piece, processes)
    found = shards(order, piece, processes)
    assert len({len(of_one) for of_one in found}) == 1
    assert len(found[0]) == -(-rows // (piece * processes))
    assert {len(one) for of_one in found for one in of_one} == {piece}
    dealt = Counter(place for of_one in found for one in of_one for place in one if place >= 0)
    assert dealt == Counter(range(rows))
    assert len(order) == len([*order])
    # A step has the records that it has in one process.
    alone = [*BatchesByLength(range(rows), size, 5)]
    assert len(BatchesByLength(range(rows), size, 5)) == rows
    for step, low in enumerate(range(0, rows, size)):
        mine = [p for of_one in found for one in of_one[step * pieces :][:pieces] for p in one]
        assert {place for place in mine if place >= 0} == {*alone[low : low + size]}


class Rows(list[Any]):
    def __getitems__(self, places: list[int]) -> list[Any]:
        return [self[place] for place in places]


@pytest.mark.parametrize("kind", ["tiny_seq2seq", "tiny_causal"])
@pytest.mark.parametrize("mi", ["none", "maxpool", "conclude", "name", "infonce", "ba", "paper"])
@pytest.mark.parametrize("order", ["separate", "label-rationale"])
def test_filled_pieces_have_the_gradient_of_the_rows_alone(
    request: pytest.FixtureRequest, kind: str, mi: Any, order: Any
) -> None:
    if order != "separate" and mi in ("conclude", "name"):
        pytest.skip(f"{mi} has passes of its own")
    base = open_checkpoint(str(request.getfixturevalue(kind)), kind)
    codec = Codec(base.tokenizer, base.kind, 512, 12, 24, order)
    torch.manual_seed(0)
    model = TwoTaskModel(base.model, codec, Objective(mi=mi, beta=0.5)).eval()
    rows = Rows(
        {
            "wrong_rationales": [],
            "rationales": [],
            "soft_labels": [],
            "soft_shares": [],
            **NAMED,
            **row,
        }
        for row in rows_of(codec, 5)
    )
    rows[1]["label_target"] = []  # what fills in its place has a rationale
    collator = TwoTaskCollator(codec, True, names=mi == "name")
    gradients, losses = [], []
    # A term that compares records, or that depends on padding, does so within a piece.
    pieces = [[0, 1], [2, 3, 4]] if model.objective.is_sum_over_rows else [[0, 1, 2, 3, 4]]
    filled = [[*piece, -1 - piece[0], -2] for piece in pieces] + [[-1, -2, -4]]
    for cut in (pieces, filled):
        model.zero_grad()
        batches = [collator(FilledRows(rows).__getitems__(piece)) for piece in cut]
        counts = sum(count_targets(b["label"], b["rationale"], model.end_id) for b in batches)
        assert counts[3] == 5
        found = []
        for batch in batches:
            del batch["ids"]
            outputs = model(**batch, counts=counts)
            outputs["loss"].backward()
            found.append(outputs)
        losses.append({name: sum(one[name].item() for one in found) for name in found[0]})
        grads = [p.grad for p in model.parameters() if p.requires_grad]
        gradients.append([None if grad is None else grad.clone() for grad in grads])
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)
    for one, other in zip(*gradients, strict=True):
        if one is not None and other is not None:
            assert torch.allclose(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("kind", ["tiny_seq2seq", "tiny_causal"])
def test_a_piece_of_fillers_uses_every_weight_and_moves_none(
    request: pytest.FixtureRequest, kind: str
) -> None:
    base = open_checkpoint(str(request.getfixturevalue(kind)), kind)
    codec = Codec(base.tokenizer, base.kind, 512, 12, 24)
    model = TwoTaskModel(base.model, codec, Objective(mi="none")).eval()
    rows = Rows(rows_of(codec, 4))
    collator = TwoTaskCollator(codec, with_rationales=True)
    used = []
    for places in ([2, 3], [-3, -4]):
        model.zero_grad()
        batch = collator(FilledRows(rows).__getitems__(places))
        del batch["ids"]
        model(**batch, counts=torch.ones(5))["loss"].backward()
        used.append({name for name, p in model.named_parameters() if p.grad is not None})
    assert used[0] == used[1]
    assert all((p.grad == 0).all() for p in model.parameters() if p.grad is not None)
