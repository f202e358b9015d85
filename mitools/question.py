"""What makes two records the same question: input, gold label, choices and task.

An id alone does not: files of different data sets number their records alike.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any

from mitools.records import Record
from mitools.tasks import task_of

__all__ = ["question_digest"]


def question_digest(record: Record, task: str | None = None) -> bytes:
    """Hash what a student is asked, and how its answer is judged: 16 bytes.

    Equal for equal questions, also in another process. A task that is not named counts as the one
    that the record has by default.

    Args:
        record: any record.
        task: replaces the record's task.

    Raises:
        UsageError: there is no such task.
    """
    asked: list[Any] = [record.get("input"), record.get("label"), record.get("choices") or None]
    text = json.dumps([*asked, task_of(record, task).name])
    return hashlib.blake2b(text.encode(), digest_size=16).digest()
