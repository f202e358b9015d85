"""A record of a text that a person typed, for a student to answer."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mitools.errors import UsageError
from mitools.gold import label_set
from mitools.records import Record
from mitools.schema import TASKS

__all__ = ["text_record"]


def text_record(
    text: str, choices: str | None, task: str | None, metadata: Mapping[str, Any]
) -> Record:
    """Make a record of a text.

    Args:
        text: the input.
        choices: the possible answers, separated by commas; None leaves them to the student.
        task: the task that compares labels, instead of the student's.
        metadata: of the student that is asked.

    Raises:
        UsageError: ``choices`` names no answer; or the task needs a set of labels, and neither
            ``choices`` nor the student has it.
    """
    record: Record = {"id": "text", "input": text}
    trained = metadata.get("task")
    if choices is not None:
        named = dict.fromkeys(choice.strip() for choice in choices.split(","))
        record["choices"] = [choice for choice in named if choice]
        if not record["choices"]:
            raise UsageError("--choices names no answer", hint="separate them by commas: A,B")
        trained = trained if trained == "labels" else "choice"
    elif known := label_set(metadata):
        record["choices"] = known
    elif "labels" in (task, None if task else trained):
        message = "the student's folder does not list the labels it was trained on"
        raise UsageError(message, hint='name them: "--choices A,B,C"')
    return {**record, "task": trained} if trained in TASKS else record
