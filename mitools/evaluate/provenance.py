"""The origin of a summary: software, student and decoding.

Reads a student's folder to hash it; opens no model and reads no record.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from mitools.errors import StudentError
from mitools.evaluate.asking.predict import OpenedStudent
from mitools.evaluate.measures.metric import as_json

__all__ = ["describe_run", "hash_student", "name_student", "software", "with_provenance"]

_PACKAGES = ("mitools", "torch", "transformers", "numpy", "sacrebleu", "scikit-learn", "scipy")
_WEIGHTS = (".safetensors", ".bin", ".gguf", ".model", ".txt", ".json", ".jinja")
_NOT_THE_MODEL = ("mitools.json", "training_args.bin", "trainer_state.json")


def software() -> dict[str, str | None]:
    """Return the versions that can change a figure; None where a package is absent."""
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return versions


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


def describe_run(opened: OpenedStudent, asked: Mapping[str, Any]) -> dict[str, Any]:
    """Describe the student that answered, its device and dtype, and the options."""
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


def with_provenance(
    figures: Mapping[str, Any], opened: OpenedStudent | None, asked: Mapping[str, Any]
) -> dict[str, Any]:
    """Turn figures into the document that ``mitools eval --summary`` writes.

    Args:
        figures: of one run or of several, with :class:`~mitools.evaluate.measures.metric.Metric`
            objects in them.
        opened: the student that answered; None where the records held answers.
        asked: the options, as plain values.

    Returns:
        Plain JSON values, and the block ``provenance``.
    """
    described = describe_run(opened, asked) if opened else None
    return {**as_json(figures), "provenance": {"software": software(), "run": described}}
