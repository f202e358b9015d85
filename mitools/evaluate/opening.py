"""Opening what an evaluation asks: a trained student, and an encoder that compares rationales."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mitools.evaluate.predict import Opened
from mitools.evaluate.provenance import hash_student, name_student

if TYPE_CHECKING:
    from mitools.evaluate.measures.text import Similarity

__all__ = ["open_similarity", "open_student"]


def open_student(
    folder: Path, device: str | None = None, tokens_per_batch: int | None = None
) -> Opened:
    """Load a student that ``mitools train`` saved, with its name and the hash of its weights.

    Args:
        device: a torch device; by default the GPU where there is one.
        tokens_per_batch: at most so many tokens are in the model at once; by default by device.

    Raises:
        StudentError: the folder holds no usable student.
    """
    from mitools.student import load_student

    student = load_student(folder, device, tokens_per_batch=tokens_per_batch)
    digest = hash_student(folder)
    return Opened(student, name_student(folder, digest), digest)


def open_similarity(spec: str, device: str | None = None) -> Similarity:
    """Load a sentence encoder that compares rationales with their references by meaning.

    Args:
        spec: a folder, or ``package:NAME`` for the encoder in an installed package.
        device: a torch device; by default the GPU where there is one.

    Raises:
        SourceError: there is no usable encoder.
        MissingExtraError: the package is not installed.
    """
    from mitools.student.sentence_encoder import SentenceEncoder

    encoder = SentenceEncoder(spec, device)
    encoder.name = f"{Path(spec).name}@{hash_student(encoder.folder)[:12]}"
    return encoder
