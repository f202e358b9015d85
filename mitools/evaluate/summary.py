"""Fold judged records into figures: a pure function of the records and the seed.

Only a few numbers of each record are kept. No figure depends on the order of the records, so shards
may be folded in any order.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from mitools.evaluate.beside_teacher import BesideTeacher
from mitools.evaluate.by_field import ByField
from mitools.evaluate.confidences import Confidences
from mitools.evaluate.judge.judging import unasked_judge
from mitools.evaluate.measures.calibration import reliability
from mitools.evaluate.measures.consistency import Consistency
from mitools.evaluate.measures.labels import (
    DECODE_AGREEMENT,
    EXACT_MATCH,
    INPUT_TRUNCATED,
    MACRO_F1,
    NO_GOLD,
    VALID,
    accuracy,
    macro_f1,
    rate,
)
from mitools.evaluate.measures.metric import Metric
from mitools.evaluate.measures.statistics import RESAMPLES
from mitools.evaluate.measures.surface import Surface
from mitools.evaluate.measures.text import Overlap, Similarity
from mitools.evaluate.operating.figures import OperatingFigures
from mitools.evaluate.probes.run import unasked_probes
from mitools.evaluate.sample import hash_record
from mitools.evaluate.simulators import PERMUTATIONS, SimulatorName
from mitools.evaluate.simulators.tally import UNASKED, UNTRAINED, Simulated
from mitools.evaluate.ways import FoldedWays
from mitools.gold import teacher_answer
from mitools.records import Record
from mitools.tasks import Task

__all__ = ["SummaryBuilder"]

INTERVALS = (
    "95%: Wilson for shares of records; else percentile bootstrap, "
    f"{RESAMPLES:,} resamples, fewer above 50,000 records; none where every resample is alike"
)
_FEW = 10

Section = dict[str, Metric]


@dataclass
class _LabelCounts:
    """Verdicts on labels."""

    n: int = 0
    gold: int = 0
    correct: int = 0
    exact: int = 0
    valid: int = 0
    decoded: int = 0
    agrees: int = 0
    groups: dict[str, tuple[int, int]] = field(default_factory=dict)
    measured: int = 0
    cut: int = 0
    confusion: Counter[tuple[str, str | None]] = field(default_factory=Counter)

    def add(self, record: Record, task: Task) -> None:
        scores, gold, label = record["scores"], record.get("label"), record["student"].get("label")
        self.n += 1
        self.valid += scores["valid"]
        if scores["correct"] is not None:
            self.gold += 1
            self.correct += scores["correct"]
            self.exact += scores["exact"]
            if (group := record.get("group")) is not None:
                right, n = self.groups.get(group, (0, 0))
                self.groups[group] = right + scores["correct"], n + 1
        if "decode_agrees" in scores:
            self.decoded += 1
            self.agrees += scores["decode_agrees"]
        is_cut = record["student"].get("input_truncated")
        if is_cut is not None:
            self.measured += 1
            self.cut += is_cut
        if task.name == "labels" and gold is not None and scores["correct"] is not None:
            given = task.form(label) if label is not None and scores["valid"] else None
            self.confusion[task.form(gold), given] += 1

    def metrics(self, tasks: Counter[str], seed: int) -> Section:
        if set(tasks) == {"labels"}:
            f1 = macro_f1(self.confusion, seed)
        else:
            f1 = MACRO_F1.not_applicable("the answers are not one fixed set of labels")
        if self.decoded:
            agreement = rate(DECODE_AGREEMENT, self.agrees, self.decoded, empty="")
        else:
            agreement = DECODE_AGREEMENT.skipped("no label was decoded beside scored choices")
        if self.measured:
            cut = rate(INPUT_TRUNCATED, self.cut, self.measured, empty="")
        else:
            cut = INPUT_TRUNCATED.skipped("the answers do not say whether their input was cut")
        return {
            "accuracy": accuracy(self.correct, self.gold, [*self.groups.values()]),
            "exact_match": rate(EXACT_MATCH, self.exact, self.gold, empty=NO_GOLD),
            "valid": rate(VALID, self.valid, self.n, empty="no records"),
            "macro_f1": f1,
            "decode_agreement": agreement,
            "input_truncated": cut,
        }


@dataclass
class _Rationales:
    """The student's rationales: alone, against references, and against its labels."""

    surface: Surface = field(default_factory=Surface)
    consistency: Consistency = field(default_factory=Consistency)
    untrained: int = 0
    overlaps: Mapping[str, Overlap] = field(
        default_factory=lambda: {
            name: Overlap() for name in ("teacher", "teacher_correct", "human")
        }
    )

    def add(self, record: Record) -> None:
        student, scores = record["student"], record["scores"]
        text = student.get("rationale")
        if text is None:
            self.untrained += bool(student.get("trained"))
            return
        self.surface.add(
            text,
            record["input"],
            is_truncated=student.get("rationale_truncated"),
            mentions_label=scores["mentions_label"],
        )
        self.surface.add_steps(scores["steps"], scores["steps_right"])
        self.consistency.add(scores["supports"], is_correct=scores["correct"])
        taught, human = teacher_answer(record), record.get("rationale")
        teacher = taught.get("rationale")
        if teacher and teacher.strip():
            self.overlaps["teacher"].add(text, teacher)
            if taught.get("agrees") is True:
                self.overlaps["teacher_correct"].add(text, teacher)
        if human and human.strip():
            self.overlaps["human"].add(text, human)

    def sections(self, seed: int) -> dict[str, Any]:
        if not self.surface.n:
            return self._skipped(seed)
        references = {
            "teacher": "no record has a rationale by the teacher",
            "teacher_correct": "no record has a rationale by a teacher that agrees with gold",
            "human": "no record has a human rationale",
        }
        return {
            "rationale": self.surface.metrics(seed),
            "overlap": {
                name: self.overlaps[name].metrics(seed, empty=empty)
                for name, empty in references.items()
            },
            "consistency": self.consistency.metrics(),
            "quadrants": self.consistency.quadrants(),
        }

    def _skipped(self, seed: int) -> dict[str, Any]:
        def skipped(section: Section) -> Section:
            if self.untrained:
                return {n: one.measure.not_applicable(UNTRAINED) for n, one in section.items()}
            return {name: metric.measure.skipped(UNASKED) for name, metric in section.items()}

        return {
            "rationale": skipped(self.surface.metrics(seed)),
            "overlap": {
                name: skipped(overlap.metrics(seed, empty=""))
                for name, overlap in self.overlaps.items()
            },
            "consistency": skipped(self.consistency.metrics()),
            "quadrants": None,
        }


@dataclass
class SummaryBuilder:
    """Fold records that hold ``student`` and ``scores``; :meth:`summary` then gives the figures.

    Attributes:
        tasks: records by task.
        models: records by the student that answered, where they name it.
        fits_temperature: whether validation records are added too, to fit a temperature.
        simulator: what measures association and quality.
        permutations: the most permutations of rationales for the chance baseline.
        similarity: compares rationales by meaning; None means no such comparison.
        ways: the answers of each way, where records hold them.
        by: the figures by the values of fields, where fields are named.
        operating: the figures at an operating point, where records hold ``scores.sure``.
    """

    tasks: Counter[str] = field(default_factory=Counter)
    models: Counter[str] = field(default_factory=Counter)
    fits_temperature: bool = False
    simulator: SimulatorName = "none"
    permutations: int = PERMUTATIONS
    similarity: Similarity | None = None
    ways: FoldedWays = field(default_factory=FoldedWays)
    by: ByField = field(default_factory=ByField)
    operating: OperatingFigures = field(default_factory=OperatingFigures)
    _labels: _LabelCounts = field(default_factory=_LabelCounts)
    _confidences: Confidences = field(default_factory=Confidences)
    _teacher: BesideTeacher = field(default_factory=BesideTeacher)
    _rationales: _Rationales = field(default_factory=_Rationales)
    _simulated: Simulated = field(init=False)
    _data_hash: int = 0

    def __post_init__(self) -> None:
        for overlap in self._rationales.overlaps.values():
            overlap.similarity = self.similarity
        self._confidences.fits_temperature = self.fits_temperature
        self._simulated = Simulated(self.simulator, self.permutations)

    @property
    def records(self) -> int:
        return self._labels.n

    @property
    def cut_inputs(self) -> int:
        """Number of records whose input the student cut at its length limit."""
        return self._labels.cut

    @property
    def has_valid_labels(self) -> bool:
        """Whether any label is a possible answer of its task; true for the first few records."""
        return bool(self._labels.valid) or self._labels.n < _FEW

    def add(self, record: Record, task: Task) -> None:
        """Add a judged record.

        Raises:
            InvalidFieldError: the figures cannot be told apart by its value of a field; it enters
                no figure.
        """
        self.by.add(record, task)
        self.tasks[task.name] += 1
        if model := record["student"].get("model"):
            self.models[model] += 1
        self._labels.add(record, task)
        self._confidences.add(record, task)
        self._rationales.add(record)
        self._simulated.add(record)
        self.ways.add(record, task)
        self.operating.add(record, task)
        self._teacher.add(record, task)
        self._data_hash = (self._data_hash + hash_record(record)) % 2**128

    def add_valid(self, record: Record, task: Task) -> None:
        """Add a record to fit the temperature on; it enters no other figure."""
        self._confidences.add_valid(record, task)

    def add_taught(self, record: Record) -> None:
        """Add a training record for its teacher's rationale; it enters no other figure."""
        self._simulated.add_taught(record)

    def summary(self, seed: int) -> dict[str, Any]:
        """Compute every figure, as blocks of :class:`Metric` objects."""
        confidence, is_correct = self._confidences.arrays()
        sections = self._rationales.sections(seed)
        sections["consistency"]["with_simulator"] = self._simulated.consistency(self.tasks, seed)
        answers = self.ways.section(seed)
        return {
            "records": self.records,
            "tasks": dict(sorted(self.tasks.items())),
            "models": dict(sorted(self.models.items())),
            "data_hash": f"{self._data_hash:032x}",
            "seed": seed,
            "intervals": INTERVALS,
            "label": self._labels.metrics(self.tasks, seed),
            "calibration": self._confidences.metrics(self.tasks, seed),
            "temperature": self._confidences.temperature(seed),
            "operating": self.operating.metrics(),
            "teacher": self._teacher.metrics(seed),
            **({} if answers is None else {"answers": answers}),
            **({"by": self.by.section(seed)} if self.by.fields else {}),
            **sections,
            **self._simulated.sections(self.tasks, seed),
            "probes": unasked_probes(),
            "judge": unasked_judge(),
            "reliability": reliability(confidence, is_correct),
            "confusion": self._confusion(),
        }

    def _confusion(self) -> list[dict[str, Any]] | None:
        cells = self._labels.confusion
        if not cells:
            return None
        ordered: Sequence[tuple[str, str | None]] = sorted(cells, key=lambda c: (c[0], c[1] or ""))
        return [{"gold": gold, "given": given, "n": cells[gold, given]} for gold, given in ordered]
