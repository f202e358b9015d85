"""Fold records into the figures of simulators: association, quality, consistency with a simulator.

Keeps the texts of a bounded sample of records. The simulators are imported when they are needed.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mitools.evaluate.measures.labels import rate
from mitools.evaluate.measures.metric import Metric, Status
from mitools.evaluate.measures.simulatability import (
    WITH_SIMULATOR,
    rationale_editing,
    unasked_editing,
    without_simulator,
)
from mitools.evaluate.sample import Sample, SampledRecord
from mitools.evaluate.simulators import PERMUTATIONS, SimulatorName
from mitools.evaluate.simulators.association import associate, rate_quality
from mitools.gold import teacher_answer
from mitools.records import Record
from mitools.student.protocol import can_conclude

__all__ = ["UNASKED", "UNTRAINED", "Simulated"]

_NOT_ASKED = 'no simulator was asked for ("--simulator local")'
UNTRAINED = "the student was trained to answer, not to explain"
UNASKED = "the student was not asked for rationales"
_NO_RATIONALES = "no record has both a rationale and a label by the student"


@dataclass
class Simulated:
    """Fold records that hold ``student`` and ``scores``.

    Attributes:
        simulator: ``local``, or ``none`` for no such figures.
        permutations: the most permutations of rationales for the chance baseline.
    """

    simulator: SimulatorName = "none"
    permutations: int = PERMUTATIONS
    _said: Sample[SampledRecord] = field(default_factory=Sample)
    _taught: Sample[SampledRecord] = field(default_factory=Sample)
    _explained: int = 0
    _untrained: int = 0
    _concluding: int = 0

    def add(self, record: Record) -> None:
        """Add a student's answer; one without a label or without a rationale is left out."""
        student = record["student"]
        label, rationale = student.get("label"), student.get("rationale")
        self._explained += rationale is not None
        self._untrained += rationale is None and bool(student.get("trained"))
        self._concluding += can_conclude(student)
        if self.simulator == "none" or label is None or rationale is None:
            return
        item = _item(record, rationale, label, record["scores"].get("supports", "none"))
        self._said.add(item)

    def add_taught(self, record: Record) -> None:
        """Add a training record with a teacher's rationale; only S_E is fitted on it."""
        teacher = teacher_answer(record)
        label, rationale = teacher.get("label"), teacher.get("rationale")
        if self.simulator != "none" and label and rationale:
            self._taught.add(_item(record, rationale, label, "none"))

    def sections(self, tasks: Counter[str], seed: int) -> dict[str, Any]:
        """Compute ``association`` and ``quality``, and describe the ``simulator``."""
        blocks, about = self._blocks(tasks, seed)
        if self._untrained and not self._explained:
            editing = rationale_editing(UNTRAINED)
        else:
            editing = unasked_editing() if self._concluding else rationale_editing()
        return {
            "association": {**blocks["association"], "rationale_editing": editing},
            "quality": blocks["quality"],
            "simulator": about,
        }

    def _blocks(
        self, tasks: Counter[str], seed: int
    ) -> tuple[dict[str, dict[str, Metric]], dict[str, Any] | None]:
        missing = self._why_not(tasks)
        if missing is not None:
            return without_simulator(*missing), None
        from mitools.evaluate.simulators.choose import FEWEST_ITEMS, simulate

        items, (task,) = self._said.items(), tasks
        if len(items) < FEWEST_ITEMS:
            few = f"a simulator wants {FEWEST_ITEMS} records with a rationale, not {len(items)}"
            return without_simulator("undefined", few), None
        simulation = simulate(items, task, seed)
        if isinstance(simulation, str):
            return without_simulator("undefined", simulation), None
        about = {
            "family": simulation.simulator.description,
            "records": len(simulation.items),
            "left_out": simulation.left_out,
            "sampled_from": self._said.seen,
            "permutations": self.permutations,
        }
        association = associate(simulation, seed, self.permutations)
        return {"association": association, "quality": rate_quality(simulation, seed)}, about

    def _why_not(self, tasks: Counter[str]) -> tuple[Status, str] | None:
        """Return status and reason where nothing can be measured."""
        if self.simulator == "none":
            return "skipped", _NOT_ASKED
        if len(tasks) > 1:
            return "not_applicable", "the records are of several tasks"
        if not self._explained:
            return ("not_applicable", UNTRAINED) if self._untrained else ("skipped", UNASKED)
        if not self._said.seen:
            return "undefined", _NO_RATIONALES
        if "text" in tasks:
            from mitools.evaluate.simulators.choose import NOT_GUESSABLE

            return "not_applicable", NOT_GUESSABLE
        return None

    def consistency(self, tasks: Counter[str], seed: int) -> Metric:
        """Compute consistency, with S_E for rationales whose words do not state an answer."""
        if (missing := self._why_not(tasks)) is not None:
            return Metric(WITH_SIMULATOR, missing[0], reason=missing[1])
        from mitools.evaluate.simulators.choose import FEWEST_ITEMS

        taught = self._taught.items()
        if len(taught) < FEWEST_ITEMS:
            reason = f"the input holds {len(taught)} training records with a teacher's rationale"
            return WITH_SIMULATOR.skipped(f"{reason}; a simulator wants {FEWEST_ITEMS}")
        said = [item for item in self._said.items() if item.rationale.strip()]
        clear = [item for item in said if item.supports != "none"]
        unclear = [item for item in said if item.supports == "none"]
        supporting = sum(item.supports == "student" for item in clear)
        read, agreeing = _read(taught, unclear, next(iter(tasks)), seed)
        return _rate_with(supporting + agreeing, len(clear) + read, len(clear), read)


def _rate_with(hits: int, n: int, by_words: int, by_simulator: int) -> Metric:
    metric = rate(WITH_SIMULATOR, hits, n, empty="no rationale supports an answer")
    if metric.status != "ok":
        return metric
    details = {"by_words": by_words, "by_simulator": by_simulator}
    return WITH_SIMULATOR.ok(hits / n, n, metric.ci95, **details)


def _read(
    taught: list[SampledRecord], unclear: list[SampledRecord], task: str, seed: int
) -> tuple[int, int]:
    """Count unclear rationales that S_E, fitted on taught ones, reads; and those that agree."""
    from mitools.evaluate.simulators.choose import simulate

    if not unclear:
        return 0, 0
    # Two folds, taught and unclear: each is guessed by a simulator that was fitted on the other.
    # Only the guesses about the unclear ones are used.
    items = [*taught, *unclear]
    folds = np.repeat([1, 0], [len(taught), len(unclear)])
    simulation = simulate(items, task, seed, folds)
    if isinstance(simulation, str):
        return 0, 0
    unclear_ids = {id(item) for item in unclear}
    is_unclear = np.array([id(item) in unclear_ids for item in simulation.items])
    guesses = simulation.simulator.guess(
        simulation.given, sees_input=False, rationales=simulation.rationales
    )
    return int(is_unclear.sum()), int(guesses.is_right[is_unclear].sum())


def _item(record: Record, rationale: str, label: str, supports: Any) -> SampledRecord:
    return SampledRecord(
        record["input"],
        rationale,
        label,
        record.get("label"),
        tuple(record.get("choices") or ()),
        record.get("group"),
        supports,
    )
