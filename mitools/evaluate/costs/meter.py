"""Time a student, count the tokens that it decodes, and read how much memory was used."""

from __future__ import annotations

import contextlib
import resource
import sys
import time
from array import array
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mitools.asking.predict import cut_inputs
from mitools.student.protocol import SAMPLING_TEMPERATURE, Generation, Student

__all__ = ["Meter", "Metered", "peak_memory"]


@dataclass
class Meter:
    """Times batches: a record waits for the whole batch that it is in.

    Attributes:
        waits: of each record, seconds from the start of its batch to its end.
        sizes: the number of records in the largest batch.
        seconds: time spent on all batches.
        tokens: tokens decoded, end tokens included.
        clock: tells the time in seconds.
    """

    waits: array[float] = field(default_factory=lambda: array("d"))
    largest: int = 0
    seconds: float = 0.0
    tokens: int = 0
    clock: Callable[[], float] = time.perf_counter
    _is_on: bool = False

    @property
    def records(self) -> int:
        return len(self.waits)

    @contextlib.contextmanager
    def batch(self, size: int) -> Iterator[None]:
        """Time a batch of so many records, and count its tokens."""
        began, self._is_on = self.clock(), True
        try:
            yield
        finally:
            self._is_on = False
        spent = self.clock() - began
        self.waits.extend([spent] * size)
        self.largest = max(self.largest, size)
        self.seconds += spent

    def count(self, generations: Sequence[Generation]) -> Sequence[Generation]:
        """Count the tokens of decoded texts, inside a batch; return them."""
        if self._is_on:
            self.tokens += sum(one.tokens for one in generations)
        return generations


class Metered:
    """A student whose decoded tokens are counted; it answers as the student itself."""

    def __init__(self, student: Student, meter: Meter) -> None:
        self._student = student
        self._meter = meter

    @property
    def metadata(self) -> Mapping[str, Any]:
        return self._student.metadata

    def are_cut(self, inputs: Sequence[str]) -> Sequence[bool | None]:
        """Return for each input whether the student cuts it; None where it does not tell."""
        return cut_inputs(self._student, inputs)

    def score_choices(
        self,
        inputs: Sequence[str],
        choices: Sequence[Sequence[str]],
        rationales: Sequence[str] | None = None,
    ) -> list[list[float]]:
        return self._student.score_choices(inputs, choices, *_given(rationales))

    def score_mentions(
        self, inputs: Sequence[str], begun: Sequence[str], texts: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        return self._student.score_mentions(inputs, begun, texts)

    def generate_labels(
        self, inputs: Sequence[str], rationales: Sequence[str] | None = None
    ) -> list[Generation]:
        found = self._student.generate_labels(inputs, *_given(rationales))
        return [*self._meter.count(found)]

    def generate_rationales(
        self, inputs: Sequence[str], labels: Sequence[str] | None = None
    ) -> list[Generation]:
        found = self._student.generate_rationales(inputs, *_given(labels))
        return [*self._meter.count(found)]

    def sample_rationales(
        self,
        inputs: Sequence[str],
        seeds: Sequence[int],
        temperature: float = SAMPLING_TEMPERATURE,
    ) -> list[Generation]:
        found = self._student.sample_rationales(inputs, seeds, temperature)
        return [*self._meter.count(found)]


def _given(texts: Sequence[str] | None) -> tuple[Sequence[str]] | tuple[()]:
    """Return the texts as arguments; a student of one reading takes none."""
    return () if texts is None else (texts,)


def peak_memory(student: Student) -> tuple[float, str]:
    """Read the most memory used so far, in MiB, and what it was measured on.

    On a GPU, of its memory; else of the process, the libraries and the records included.
    """
    device = getattr(student, "device", None)
    if getattr(device, "type", None) == "cuda":
        import torch

        return torch.cuda.max_memory_allocated(device) / 2**20, "GPU, tensors"
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, "process, resident"
