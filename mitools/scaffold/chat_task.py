"""The task of a chat log, from the labels that its answers state."""

from __future__ import annotations

from typing import NamedTuple

from mitools.errors import UsageError
from mitools.scaffold.column import Column
from mitools.sources.answers import shortened
from mitools.tasks import normalize

__all__ = ["ChatTask", "chat_task"]

_MOST_SHOWN = 4


class ChatTask(NamedTuple):
    """How the labels of a chat log are compared.

    Attributes:
        task: the name of the task.
        labels: the set of labels of the task ``labels``.
        reason: why, in a few words.
    """

    task: str
    labels: tuple[str, ...]
    reason: str


def chat_task(answers: Column, task: str | None, labels: tuple[str, ...]) -> ChatTask:
    """Decide how labels are compared.

    Args:
        answers: labels of the first answers, read as texts.
        task: the task that a person gave.
        labels: the set of labels that a person gave.

    Raises:
        UsageError: the task is ``labels``, and the answers do not show the set.
    """
    if task is not None:
        found = ChatTask(task, labels, "as given")
    elif labels:
        found = ChatTask("labels", labels, "the set of labels is given")
    elif answers.are_numbers:
        found = ChatTask("equation", (), "the answers state numbers or expressions")
    elif answers.are_labels:
        names = _names_of(answers)
        shown = ", ".join(shortened(name, 24) for name in names[:_MOST_SHOWN])
        more = ", …" if len(names) > _MOST_SHOWN else ""
        found = ChatTask("labels", names, f"the answers state {len(names)} labels: {shown}{more}")
    else:
        found = ChatTask("text", (), "the answers state free texts, or none")
    if found.task == "labels" and not found.labels:
        names = _names_of(answers) if answers.are_labels else ()
        if not names:
            message = "the set of labels cannot be read from the answers"
            raise UsageError(message, hint="name it: --labels A,B,C")
        found = found._replace(labels=names)
    return found


def _names_of(answers: Column) -> tuple[str, ...]:
    """List the labels; of spellings of one label, the most frequent."""
    names: dict[str, str] = {}
    for label, _ in answers.values.most_common():
        names.setdefault(normalize(label), label)
    return tuple(sorted(names.values()))
