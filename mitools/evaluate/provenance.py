"""Where a summary comes from: software, student and decoding.

Reads a student's folder to hash it; knows no model and no record.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mitools.errors import StudentError
from mitools.evaluate.predict import Opened

__all__ = ["describe_run", "hash_student", "name_student", "software"]

_PACKAGES = ("mitools", "torch", "transformers", "numpy", "sacrebleu", "scikit-learn", "scipy")
_WEIGHTS = (".safetensors", ".bin", ".gguf", ".model", ".txt", ".json", ".jinja")
_NOT_THE_MODEL = ("mitools.json", "training_args.bin", "trainer_state.json")


def software() -> dict[str, str | None]:
    """Name the versions that can change a figure; None where a package is absent."""
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return versions


def hash_student(folder: Path) -> str:
    """Hash the weights, configuration and tokenizer of a student: BLAKE2b, 64 hexadecimal digits.

    What training says about itself is left out: the same model has the same hash, whenever it was
    made.

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
    """Name a student for people and for good: its folder's name and the start of its hash."""
    return f"{folder.resolve().name}@{digest[:12]}"


def describe_run(opened: Opened, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Say which student answered, on what, and how it was asked."""
    student = opened.student
    device, dtype = getattr(student, "device", None), getattr(student, "dtype", None)
    return {
        "student": opened.name,
        "student_hash": opened.digest,
        "metadata": dict(student.metadata),
        "device": None if device is None else str(device),
        "dtype": None if dtype is None else str(dtype).removeprefix("torch."),
        "decoding": {
            "choices": "every choice scored, summed log-probability with the end token",
            "labels": "greedy",
            "rationales": "greedy",
        },
        "asked": dict(asked),
    }
