"""A student that adds, sure of some sums only, and a server that stands for the teacher."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from mitools.asking.predict import OpenedStudent
from mitools.cascade.ask_student import Asking, AskingStudent
from mitools.operating.point import OperatingPoint
from mitools.records import Record
from mitools.student.protocol import Generation
from tests.annotate.conftest import _own_environment, server, sums

__all__ = ["_own_environment", "server", "sums"]

SURE, UNSURE = 0.95, 0.4


def first_number(text: str) -> int:
    found = re.search(r"\d+", text)
    assert found is not None
    return int(found[0])


@dataclass
class AddingStudent:
    """Adds 7 to the number of a problem; it is sure of even numbers only, and cannot add to 500.

    Attributes:
        confidence: of its label, by the number.
        asked: what it was asked for: the task, and the numbers.
    """

    metadata: dict[str, Any] = field(default_factory=dict)
    confidence: Callable[[int], float] = lambda number: UNSURE if number % 2 else SURE
    asked: list[tuple[str, list[int]]] = field(default_factory=list)

    def generate_labels(self, inputs: Sequence[str]) -> list[Generation]:
        numbers = [first_number(text) for text in inputs]
        self.asked.append(("label", numbers))
        return [
            Generation(
                str(number + 7) if number < 500 else "many",
                math.log(self.confidence(number)),
                False,
                2,
            )
            for number in numbers
        ]

    def generate_rationales(self, inputs: Sequence[str]) -> list[Generation]:
        numbers = [first_number(text) for text in inputs]
        self.asked.append(("rationale", numbers))
        return [Generation(f"{n} + 7 = {n + 7}.", -1.0, False, 9) for n in numbers]

    def score_choices(
        self, inputs: Sequence[str], choices: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        raise AssertionError("no record has choices")


@dataclass
class SortingStudent:
    """Learned two labels: it is sure of one by its score, and unsure where it decodes one."""

    metadata: dict[str, Any] = field(
        default_factory=lambda: {"task": "labels", "labels": ["billing", "login"]}
    )

    def generate_labels(self, inputs: Sequence[str]) -> list[Generation]:
        return [Generation("billing", math.log(UNSURE), False, 2) for _ in inputs]

    def generate_rationales(self, inputs: Sequence[str]) -> list[Generation]:
        return [Generation("It is about money.", -1.0, False, 5) for _ in inputs]

    def score_choices(
        self, inputs: Sequence[str], choices: Sequence[Sequence[str]]
    ) -> list[list[float]]:
        return [[0.0 if name == "billing" else -3.0 for name in names] for names in choices]


@pytest.fixture
def adding() -> AddingStudent:
    return AddingStudent()


@pytest.fixture
def asking(adding: AddingStudent) -> AskingStudent:
    """The student, sure at 0.9."""
    return AskingStudent(OpenedStudent(adding, "adder@1", "d1"), Asking(threshold=0.9))


@pytest.fixture
def folder(tmp_path: Path, adding: AddingStudent, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the adding student, with an operating point."""

    def open_adding(folder: Path, *_: Any) -> OpenedStudent:
        return OpenedStudent(adding, "adder@1", "d1", folder)

    monkeypatch.setattr("mitools.cascade.ask_student.open_student", open_adding)
    path = tmp_path / "adder"
    path.mkdir()
    point = OperatingPoint(
        target=0.9,
        risk=0.05,
        threshold=0.9,
        task="equation",
        records=200,
        answered=150,
        right=148,
        student="d1",
    )
    point.save(path)
    return path


def by(records: Sequence[Record]) -> str:
    """Give one letter for each record: student, teacher, - where not said, . without an answer."""
    return "".join(
        record.get("teacher", {}).get("by", "-")[0] if record.get("teacher") else "."
        for record in records
    )
