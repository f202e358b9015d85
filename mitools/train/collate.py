"""Rows of token ids to the two padded batches of one step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from mitools.student.codec import Codec, Pairs, Purpose

__all__ = ["Batch", "TwoTaskCollator"]

Batch = dict[str, Any]
"""``ids``: the records' ids; ``label`` and ``rationale``: the tensors of a :class:`Pairs`."""


@dataclass(frozen=True)
class TwoTaskCollator:
    """Pad the label task and the rationale task of the same records side by side.

    A row that lacks one of them keeps its place there with an empty target, so that row b of both
    batches is always the same record; the mutual information pairs them by that.
    """

    codec: Codec
    with_rationales: bool

    def __call__(self, rows: Sequence[Mapping[str, Any]]) -> Batch:
        batch: Batch = {"ids": [row["id"] for row in rows], "label": self._pairs("label", rows)}
        if self.with_rationales:
            batch["rationale"] = self._pairs("rationale", rows)
        return batch

    def _pairs(self, purpose: Purpose, rows: Sequence[Mapping[str, Any]]) -> dict[str, Tensor]:
        # A row without this task still needs one prompt token: attention over nothing is NaN.
        stand_in = [self.codec.tokenizer.eos_token_id]
        prompts = [row[f"{purpose}_prompt"] or stand_in for row in rows]
        pairs: Pairs = self.codec.pad(prompts, [row[f"{purpose}_target"] for row in rows])
        return pairs.as_dict()
