"""Batches: what is drawn anew in each pass, and that chance hangs on nothing else."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from mitools.student.base.open_base import open_checkpoint
from mitools.student.codec import Codec
from mitools.train.collate import TwoTaskCollator
from mitools.train.sampler import BatchesByLength
from mitools.train.task_tensors import soft_of


@pytest.fixture(scope="module")
def codec(tiny_seq2seq: Path) -> Codec:
    base = open_checkpoint(str(tiny_seq2seq), "tiny")
    return Codec(base.tokenizer, base.kind)


def row(number: int, **changes: Any) -> dict[str, Any]:
    known = {
        "id": str(number),
        "label_prompt": [5, 1],
        "label_target": [6, 1],
        "rationale_prompt": [7, 1],
        "rationale_target": [8, 1],
        "label_weight": 1.0,
        "rationale_weight": 0.5,
        "soft_labels": [[10, 1], [11, 1]],
        "soft_shares": [2 / 3, 1 / 3],
        "rationales": [[8, 1], [9, 9, 1]],
        "wrong_rationales": [],
    }
    return {**known, **changes}


def test_each_pass_draws_anew_and_the_batch_does_not_matter(codec: Codec) -> None:
    joined = replace(codec, order="label-rationale")
    collator = TwoTaskCollator(joined, True, "sample", soft_labels=True)
    rows = [row(number) for number in range(300)]
    first = collator(rows)
    labels = first["label"]["target_ids"][:, 0]
    assert 170 < (labels == 10).sum() < 230  # two shares of three
    assert 120 < (first["rationale"]["target_ids"][:, 0] == 9).sum() < 180
    again = torch.cat([collator([one])["label"]["target_ids"][:, 0] for one in rows])
    assert torch.equal(again, labels)
    collator.epoch = 1
    assert not torch.equal(collator(rows)["label"]["target_ids"][:, 0], labels)
    other = replace(collator, epoch=0, seed=1)(rows)
    assert not torch.equal(other["label"]["target_ids"][:, 0], labels)


def test_validation_takes_the_first_of_everything(codec: Codec) -> None:
    collator = TwoTaskCollator(codec, True, "min", soft_labels=True, with_wrong=True).plain()
    batch = collator([row(number) for number in range(20)])
    assert set(batch) == {"ids", "label", "rationale"}
    assert (batch["label"]["target_ids"] == torch.tensor([6, 1])).all()
    assert (batch["rationale"]["target_ids"] == torch.tensor([8, 1])).all()
    assert batch["rationale"]["weights"].tolist() == [0.5] * 20


def test_two_passes_read_every_label_with_its_share(codec: Codec) -> None:
    rows = [row(0, label_weight=0.5), row(1, soft_labels=[], soft_shares=[])]
    batch = TwoTaskCollator(codec, True, soft_labels=True)(rows)
    assert batch["label"]["target_ids"][:, 0].tolist() == [6, 6]
    soft = soft_of(batch["label"])
    assert soft is not None
    assert soft["target_ids"][:, 0].tolist() == [10, 11, 6]
    assert soft["weights"].tolist() == pytest.approx([1 / 3, 1 / 6, 1])
    assert soft_of(TwoTaskCollator(codec, True, soft_labels=True)(rows[1:])["label"]) is None


def test_candidates_know_their_row(codec: Codec) -> None:
    rows = [row(0), row(1, rationales=[]), row(2)]
    batch = TwoTaskCollator(codec, True, "min")(rows)
    assert batch["candidates"]["owners"].tolist() == [0, 0, 1, 2, 2]
    assert batch["candidates"]["target_ids"][:, 0].tolist() == [8, 9, 8, 8, 9]
    alone = TwoTaskCollator(codec, True, "min")([row(1, rationales=[])])
    assert "candidates" not in alone


def test_a_row_without_a_wrong_rationale_has_an_empty_one(codec: Codec) -> None:
    rows = [row(0, wrong_rationales=[[12, 1]]), row(1)]
    wrong = TwoTaskCollator(codec, True, with_wrong=True)(rows)["wrong"]
    assert wrong["target_mask"].sum(dim=-1).tolist() == [2, 0]


def test_label_words_are_those_of_the_label_that_was_drawn(codec: Codec) -> None:
    ids = [codec.encode_targets("label", [text])[0][0][:-1] for text in ("3", "4")]
    told = codec.encode_targets("rationale", ["3 4"])[0][0]
    rows = [
        row(
            number,
            soft_labels=[[*ids[number % 2], 1]],
            soft_shares=[1.0],
            rationales=[],
            rationale_target=told,
        )
        for number in range(2)
    ]
    joined = replace(codec, order="label-rationale")
    batch = TwoTaskCollator(joined, True, "sample", soft_labels=True, marks_label_words=True)(rows)
    marks = batch["rationale"]["label_words"]
    words = [
        codec.decode(batch["rationale"]["target_ids"][place][marks[place].bool()].tolist())
        for place in range(2)
    ]
    assert words == ["3", "4"]
    assert "label_words" not in TwoTaskCollator(codec, True)(rows)["rationale"]


def test_batches_are_random_and_sorted_inside() -> None:
    lengths = [(place * 37) % 101 for place in range(60)]
    order = BatchesByLength(lengths, 8, seed=3)
    first = list(order)
    assert sorted(first) == list(range(60))
    for low in range(0, 60, 8):
        batch = [lengths[place] for place in first[low : low + 8]]
        assert batch == sorted(batch)
    means = [sum(lengths[p] for p in first[low : low + 8]) / 8 for low in range(0, 56, 8)]
    assert max(means) - min(means) < 60  # no batch of one length
    assert list(order) == first
    order.set_epoch(1)
    assert list(order) != first
