"""The origin of a summary: software, student and decoding.

Opens no model and reads no record.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from mitools.asking.predict import OpenedStudent
from mitools.evaluate.measures.metric import as_json

__all__ = ["describe_run", "software", "with_provenance"]

_PACKAGES = ("mitools", "torch", "transformers", "numpy", "sacrebleu", "scikit-learn", "scipy")


def software() -> dict[str, str | None]:
    """Return the versions that can change a figure; None where a package is absent."""
    versions: dict[str, str | None] = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            versions[package] = None
    return versions


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
