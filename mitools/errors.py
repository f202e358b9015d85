"""The exceptions that mitools raises, and the exit status of each.

    MitoolsError                  1   the data or the run failed
    ├── DataError                     a line is not a valid record for the stage
    │   ├── MalformedLineError        a line is not a JSON object
    │   ├── MissingFieldError         a needed field is absent
    │   ├── InvalidFieldError         a field has the wrong type or value
    │   └── EmptyInputError           the input has no records
    ├── SourceError                   a data set or file cannot be opened
    ├── OutputError                   a file or stream cannot be written
    ├── RecipeError               2   a recipe is unknown, or has a key that is not an option
    ├── UsageError                2   options that exclude or need each other
    ├── TeacherError                  the teacher cannot be reached or used
    │   ├── BudgetError           4   the next request could exceed the budget
    │   └── TeacherRefusedError   5   key, quota or permission: retrying is useless
    ├── StudentError                  a student cannot be built, loaded or run
    ├── TrainingError                 training cannot start or continue
    └── MissingExtraError             an optional package is not installed

Exceptions of one run stand with it: ``StoppedError`` in ``annotate.run``, ``Interrupted`` in
``train.training_run``. Each exception is raised ``from`` its cause. The message
says what is wrong, ``hint`` what to type next, and ``where`` in which file and line.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = [
    "INTERRUPTED",
    "BudgetError",
    "DataError",
    "EmptyInputError",
    "InvalidFieldError",
    "MalformedLineError",
    "MissingExtraError",
    "MissingFieldError",
    "MitoolsError",
    "OutputError",
    "RecipeError",
    "SourceError",
    "StudentError",
    "TeacherError",
    "TeacherRefusedError",
    "TrainingError",
    "UsageError",
    "Where",
]

INTERRUPTED = 130
"""Exit status after ^C, as in shells: 128 and the number of the signal. Also after SIGTERM."""


class Where(NamedTuple):
    """A place in the input: a file (or ``<stdin>``) and a line, counted from 1."""

    # A tuple, because one is made for every line that is read, and tuples are fast to make.

    path: str
    line: int | None = None

    def __str__(self) -> str:
        return self.path if self.line is None else f"{self.path}:{self.line}"


class MitoolsError(Exception):
    """Base of every error that mitools raises on purpose.

    Attributes:
        where: the place in the input, if there is one.
        hint: what to type next, as an imperative without a full stop.
        exit_code: the status that the command line exits with.
    """

    exit_code = 1

    def __init__(self, message: str, *, where: Where | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        advice = f"; {self.hint}" if self.hint else ""
        return f"{place}{self.message}{advice}"


class DataError(MitoolsError):
    """A line is not a valid record for the stage."""


class MalformedLineError(DataError):
    """A line is not one JSON object in UTF-8."""


class MissingFieldError(DataError):
    """A field that the stage needs is absent or null."""


class InvalidFieldError(DataError):
    """A field has the wrong type or an impossible value."""


class EmptyInputError(DataError):
    """The input has no records; an empty result must not look like success."""


class SourceError(MitoolsError):
    """A data set or an input file cannot be found, opened or understood."""


class OutputError(MitoolsError):
    """A file or stream cannot be written (full disk, no permission, bad ending)."""


class RecipeError(MitoolsError):
    """A recipe or configuration file is unknown, or has a key that is not an option."""

    exit_code = 2


class UsageError(MitoolsError):
    """Options that exclude or need each other."""

    exit_code = 2


class TeacherError(MitoolsError):
    """The teacher cannot be reached, or its answers cannot be used."""


class TeacherRefusedError(TeacherError):
    """Key, quota or permission: every further request would fail in the same way."""

    exit_code = 5


class BudgetError(TeacherError):
    """The next request could cost more than the rest of the budget."""

    exit_code = 4


class StudentError(MitoolsError):
    """A student model cannot be built, loaded or run."""


class TrainingError(MitoolsError):
    """Training cannot start or continue."""


class MissingExtraError(MitoolsError):
    """An optional package is not installed; the hint is the exact ``pip install``."""
