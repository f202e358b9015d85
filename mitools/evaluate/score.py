"""The verdicts on one record: a pure function of its gold label, its answer and its task."""

from __future__ import annotations

from typing import Any

from mitools.evaluate.measures.consistency import supports_whose
from mitools.evaluate.measures.steps import find_steps
from mitools.evaluate.measures.surface import mentions
from mitools.records import Record
from mitools.tasks import Task

__all__ = ["VERDICTS", "scored", "verdict"]

VERDICTS = (
    "correct",
    "exact",
    "valid",
    "decode_agrees",
    "supported",
    "supports",
    "consistent",
    "mentions_label",
    "steps",
    "steps_right",
)
"""The names that :func:`verdict` writes into ``scores``; other names there are kept."""


def verdict(record: Record, task: Task) -> dict[str, Any]:
    """Judge the student's answer.

    ``correct`` and ``exact`` are null without gold, and where gold is not a possible answer of the
    task, such as a whole solution in place of its result. Verdicts on the rationale need one; an
    empty rationale counts. ``decode_agrees`` needs a label decoded beside the scored choices.
    """
    student, gold, choices = record["student"], record.get("label"), record.get("choices")
    label = student.get("label")
    known = gold is not None and task.is_valid(gold)
    scores: dict[str, Any] = {
        "correct": task.is_equal(label, gold) if known else None,
        "exact": label is not None and label.strip() == str(gold).strip() if known else None,
        "valid": task.is_valid(label, choices or None),
    }
    if student.get("decoded") is not None:
        scores["decode_agrees"] = task.is_equal(student["decoded"], label)
    if student.get("rationale") is not None:
        scores.update(_on_rationale(student["rationale"], record, task))
    return scores


def _on_rationale(rationale: str, record: Record, task: Task) -> dict[str, Any]:
    label, choices = record["student"].get("label"), record.get("choices") or None
    supported = task.supported(rationale, choices)
    whose = supports_whose(supported, label, record.get("label"), task.is_equal)
    steps = [step.is_right for step in find_steps(rationale)]
    return {
        "supported": supported,
        "supports": whose,
        "consistent": None if supported is None else whose == "student",
        "mentions_label": mentions(rationale, label),
        "steps": len(steps),
        "steps_right": sum(steps),
    }


def scored(record: Record, task: Task) -> Record:
    """Return the record with new verdicts in ``scores``; other scores are kept."""
    kept = {
        name: value for name, value in (record.get("scores") or {}).items() if name not in VERDICTS
    }
    return {**record, "scores": {**kept, **verdict(record, task)}}
