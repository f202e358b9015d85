"""Answer with the label that a student's rationales name.

Needs no second reading by the student: its words are read as those of a teacher
(:meth:`mitools.tasks.Task.supported`). Of several rationales the label that most of them name is
taken.

Source: Wang et al., "Self-Consistency Improves Chain of Thought Reasoning in Language Models",
arXiv:2203.11171.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from mitools.records import Record
from mitools.rounding import rounded
from mitools.tasks import task_of

__all__ = ["named_answer"]


def named_answer(
    record: Record,
    rationales: Sequence[str],
    own: Mapping[str, Any],
    task: str | None = None,
) -> dict[str, Any]:
    """Answer a record with the label that most of its rationales name.

    Equal votes are decided by the student's own label if it is among them, else by the order of
    the rationales. The confidence is (v + 1) / (n + N) among N choices, where v of the n
    rationales that name an answer name this one: one vote is added to each choice, so that a
    single rationale is not certain. Without choices it is v / (n + 1), with one vote for an answer
    that was not named.

    Args:
        record: its task and choices are used.
        rationales: K texts by the student.
        own: the student's own answer, which is given where no rationale names one.
        task: the task to read by, in place of the record's.

    Returns:
        The fields of an answer, and ``votes``: v, 0 for the student's own answer.
    """
    read, choices = task_of(record, task), record.get("choices") or None
    found = [read.supported(text, choices) for text in rationales]
    labels = [label for label in found if label is not None]
    if not labels:
        return {**own, "votes": 0}
    mine = own.get("label")
    named = [*filter(lambda label: read.is_equal(label, mine), labels), *labels]
    votes = {label: sum(read.is_equal(label, one) for one in labels) for label in named}
    best = max(votes, key=votes.__getitem__)  # the first of equal ones
    answer: dict[str, Any] = {"label": best}
    if choices:
        names = list(dict.fromkeys(choices))
        total = len(labels) + len(names)
        shares = {
            name: (1 + sum(read.is_equal(name, one) for one in labels)) / total for name in names
        }
        confidence = (1 + votes[best]) / total
        answer |= {"confidence": confidence, "choices": shares}
    else:
        confidence = votes[best] / (len(labels) + 1)
        answer |= {"confidence": confidence, "label_truncated": False}
    answer["log_prob"] = math.log(confidence)
    return {**dict(rounded(answer)), "votes": votes[best]}
