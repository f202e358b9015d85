"""The identity of a student: the hash of its files, and its name."""

from __future__ import annotations

import hashlib
from pathlib import Path

from mitools.errors import StudentError
from mitools.operating.point import POINT_NAME

__all__ = ["hash_student", "name_student"]

_WEIGHTS = (".safetensors", ".bin", ".gguf", ".model", ".txt", ".json", ".jinja")
_NOT_THE_MODEL = (
    *("mitools.json", "training_args.bin", "trainer_state.json"),
    POINT_NAME,  # chosen for the model, and may be chosen again
)


def hash_student(folder: Path) -> str:
    """Hash the weights, configuration and tokenizer of a student: BLAKE2b, 64 hexadecimal digits.

    Files about the training run are left out: the same model always has the same hash.

    Raises:
        StudentError: a file cannot be read.
    """
    digest = hashlib.blake2b(digest_size=32)
    try:
        for path in sorted(folder.iterdir()):
            if path.suffix in _WEIGHTS and path.name not in _NOT_THE_MODEL and path.is_file():
                with path.open("rb") as stream:
                    content = hashlib.file_digest(stream, lambda: hashlib.blake2b(digest_size=32))
                digest.update(f"{path.name}\0{content.hexdigest()}\n".encode())
    except OSError as exc:
        raise StudentError(f"cannot read {exc.filename}: {exc.strerror}") from exc
    return digest.hexdigest()


def name_student(folder: Path, digest: str) -> str:
    """Name a student: the name of its folder and the start of its hash."""
    return f"{folder.resolve().name}@{digest[:12]}"
