"""What ``mitools eval`` does when all records have passed: probes, and a judge."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mitools.cli._stage import Stage

if TYPE_CHECKING:
    from mitools.evaluate.run import Evaluation
    from mitools.student.api import Student
    from mitools.student.probe import Instrument

__all__ = ["probe"]


def probe(stage: Stage, run: Evaluation, summary: dict[str, Any], seed: int) -> None:
    """Run the probes that were asked for, and put what they found into a summary."""
    if not run.settings.probes:
        return
    with stage.console.progress("probing") as update:
        found = run.probe(seed, _instrument, lambda count: update(count, ""))
    if editing := found.pop("editing", None):
        summary["association"]["rationale_editing"] = editing
    summary["probes"] |= found


def _instrument(student: Student) -> Instrument | None:
    from mitools.student.local import LocalStudent
    from mitools.student.probe import Instrument

    return Instrument(student) if isinstance(student, LocalStudent) else None
