"""Saved students that exporters convert."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitools.student import save_student
from mitools.student.base.open_base import open_checkpoint
from mitools.student.codec import Codec


@pytest.fixture(scope="session")
def students(
    tmp_path_factory: pytest.TempPathFactory, tiny_causal: Path, tiny_seq2seq: Path
) -> dict[str, Path]:
    """A student of each kind, with random weights."""
    folder, found = tmp_path_factory.mktemp("students"), {}
    for place in (tiny_causal, tiny_seq2seq):
        base = open_checkpoint(str(place), "it")
        save_student(folder / base.kind, base.model, Codec(base.tokenizer, base.kind, 64, 8, 8), {})
        found[str(base.kind)] = folder / base.kind
    return found
