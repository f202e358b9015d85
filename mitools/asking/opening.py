"""Opening a trained student."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mitools.asking.identity import hash_student, name_student
from mitools.asking.predict import OpenedStudent

if TYPE_CHECKING:
    from mitools.student.layout import AnswerPrecision
    from mitools.student.protocol import Student

__all__ = ["open_later", "open_student"]


def open_later(
    student: str | os.PathLike[str] | Student,
    device: str | None = None,
    tokens_per_batch: int | None = None,
    precision: AnswerPrecision = "fp32",
) -> Callable[[], OpenedStudent]:
    """Return what opens a student when it is first needed, and only once.

    Args:
        student: the folder of a trained student, or one that is open already.
        device: as for :func:`open_student`; it is checked now.
        tokens_per_batch: as for :func:`open_student`.
        precision: as for :func:`open_student`; of a folder, not of a student that is open.

    Raises:
        UsageError: there is no such device.
    """
    if not isinstance(student, str | os.PathLike):
        name = str(getattr(student, "name", type(student).__name__))
        opened = OpenedStudent(student, name, None)
        return lambda: opened
    if device is not None:
        from mitools.student.devices import choose_device

        choose_device(device)
    folder = Path(student)
    return functools.cache(lambda: open_student(folder, device, tokens_per_batch, precision))


def open_student(
    folder: Path,
    device: str | None = None,
    tokens_per_batch: int | None = None,
    precision: AnswerPrecision = "fp32",
) -> OpenedStudent:
    """Load a student that ``mitools train`` saved, with its name and the hash of its weights.

    Args:
        folder: of the student.
        device: a torch device; by default the GPU if available.
        tokens_per_batch: the most tokens that the model reads at once; by default by device.
        precision: see :func:`mitools.student.folder.load_student`.

    Raises:
        StudentError: the folder holds no usable student.
    """
    from mitools.student import load_student

    student = load_student(folder, device, tokens_per_batch=tokens_per_batch, precision=precision)
    digest = hash_student(folder)
    return OpenedStudent(student, name_student(folder, digest), digest, folder)
