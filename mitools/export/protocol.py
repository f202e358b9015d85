"""What each export target does."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mitools.export.options import ExportOptions
from mitools.student.layout import Purpose
from mitools.student.local import LocalStudent

__all__ = ["Exported", "Exporter", "Reply"]


@dataclass(frozen=True)
class Reply:
    """One text of an exported model, decoded greedily.

    Attributes:
        text: the text, outer white space stripped.
        log_prob: natural log of the probability of its tokens.
        counts_end: whether that is with the end token.
        tokens: number of tokens, the end token included where it is counted.
    """

    text: str
    log_prob: float
    counts_end: bool
    tokens: int


class Exported(Protocol):
    """An exported model, opened in its own runtime.

    Attributes:
        token_error: largest error of a token's log-probability by the runtime's own arithmetic.
    """

    token_error: float

    def answer(self, texts: Sequence[str], purpose: Purpose) -> list[Reply]:
        """Decode one text per input, greedily."""


class Exporter(Protocol):
    """Converts students for one runtime.

    Attributes:
        title: name of the runtime.
    """

    title: str

    def require(self, options: ExportOptions, student: LocalStudent) -> None:
        """Check that converter and runtime are installed and know the student's architecture.

        Raises:
            MissingExtraError: a package or program is missing; the hint says how to install it.
            StudentError: the runtime cannot run such a student.
        """

    def convert(self, folder: Path, out: Path, options: ExportOptions) -> None:
        """Convert the student in a folder.

        Args:
            folder: the student as :func:`mitools.student.save_student` writes it.
            out: an existing folder for the files.
            options: of the export.

        Raises:
            StudentError: the converter failed.
        """

    def open(self, out: Path, student: LocalStudent) -> AbstractContextManager[Exported]:
        """Open what was converted in its own runtime.

        Args:
            out: the folder that :meth:`convert` filled.
            student: the student that was converted; its tokenizer and limits are used.
        """

    def usage(self, student: LocalStudent, purpose: Purpose) -> str:
        """Give the lines of the model card that say how to run it.

        Args:
            student: the student that was converted.
            purpose: the task that the lines ask for, the first that the export was compared on.
        """
