"""From answered calibration records to an operating point."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.metadata import version

import numpy as np

from mitools.evaluate.operating.choose import Choice, choose_threshold, fewest_records
from mitools.evaluate.operating.fit import FEW_TO_FIT, FittingRecords
from mitools.evaluate.operating.roles import Roles
from mitools.evaluate.sample import hash_record
from mitools.gold import teacher_answer
from mitools.operating.confidence import FITTED, NEEDS_RATIONALE, Confidence
from mitools.operating.point import OperatingPoint, Reference
from mitools.records import Record
from mitools.tasks import Task

__all__ = ["Answers", "Calibration", "Target", "reference_label"]


@dataclass(frozen=True, slots=True)
class Target:
    """What a threshold has to reach: see :class:`~mitools.operating.point.OperatingPoint`."""

    accuracy: float
    risk: float


@dataclass(frozen=True, slots=True)
class Answers:
    """How the calibration records were answered.

    Attributes:
        way: of answering.
        draws: rationales that a label is read behind.
        weight: weight of the predict pass in answers by both readings.
        seed: of drawn rationales.
        precision: of the student's weights and computation.
        student: hash of the student's files; None where it has no folder.
    """

    way: str = "predict"
    draws: int = 1
    weight: float | None = None
    seed: int = 0
    precision: str = "fp32"
    student: str | None = None


@dataclass
class Calibration:
    """Collects answered records, and chooses the threshold.

    Attributes:
        roles: which records fit, and which calibrate.
        notes: what :meth:`choose` has to say to people, one sentence each.
    """

    roles: Roles
    notes: list[str] = field(default_factory=list)
    _calibrating: list[tuple[Record, Task]] = field(default_factory=list)
    _fitting: list[tuple[Record, Task]] = field(default_factory=list)

    def add(self, record: Record, task: Task) -> None:
        """Add an answered record that is not evaluated."""
        if self.roles.calibrates(record):
            self._calibrating.append((record, task))
        elif self.roles.confidence in FITTED and self.roles.fits(record):
            self._fitting.append((record, task))

    def choose(self, target: Target, answers: Answers) -> OperatingPoint:
        """Choose the threshold.

        Gold labels are the reference. Only where no calibration record has one, it is the teacher's
        label.

        Returns:
            A point without a threshold where none reaches the target; :attr:`notes` then say why,
            and what would help.
        """
        self.notes.clear()
        reference = self._reference()
        confidence = self._fit(reference)
        used = self._independent(reference)
        stated: list[float] = []
        is_right: list[bool] = []
        data_hash = 0
        for record, task, label in used:
            value = confidence.of(record, task)
            stated.append(np.nan if value is None else value)
            is_right.append(task.is_equal(record["student"].get("label"), label))
            data_hash = (data_hash + hash_record(record)) % 2**128
        choice = choose_threshold(
            np.array(stated, dtype=np.float64),
            np.array(is_right, dtype=bool),
            target.accuracy,
            target.risk,
        )
        if choice.threshold is None:
            self.notes.append(self._explain(choice, len(stated), target))
        return OperatingPoint(
            target=target.accuracy,
            risk=target.risk,
            threshold=choice.threshold,
            confidence=confidence.kind,
            temperature=confidence.temperature,
            weights=confidence.weights,
            reference=reference,
            answer=answers.way,
            draws=answers.draws,
            answer_weight=answers.weight if answers.way == "both" else None,
            seed=answers.seed,
            precision=answers.precision,
            rationales=confidence.kind in NEEDS_RATIONALE,
            task=self._calibrating[0][1].name if self._calibrating else "text",
            calibrated_on=self.roles.calibrate_on,
            records=len(stated),
            answered=choice.answered,
            right=choice.right,
            data_hash=f"{data_hash:032x}",
            student=answers.student,
            mitools=version("mitools"),
        )

    def _reference(self) -> Reference:
        """Return what answers are compared with: gold, or the teacher where there is no gold."""
        for reference in ("gold", "teacher"):
            if any(reference_label(one, task, reference) for one, task in self._calibrating):
                if reference == "teacher":
                    self.notes.append(
                        "no calibration record has a gold label, so the target is for agreement "
                        "with the teacher, not for accuracy"
                    )
                return reference
        return "gold"

    def _fit(self, reference: Reference) -> Confidence:
        """Fit the confidence, or use the label's probability where it cannot be fitted."""
        fitting = FittingRecords(self.roles.confidence)
        for record, task in self._fitting:
            label = reference_label(record, task, reference)
            if label is not None:
                fitting.add(record, task, label)
        confidence = fitting.fit()
        if confidence is not None:
            return confidence
        reason = (
            f"only {len(fitting)} records to fit it on, and {FEW_TO_FIT} are needed"
            if len(fitting) < FEW_TO_FIT
            else "the records to fit it on do not determine it"
        )
        self.notes.append(
            f'the confidence "{self.roles.confidence}" is replaced by "label": {reason}'
        )
        return Confidence()

    def _independent(self, reference: Reference) -> list[tuple[Record, Task, str]]:
        """List the records that can choose, each with its reference label: one of each group.

        Records with the same input count as a group, as in splits and folds. The records of a group
        are right or wrong together, and the bound counts independent trials. So the bound is about
        one record of each group: where large groups are harder than small ones, the accuracy over
        all records is lower than it says. Which one of a group stays depends on its id and input
        alone.
        """
        kept: dict[str, tuple[int, Record, Task, str]] = {}
        known = 0
        for record, task in self._calibrating:
            label = reference_label(record, task, reference)
            if label is None:
                continue
            known += 1
            group = record.get("group")
            unit = record["input"] if group is None else f"\0{group}"
            key = hash_record({name: record.get(name) for name in ("id", "input")})
            if unit not in kept or key < kept[unit][0]:
                kept[unit] = key, record, task, label
        used = [(record, task, label) for _, record, task, label in kept.values()]
        if len(used) < known:
            self.notes.append(
                f"the {known:,} records to choose it on are of {len(used):,} groups or repeated "
                "inputs; one of each chooses, as records of a group are not independent; the "
                "accuracy that is promised holds for one record of each, and may differ over all"
            )
        return used

    def _explain(self, choice: Choice, records: int, target: Target) -> str:
        """Say why there is no threshold, and what would help."""
        split = self.roles.calibrate_on
        wanted = f"{target.accuracy:.4g} at risk {target.risk:.4g}"
        if not records:
            reason = (
                f'no threshold: no record of the split "{split}" that is left to choose it on has '
                "a gold label or a teacher label; add such records"
            )
            if split == "test":
                return reason
            return f'{reason}, or choose it on half of the test records: "--calibrate-on test"'
        fewest = fewest_records(target.accuracy, target.risk)
        if choice.best is None:
            return (
                f"no threshold: {records:,} records to choose it on are too few for {wanted}; "
                f"at least {fewest:,} answers are needed even if all are right; add {split} "
                "records, or lower --target-accuracy"
            )
        right, answered = choice.best
        return (
            f"no threshold reaches {wanted} on {records:,} records: at the best one, "
            f"{right:,} of {answered:,} answers are right ({right / answered:.1%}), which does not "
            f"prove it; add {split} records, train a better student, or lower --target-accuracy"
        )


def reference_label(record: Record, task: Task, reference: Reference) -> str | None:
    """Return the label that an answer is compared with; None without one that can be read."""
    by_name = {"gold": record, "teacher": teacher_answer(record)}
    label = by_name[reference].get("label")
    is_known = label is not None and task.is_valid(label)
    return str(label) if is_known else None
