"""Opening an encoder that compares rationales."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mitools.asking.identity import hash_student

if TYPE_CHECKING:
    from mitools.evaluate.measures.text import Similarity

__all__ = ["open_similarity"]


def open_similarity(spec: str, device: str | None = None) -> Similarity:
    """Load a sentence encoder that compares rationales with their references by meaning.

    Args:
        spec: a folder, or ``package:NAME`` for the encoder in an installed package.
        device: a torch device; by default the GPU if available.

    Raises:
        SourceError: the encoder cannot be used.
        MissingExtraError: the package is not installed.
    """
    from mitools.student.sentence_encoder import SentenceEncoder

    encoder = SentenceEncoder(spec, device)
    encoder.name = f"{Path(spec).name}@{hash_student(encoder.folder)[:12]}"
    return encoder
