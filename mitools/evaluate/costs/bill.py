"""Add up what a teacher took: tokens by the counts in ``teacher.usage``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from mitools.annotate.options import Price
from mitools.gold import teacher_answer
from mitools.records import Record

__all__ = ["Bill"]


@dataclass
class Bill:
    """The tokens of the answers of a teacher; those of all samples of a record are one answer.

    Attributes:
        asked: records that a teacher was asked about.
        counted: those of them whose tokens are known.
        prompt: tokens read.
        completion: tokens written.
    """

    asked: int = 0
    counted: int = 0
    prompt: int = 0
    completion: int = 0

    def watch(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield the records, and add each to the bill."""
        for record in records:
            self.add(record)
            yield record

    def add(self, record: Record) -> None:
        """Add the tokens of a record's teacher, where there is one."""
        teacher = teacher_answer(record)
        if not teacher:
            return
        self.asked += 1
        usage = teacher.get("usage") or {}
        counts = [usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
        prompt, completion = (n if type(n) is int and n >= 0 else None for n in counts)
        if prompt is not None and completion is not None:
            self.counted += 1
            self.prompt += prompt
            self.completion += completion

    def per_record(self, price: Price) -> float:
        """Compute the mean price of an answer, in USD; at least one must be counted."""
        return price.cost(self.prompt, self.completion) / self.counted

    def total(self, price: Price) -> float:
        """Compute the price of all answers, in USD; those without counts at the mean of others."""
        return self.per_record(price) * self.asked
