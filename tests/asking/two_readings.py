"""A student with two readings whose probabilities are known, for tests of ways of answering."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mitools.student.protocol import Generation

Chances = Mapping[str, float]


@dataclass
class TwoReadings:
    """Answers by tables.

    Attributes:
        direct: p(y | x) by input and label.
        behind: q(y | x, r) by rationale and label.
        greedy: the greedy rationale by input.
        drawn: the rationales that draws choose among, by the seed's remainder.
        named: what a rationale may name next, by its beginning and the text.
        asked: the methods called, and on how many inputs.
    """

    direct: Mapping[str, Chances]
    behind: Mapping[str, Chances]
    greedy: Mapping[str, str]
    drawn: Sequence[str] = ()
    named: Mapping[str, Chances] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=lambda: {"concludes": True})
    asked: list[tuple[str, int]] = field(default_factory=list)
    seeds: list[int] = field(default_factory=list)

    def _tables(self, inputs: Sequence[str], told: Sequence[str] | None) -> list[Chances]:
        if told is None:
            assert self.metadata.get("order") != "rationale-label"
            return [self.direct[text] for text in inputs]
        assert len(told) == len(inputs)
        return [self.behind[text] for text in told]

    def score_choices(
        self,
        inputs: Sequence[str],
        choices: Sequence[Sequence[str]],
        rationales: Sequence[str] | None = None,
    ) -> list[list[float]]:
        self.asked.append(("score" if rationales is None else "score behind", len(inputs)))
        tables = self._tables(inputs, rationales)
        return [
            [math.log(table.get(name) or 1e-9) for name in row]
            for table, row in zip(tables, choices, strict=True)
        ]

    def score_mentions(
        self, inputs: Sequence[str], begun: Sequence[str], texts: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        self.asked.append(("score mentions", len(inputs)))
        assert len(inputs) == len(begun)
        return [
            [math.log(self.named[start].get(text) or 1e-9) for text in row]
            for start, row in zip(begun, texts, strict=True)
        ]

    def generate_labels(
        self, inputs: Sequence[str], rationales: Sequence[str] | None = None
    ) -> list[Generation]:
        self.asked.append(("decode" if rationales is None else "decode behind", len(inputs)))
        best = [
            max(table.items(), key=lambda item: item[1])
            for table in self._tables(inputs, rationales)
        ]
        return [Generation(label, math.log(p), label.endswith("…"), 2) for label, p in best]

    def generate_rationales(
        self, inputs: Sequence[str], labels: Sequence[str] | None = None
    ) -> list[Generation]:
        self.asked.append(("explain", len(inputs)))
        return [Generation(self.greedy[text], -1.0, False, 10) for text in inputs]

    def sample_rationales(
        self, inputs: Sequence[str], seeds: Sequence[int], temperature: float = 0.7
    ) -> list[Generation]:
        self.asked.append(("sample", len(inputs)))
        self.seeds += seeds
        return [Generation(self.drawn[seed % len(self.drawn)], -1.0, False, 7) for seed in seeds]


def closed(name: str, gold: str = "sea", **more: Any) -> dict[str, Any]:
    record = {"id": name, "input": name, "label": gold, "choices": ["sea", "tree"]}
    return {**record, "task": "choice", **more}


def equation(name: str, gold: str, **more: Any) -> dict[str, Any]:
    return {"id": name, "input": name, "label": gold, "task": "equation", **more}
