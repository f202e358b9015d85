"""Padded batches of tensors from rows of token ids."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Literal

import torch
from torch import Tensor

from mitools.student.codec import Codec, Purpose
from mitools.train.fill import FILLS
from mitools.train.label_words import label_word_marks
from mitools.train.naming import naming_tensors
from mitools.train.task_tensors import with_soft

__all__ = ["Batch", "Rationales", "TwoTaskCollator"]

Rationales = Literal["one", "sample", "min"]

Batch = dict[str, Any]
"""``ids``: the ids of the records. ``label`` and ``rationale``: tasks, see
:data:`mitools.train.task_tensors.Task`. Optional: ``wrong``, rationales known to be wrong; and
``candidates``, all rationales to choose from, with ``owners``, the row of each."""


@dataclass
class TwoTaskCollator:
    """Pad the label task and the rationale task of the same records.

    A row without one of them has an empty target there, so that row b of both tasks is always the
    same record; the MI term relies on that.

    Where a record has several targets, one is drawn in each epoch by a hash of seed, epoch and
    record, so that the draw does not depend on the batch, the process or an interruption.

    Attributes:
        rationales: ``sample`` draws one of several; ``min`` adds all as candidates; ``one`` takes
            the teacher's own.
        soft_labels: whether the label task has the teacher's distribution over labels. A student
            of two passes reads all of them, see :func:`mitools.train.task_tensors.soft_of`; one of
            a single pass draws one in each epoch.
        with_wrong: whether to add a rationale known to be wrong.
        marks_label_words: whether rationales come with ``label_words``, [B, T] 1 on tokens that
            belong to words of the label.
        names: whether the tasks come with the places where a choice is named, see
            :func:`mitools.train.naming.naming_tensors`.
        epoch: the number of the pass over the data.
    """

    codec: Codec
    with_rationales: bool
    rationales: Rationales = "one"
    soft_labels: bool = False
    with_wrong: bool = False
    seed: int = 0
    epoch: int = 0
    marks_label_words: bool = False
    names: bool = False

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> Batch:
        is_soft = self.soft_labels and any(row["soft_labels"] for row in rows)
        if is_soft and self.codec.first is not None:
            rows = [{**row, "label_target": self._draw_label(row)} for row in rows]
        batch: Batch = {"ids": [row["id"] for row in rows]}
        batch["label"] = self._pairs("label", rows, [None] * len(rows))
        if is_soft and self.codec.first is None:
            batch["label"] = with_soft(batch["label"], self._soft(rows))
        if any(row.get(FILLS) for row in rows):
            batch["label"][FILLS] = torch.tensor([bool(row.get(FILLS)) for row in rows])
        if not self.with_rationales:
            return batch
        drawn: list[Sequence[int] | None] = [None] * len(rows)
        if self.rationales == "sample":
            drawn = [self._draw(row, "rationales", row["rationale_target"]) for row in rows]
        batch["rationale"] = self._pairs("rationale", rows, drawn)
        if self.names:
            for name, tensors in zip(("label", "rationale"), naming_tensors(rows), strict=True):
                batch[name] |= tensors
        if self.rationales == "min" and any(row["rationales"] for row in rows):
            batch["candidates"] = self._candidates(rows)
        if self.with_wrong:
            wrong = [self._draw(row, "wrong_rationales", []) for row in rows]
            batch["wrong"] = self._pairs("rationale", rows, wrong)
            del batch["wrong"]["weights"]
        return batch

    def plain(self) -> TwoTaskCollator:
        """Return a collator that takes the first of several targets, for validation."""
        return TwoTaskCollator(self.codec, self.with_rationales, names=self.names)

    def _draw(self, row: Mapping[str, Any], name: str, default: Sequence[int]) -> Sequence[int]:
        found: Sequence[Sequence[int]] = row[name]
        if not found:
            return default
        return found[self._number(row, name) % len(found)]

    def _draw_label(self, row: Mapping[str, Any]) -> Sequence[int]:
        """Draw a label, each as often as its share says."""
        labels: Sequence[Sequence[int]] = row["soft_labels"]
        place = self._number(row, "soft_labels") / 2**64
        bounds = accumulate(row["soft_shares"])
        found = (ids for ids, bound in zip(labels, bounds, strict=True) if place < bound)
        return next(found, labels[-1] if labels else row["label_target"])

    def _number(self, row: Mapping[str, Any], name: str) -> int:
        """Return 64 bits that depend on seed, epoch and record alone."""
        key = f"{self.seed}\0{self.epoch}\0{name}\0{row['id']}".encode()
        return int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big")

    def _soft(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        """Make the label task with a row for each label of a distribution."""
        wide = [
            ({**row, "label_weight": share * row.get("label_weight", 1)}, target)
            for row in rows
            for target, share in zip(
                row["soft_labels"] or [row["label_target"]],
                row["soft_shares"] or [1.0],
                strict=True,
            )
        ]
        return self._pairs("label", [row for row, _ in wide], [target for _, target in wide])

    def _candidates(self, rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        targets = [row["rationales"] or [row["rationale_target"]] for row in rows]
        wide = [(row, target) for row, found in zip(rows, targets, strict=True) for target in found]
        pairs = self._pairs("rationale", [row for row, _ in wide], [target for _, target in wide])
        counts = torch.tensor([len(found) for found in targets])
        pairs["owners"] = torch.arange(len(rows)).repeat_interleave(counts)
        return pairs

    def _pairs(
        self,
        purpose: Purpose,
        rows: Sequence[Mapping[str, Any]],
        targets: Sequence[Sequence[int] | None],
    ) -> dict[str, Tensor]:
        # A row without this task still needs one prompt token: attention over none is NaN.
        stand_in = [self.codec.tokenizer.eos_token_id]
        prompts = [row[f"{purpose}_prompt"] or stand_in for row in rows]
        chosen = [
            row[f"{purpose}_target"] if target is None else target
            for row, target in zip(rows, targets, strict=True)
        ]
        weights = [float(row.get(f"{purpose}_weight", 1)) for row in rows]
        pairs = self.codec.pad(prompts, chosen).as_dict()
        if purpose == "rationale" and self.marks_label_words:
            pairs["label_words"] = self._label_words(rows, chosen, pairs["target_ids"])
        return {**pairs, "weights": torch.tensor(weights)}

    def _label_words(
        self, rows: Sequence[Mapping[str, Any]], targets: Sequence[Sequence[int]], like: Tensor
    ) -> Tensor:
        found = torch.zeros_like(like)
        for index, (row, target) in enumerate(zip(rows, targets, strict=True)):
            marks = label_word_marks(self.codec.tokenizer, row["label_target"], target)
            found[index, : len(marks)] = torch.tensor(marks, dtype=found.dtype)
        return found
