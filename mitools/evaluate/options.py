"""The options of an evaluation: their defaults, their choices, and what does not go together."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from mitools.annotate.options import Price
from mitools.asking.answering import Answering, Way, settle
from mitools.errors import UsageError
from mitools.evaluate.baselines.names import UNTRAINED, name_baselines
from mitools.evaluate.operating.roles import CALIBRATED_ON, CalibratedOn, Role, Roles
from mitools.evaluate.probes import PROBES, ProbeName
from mitools.evaluate.simulators import PERMUTATIONS, SIMULATORS, SimulatorName
from mitools.operating.confidence import CONFIDENCES, ConfidenceName
from mitools.schema import SPLITS, TASKS, Record
from mitools.student.layout import PRECISIONS, AnswerPrecision

__all__ = ["EVALUATED_SPLITS", "EvalOptions", "JudgeOptions", "SplitName", "check_runs"]

SplitName = Literal["train", "valid", "test", "all"]

EVALUATED_SPLITS = (*SPLITS, "all")
"""What :attr:`EvalOptions.split` may be."""

_MOST_PAIRED = 4_000
"""Records of each run among which a judge that compares two runs finds those of both."""


@dataclass(frozen=True)
class JudgeOptions:
    """The model that judges rationales, and how much it is shown.

    Attributes:
        model: its name at the endpoint.
        url: of the endpoint; None means ``OPENAI_BASE_URL``, else OpenAI.
        journal: path of the journal of its replies; None means a file in the user cache.
        records: the most records that it is shown.
    """

    model: str
    url: str | None = None
    journal: str | None = None
    records: int = 200


@dataclass(frozen=True, kw_only=True)
class EvalOptions:
    """How to evaluate a student.

    Attributes:
        task: how labels are read and compared; None means as each record says.
        split: the records to evaluate, or ``all``; None means the test records and those without
            a split.
        rationales: ask for rationales too; without it, rationales in the records are dropped.
        decode: decode a label beside scored choices; where ``answer`` is None, answers are those of
            the predict pass then.
        answer: the way of answering: from the predict pass, after the rationale, from both, or what
            the rationale names; None means the one that training chose, else the predict pass.
        draws: rationales that a label comes from; above 1 they are sampled.
        answer_weight: weight of the predict pass in the answers from both; None means the one that
            is saved with the student. Where there is none, and with several draws, it is fitted on
            the validation records, which are then answered too.
        by: fields of the records, as names or dotted paths; the main figures are computed for each
            of their values too.
        temperature: answer the validation records too, without rationales, and fit a temperature
            on them. They are passed on, and enter no other figure.
        target_accuracy: choose a threshold of confidence whose answers reach this accuracy; None
            chooses none. Records that choose it are answered and passed on, and enter no other
            figure. All records are held until it is chosen.
        risk: the probability of a threshold with an accuracy below the target.
        confidence: the confidence that the threshold is for, see
            :data:`~mitools.operating.confidence.CONFIDENCES`. One that is fitted is fitted on half
            of the valid records.
        calibrate_on: choose the threshold on the ``valid`` records, or on half of the ``test``
            records: training may have selected the checkpoint on the valid ones,
            and fitted the weight of both readings.
        simulator: what measures association and quality.
        permutations: the most permutations of rationales for the chance baseline.
        probes: interventions to run when the pass is over; they need a student.
        probe_records: the most records that are probed.
        embedding: a sentence encoder that compares rationales with their references, as a folder or
            ``package:NAME``; None means no such comparison.
        judge: a language model that judges rationales; None means no judge.
        baselines: what the student is compared with, on the same records: names as
            :func:`~mitools.evaluate.baselines.names.name_baselines` lists them. They learn from the
            records of the training split.
        price: of the teacher's tokens; None where it is unknown.
        student_price: USD per hour of the machine that the student runs on; None where unknown.
        latency_records: the most records that are asked again one at a time, to time the student
            without a batch.
        unique_ids: refuse an id that occurs twice, as in a shard that is merged twice.
        outcomes: keep the outcomes of each record, to compare this run with another one.
        batch_size: records given to the student at once.
        tokens_per_batch: the most tokens that the model reads at once; None means by device.
        device: a torch device such as ``cuda:1``; None means the GPU if available.
        precision: of the student's weights and computation; a student that is open already keeps
            its own.
        seed: of all resampling and of all random draws.
    """

    task: str | None = None
    split: SplitName | None = None
    rationales: bool = True
    decode: bool = False
    answer: Way | None = None
    draws: int = 1
    answer_weight: float | None = None
    by: tuple[str, ...] = ()
    temperature: bool = False
    target_accuracy: float | None = None
    risk: float = 0.05
    confidence: ConfidenceName = "label"
    calibrate_on: CalibratedOn = "valid"
    simulator: SimulatorName = "local"
    permutations: int = PERMUTATIONS
    probes: tuple[ProbeName, ...] = ()
    probe_records: int = 200
    embedding: str | None = None
    judge: JudgeOptions | None = None
    baselines: tuple[str, ...] = ()
    price: Price | None = None
    student_price: float | None = None
    latency_records: int = 0
    unique_ids: bool = False
    outcomes: bool = False
    batch_size: int = 256
    tokens_per_batch: int | None = None
    device: str | None = None
    precision: AnswerPrecision = "fp32"
    seed: int = 0

    @property
    def answering(self) -> Answering:
        """How answers are found."""
        return Answering(self.answer or "predict", self.draws, self.answer_weight, self.seed)

    @property
    def fits_weight(self) -> bool:
        """Whether the weight of the predict pass is fitted on the validation records."""
        return self.answer == "both" and self.answer_weight is None

    @property
    def roles(self) -> Roles:
        """Which records choose a threshold or fit a confidence."""
        is_asked = self.target_accuracy is not None
        return Roles(is_asked, self.confidence, self.calibrate_on, self.fits_weight)

    def only_fits(self, record: Record) -> bool:
        """Return whether a record only serves to fit something, or to choose a threshold."""
        fits = self.temperature or self.fits_weight or self.roles.uses_valid
        return (fits and record.get("split") == "valid") or self.roles.calibrates(record)

    def role_of(self, record: Record) -> Role | None:
        """Return what a record serves for in this pass; None where it is evaluated."""
        if not self.only_fits(record):
            return None
        return "calibration" if self.roles.calibrates(record) else "fitting"

    def selects(self, record: Record) -> bool:
        """Return whether a record is of the split to evaluate, or only serves to fit."""
        split = record.get("split")
        wanted = (None, "test") if self.split is None else (self.split,)
        return self.split == "all" or split in wanted or self.only_fits(record)

    @property
    def sample_size(self) -> int:
        """The number of records that are kept for the probes and the judge."""
        probed = self.probe_records if self.probes else 0
        judged = self.judge.records if self.judge else 0
        if judged and self.outcomes:  # which of them a run beside it has is known at the end
            judged = max(judged, _MOST_PAIRED)
        return max(probed, judged)

    def check(self, *, has_student: bool) -> None:
        """Check that the options are valid and go together.

        Args:
            has_student: whether a student answers; otherwise the records hold answers.

        Raises:
            UsageError: they do not; the message names the option.
        """
        self._check_values()
        if self.probes and not has_student:
            raise UsageError("--probe needs a student", hint='name it: "--student DIR"')
        if self.probes and not self.rationales:
            hint = 'leave out "--no-rationales", or "--probe"'
            raise UsageError("--probe needs rationales", hint=hint)
        if self.judge and not self.rationales:
            hint = 'leave out "--no-rationales", or "--judge"'
            raise UsageError("--judge needs rationales", hint=hint)
        self._check_answer(has_student=has_student)
        self._check_baselines(has_student=has_student)
        if self.latency_records and not has_student:
            hint = 'name it: "--student DIR"'
            raise UsageError("--latency-records needs a student", hint=hint)
        self._check_operating()
        if self.temperature and self.split in ("valid", "all"):
            hint = 'leave out "--split", or name another split: "--split test"'
            raise UsageError(
                "--temperature is fitted on the valid split and needs another one to evaluate",
                hint=hint,
            )

    def _check_baselines(self, *, has_student: bool) -> None:
        """Check the names of the baselines, and what they need."""
        if not name_baselines(self.baselines):
            return
        if UNTRAINED in self.baselines and not has_student:
            hint = 'name it: "--student DIR"'
            raise UsageError(f"--baseline {UNTRAINED} needs a student", hint=hint)
        if self.split in ("train", "all"):
            hint = 'name another split: "--split test"'
            raise UsageError("--baseline learns from the training split", hint=hint)

    def _check_answer(self, *, has_student: bool) -> None:
        """Check the options of answering."""
        self.answering.check()
        if self.answer in (None, "predict"):
            return
        if not has_student:
            raise UsageError("--answer needs a student", hint='name it: "--student DIR"')
        if self.decode:
            hint = 'leave out "--decode", or use "--answer predict"'
            raise UsageError("--decode needs labels of the predict pass", hint=hint)

    def for_student(self, metadata: Mapping[str, Any]) -> EvalOptions:
        """Choose what the options leave open, by what the student has learned.

        Args:
            metadata: of the student.

        Raises:
            UsageError: the options do not go together for this student; the message names the
                option.
        """
        way, weight = settle(self.answer, self.draws, self.answer_weight, metadata)
        if self.answer is None and self.decode:
            way, weight = "predict", None
        if self.answer is None and way == "named" and self.target_accuracy is not None:
            # One rationale gives every choice that it names the same confidence.
            way, weight = settle("both", self.draws, self.answer_weight, metadata)
        chosen = replace(self, answer=way, answer_weight=weight)
        if chosen.fits_weight and self.split in ("valid", "all"):
            hint = 'name another split: "--split test"; or set it: "--answer-weight 0.5"'
            raise UsageError(
                "--answer both fits a weight on the valid split and needs another one to evaluate",
                hint=hint,
            )
        return chosen

    def _check_operating(self) -> None:
        """Check the options of an operating point."""
        if self.target_accuracy is None:
            for option, is_given in (
                ("--risk", self.risk != EvalOptions.risk),
                ("--confidence", self.confidence != EvalOptions.confidence),
                ("--calibrate-on", self.calibrate_on != EvalOptions.calibrate_on),
            ):
                if is_given:
                    hint = 'add "--target-accuracy 0.95"'
                    raise UsageError(f"{option} needs a target", hint=hint)
            return
        for option, value, most in (
            ("--target-accuracy", self.target_accuracy, 1.0),
            ("--risk", self.risk, 0.3),
        ):
            if not 0 < value < most:
                hint = f'try "{option} {0.95 if most == 1 else 0.05}"'
                message = f"{option} must be above 0 and below {most:g}, not {value:g}"
                raise UsageError(message, hint=hint)
        if self.split not in (None, "test"):
            hint = 'leave out "--split", or use "--split test"'
            raise UsageError("--target-accuracy is tested on the test split", hint=hint)

    def _check_values(self) -> None:
        """Check each option by itself; the command line has done so before."""
        for option, value, allowed in (
            ("--task", self.task, (None, *TASKS)),
            ("--split", self.split, (None, *EVALUATED_SPLITS)),
            ("--simulator", self.simulator, SIMULATORS),
            ("--confidence", self.confidence, CONFIDENCES),
            ("--calibrate-on", self.calibrate_on, CALIBRATED_ON),
            ("--precision", self.precision, PRECISIONS),
            *(("--probe", probe, PROBES) for probe in self.probes),
        ):
            if value not in allowed:
                names = ", ".join(name for name in allowed if name)
                raise UsageError(f'{option} must be one of {names}, not "{value}"')
        for option, number, least in (
            ("--permutations", self.permutations, 0),
            ("--probe-records", self.probe_records, 1),
            ("--latency-records", self.latency_records, 0),
            ("--judge-records", self.judge.records if self.judge else 1, 1),
            ("--batch-size", self.batch_size, 1),
            (
                "--tokens-per-batch",
                1 if self.tokens_per_batch is None else self.tokens_per_batch,
                1,
            ),
        ):
            if number < least:
                raise UsageError(f"{option} must be at least {least}, not {number}")
        if not all(map(str.strip, self.by)):
            raise UsageError("--by needs the name of a field", hint='try "--by label"')
        if self.student_price is not None and not 0 <= self.student_price < math.inf:
            raise UsageError(f"--student-price must be at least 0, not {self.student_price:g}")

    def for_scoring(self) -> EvalOptions:
        """Return the options for a baseline: its records hold answers, and only these are scored.

        Kept are what decides which records and outcomes there are, and the sample for a judge.
        """
        scoring = replace(self, simulator="none", probes=(), embedding=None, outcomes=True)
        scoring = replace(scoring, baselines=(), latency_records=0, by=())
        scoring = replace(scoring, answer="predict", draws=1, answer_weight=None)
        scoring = replace(scoring, target_accuracy=None, risk=EvalOptions.risk)
        return replace(scoring, confidence="label", calibrate_on="valid")

    def as_json(self) -> Mapping[str, Any]:
        """Return the options as plain JSON values."""
        return asdict(self)


def check_runs(
    runs: int, baselines: int, *, by_seed: bool, has_student: bool, has_judge: bool
) -> None:
    """Check how many runs and baselines go together.

    Args:
        runs: how many there are; 1 also for shards of one run.
        baselines: how many runs they are compared with.
        by_seed: each run is a training with a seed of its own.
        has_student: whether a student answers; otherwise the records hold answers.
        has_judge: whether a judge is asked.

    Raises:
        UsageError: they do not.
    """
    if by_seed and has_student:
        hint = 'leave out "--student", or "--seeds"'
        raise UsageError("--seeds needs records that hold answers", hint=hint)
    if has_judge and (by_seed or baselines > 1):
        hint = 'leave out "--judge", or name one run and one baseline'
        raise UsageError("--judge compares at most two runs", hint=hint)
    if by_seed and runs < 2:
        raise UsageError("--seeds needs two runs or more", hint="name a file for each run")
