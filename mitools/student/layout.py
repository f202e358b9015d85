"""How a student is asked: its tasks, their prefixes and order, the precision; no torch.

:mod:`mitools.student.codec` encodes texts in this layout.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

__all__ = [
    "FIRST",
    "ORDERS",
    "PRECISIONS",
    "PREFIXES",
    "PREFIX_POSITIONS",
    "AnswerPrecision",
    "Kind",
    "Order",
    "PrefixPosition",
    "Purpose",
]

Kind = Literal["seq2seq", "causal"]
Purpose = Literal["label", "rationale"]

Order = Literal["separate", "label-rationale", "rationale-label"]
ORDERS: tuple[Order, ...] = get_args(Order)
"""Two passes; or one, of which the label (arXiv:2406.14511) or the rationale comes first."""

FIRST: Mapping[Order, Purpose] = {"label-rationale": "label", "rationale-label": "rationale"}
"""The task whose text comes first, of the orders of one pass."""

PrefixPosition = Literal["before", "after"]
PREFIX_POSITIONS: tuple[PrefixPosition, ...] = get_args(PrefixPosition)
"""Where the task prefix stands: before the input, or (causal students only) after it."""

AnswerPrecision = Literal["fp32", "bf16"]
PRECISIONS: tuple[AnswerPrecision, ...] = get_args(AnswerPrecision)
"""The numbers in which a student answers. In bfloat16, answers depend a little on the batch."""

# Source: Distilling Step-by-Step (arXiv:2305.02301), section 3.2.
PREFIXES: dict[Purpose, str] = {"label": "predict: ", "rationale": "explain: "}
