"""Saved students that exporters convert."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from mitools.records import student_text
from mitools.student import load_student, save_student
from mitools.student.base.open_base import open_checkpoint
from mitools.student.codec import Codec
from tests.toys import toy_records


@pytest.fixture(scope="session")
def students(
    tmp_path_factory: pytest.TempPathFactory, tiny_causal: Path, tiny_seq2seq: Path
) -> dict[str, Path]:
    """A student of each kind, with random weights, which is sure of what it says."""
    folder, found = tmp_path_factory.mktemp("students"), {}
    for place in (tiny_causal, tiny_seq2seq):
        base = open_checkpoint(str(place), "it")
        make_sure(base.model)
        save_student(folder / base.kind, base.model, Codec(base.tokenizer, base.kind, 64, 8, 8), {})
        assert is_sure(folder / base.kind)
        found[str(base.kind)] = folder / base.kind
    return found


def make_sure(model: Any, factor: float = 20.0) -> None:
    """Sharpen the distributions of random weights, where every text has a probability near 0.

    Two such probabilities are equal to many digits, whatever the runtime computed.
    """
    decoder = model.get_decoder()
    (
        decoder.final_layer_norm if hasattr(decoder, "final_layer_norm") else decoder.norm
    ).weight.data.mul_(factor)


def is_sure(folder: Path) -> bool:
    """Tell whether a student's answers have probabilities that can differ."""
    texts = [student_text(record) for record in toy_records()]
    found = load_student(folder, "cpu").generate_labels(texts)
    return sum(math.exp(one.log_prob) > 0.05 for one in found) > 6
