"""The folder to save to: whether it is free, or may be replaced."""

from __future__ import annotations

from pathlib import Path

from mitools.errors import OutputError
from mitools.student.metadata import is_student
from mitools.train.options import TrainOptions
from mitools.train.work_folder.workspace import check_work_folder

__all__ = ["check_destination", "is_replaceable"]


def check_destination(options: TrainOptions) -> None:
    """Refuse a taken folder, or a taken work folder beside it, before a record is read.

    Raises:
        OutputError: it is taken, and the options neither resume nor replace what is there.
    """
    save = options.save
    if save.exists():
        if not (options.overwrite or options.resume):
            hint = 'choose another --save, or add "--overwrite"'
            if is_student(save):
                hint += ' to train again, or "--resume" to keep it'
            raise OutputError(f"{save} already exists", hint=hint)
        if not is_replaceable(save):
            message = f"{save} is not a student, so it is not replaced"
            raise OutputError(message, hint="choose another --save")
    check_work_folder(options.work, may_continue=options.resume, may_replace=options.overwrite)


def is_replaceable(folder: Path) -> bool:
    """Tell whether a folder is empty or a student, so that overwriting it loses nothing else."""
    return folder.is_dir() and (is_student(folder) or not any(folder.iterdir()))
