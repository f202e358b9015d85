"""Students made of two functions, and the records that they answered, ready to be probed."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mitools.evaluate.probes.subject import Subject
from mitools.records import Record
from mitools.student.protocol import Generation

Say = Callable[[str], str]


@dataclass
class Talker:
    """A student that says what its functions say of an input; notes what it was asked.

    Choices are scored by whether they are what ``label`` says. ``after`` makes the label of input
    and rationale, for one that decodes it behind the rationale, and ``concludes`` says that it has
    both readings.
    """

    label: Say
    rationale: Say = lambda _text: "for some reason"
    after: Callable[[str, str], str] | None = None
    disturb: float = 0.0
    concludes: bool = False
    asked: list[tuple[str, tuple[str, ...]]] = field(default_factory=list)

    @property
    def metadata(self) -> dict[str, Any]:
        if self.concludes:
            return {"order": "separate", "concludes": True}
        return {"order": "separate" if self.after is None else "rationale-label"}

    def _labels(self, inputs: Sequence[str], told: Sequence[str] | None) -> list[str]:
        self.asked.append(("labels", tuple(inputs)))
        if self.after is None or (self.concludes and told is None):
            assert told is None
            return [self.label(text) for text in inputs]
        told = [self.rationale(text) for text in inputs] if told is None else told
        return [self.after(*pair) for pair in zip(inputs, told, strict=True)]

    def score_choices(
        self,
        inputs: Sequence[str],
        choices: Sequence[Sequence[str]],
        rationales: Sequence[str] | None = None,
    ) -> list[list[float]]:
        labels = self._labels(inputs, rationales)
        return [
            [math.log(0.5 if name == label else 0.1) for name in row]
            for label, row in zip(labels, choices, strict=True)
        ]

    def generate_labels(
        self, inputs: Sequence[str], rationales: Sequence[str] | None = None
    ) -> list[Generation]:
        return [Generation(one, -0.5, False, 3) for one in self._labels(inputs, rationales)]

    def generate_rationales(
        self, inputs: Sequence[str], labels: Sequence[str] | None = None
    ) -> list[Generation]:
        assert labels is None
        self.asked.append(("rationales", tuple(inputs)))
        return [Generation(self.rationale(text), -0.5, False, 3) for text in inputs]


@dataclass
class Noisy:
    """An instrument whose noise is a number that a :class:`Talker` may look at."""

    student: Talker
    inputs: list[tuple[str, ...]] = field(default_factory=list)

    @contextmanager
    def noise(self, inputs: Sequence[str], sigma: float, seed: int) -> Iterator[None]:
        self.inputs.append(tuple(inputs))
        self.student.disturb = sigma
        yield
        self.student.disturb = 0.0


def subject(
    student: Any, records: Iterable[Record], instrument: Any = None, **options: Any
) -> Subject:
    """Let the student answer, then lay it on the table."""
    asked = Subject(student, instrument, [], **options)
    return Subject(student, instrument, asked.answer([*records]), **options)


def choice(number: int, gold: str = "sea", **more: Any) -> Record:
    record = {"id": str(number), "input": f"Where do the {number} fish live?", "label": gold}
    return {**record, "choices": ["sea", "tree", "box"], "task": "choice", **more}
