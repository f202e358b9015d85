"""A student whose answers are given, without a model."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class FakeGeneration:
    text: str
    log_prob: float = -0.5
    is_truncated: bool = False
    tokens: int = 3


@dataclass
class FakeStudent:
    """A student that knows its answers by heart and notes what it was asked."""

    labels: dict[str, str] = field(default_factory=dict)
    rationales: dict[str, str] = field(default_factory=dict)
    favourite: dict[str, str] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=lambda: {"task": "equation"})
    log_prob: float = -0.5
    asked: list[tuple[str, list[Any]]] = field(default_factory=list)

    def score_choices(
        self, inputs: Sequence[str], choices: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        self.asked.append(("choices", [list(row) for row in choices]))
        return [
            [
                math.log(0.5) if choice == self.favourite.get(text) else math.log(0.1)
                for choice in row
            ]
            for text, row in zip(inputs, choices, strict=True)
        ]

    def generate_labels(self, inputs: Sequence[str]) -> list[FakeGeneration]:
        self.asked.append(("labels", list(inputs)))
        return [FakeGeneration(self.labels.get(text, ""), self.log_prob) for text in inputs]

    def generate_rationales(self, inputs: Sequence[str]) -> list[FakeGeneration]:
        self.asked.append(("rationales", list(inputs)))
        return [FakeGeneration(self.rationales.get(text, "")) for text in inputs]
