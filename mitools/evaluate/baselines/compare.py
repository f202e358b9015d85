"""Fit each baseline, let it answer, and compare it with the student, in paired tests."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitools.errors import DataError, MitoolsError
from mitools.evaluate.baselines.bench import Bench, Evaluated
from mitools.evaluate.baselines.protocol import Baseline, Example
from mitools.evaluate.measures.calibration import (
    MEASURES as CALIBRATION,
)
from mitools.evaluate.measures.calibration import (
    expected_calibration_error,
    null_bands,
    width_bins,
)
from mitools.evaluate.measures.comparison import difference_of_means, holm
from mitools.evaluate.measures.labels import ACCURACY, rate
from mitools.evaluate.measures.metric import Measure, Metric
from mitools.tasks import task_named

__all__ = ["MEASURES", "NO_TRAINING", "StudentTimes", "compare_baselines", "no_training_records"]

MEASURES: Mapping[str, Measure] = {
    "accuracy": replace(
        ACCURACY,
        title="accuracy of a baseline",
        about="Accuracy of a baseline, the student or the teacher on the evaluated records with a "
        "gold label.",
    ),
    "difference": Measure(
        "student minus baseline",
        "fraction",
        higher_is_better=True,
        about="Accuracy of the student minus that of the baseline on the same records; McNemar's "
        "exact test, adjusted for the number of baselines (Holm).",
    ),
    "ece_width": replace(
        CALIBRATION["ece_width"],
        title="ECE of a baseline",
        about="Expected calibration error of the confidence of a baseline, 15 bins of equal width.",
    ),
    "reachable": Measure(
        "gold labels that it can give",
        "fraction",
        higher_is_better=True,
        about="Share of records whose gold label is an answer that the baseline could give: one of "
        "the choices, or a label that it saw in training.",
    ),
    "fit_seconds": Measure(
        "seconds to train",
        "seconds",
        higher_is_better=False,
        about="Time to learn from the training records, with the choice of hyper-parameters, on "
        "this machine.",
    ),
    "answer_ms": Measure(
        "milliseconds per answer",
        "ms",
        higher_is_better=False,
        about="Time to answer all records, divided by their number, on this machine.",
    ),
}
"""The figures of each row of the table: the student, each baseline, the teacher."""

NO_TRAINING = 'the input holds no record of the split "train" with a label'
_NO_GOLD = "no record has a gold label"
_NO_CONFIDENCE = "it states no confidence"
_ITSELF = "it is the student itself"

Block = dict[str, Metric]
Bools = NDArray[np.bool_]


@dataclass(frozen=True)
class StudentTimes:
    """How long the student took, where that is known.

    Attributes:
        fit_seconds: of its training.
        answer_seconds: mean, per record.
    """

    fit_seconds: float | None = None
    answer_seconds: float | None = None


def no_training_records() -> DataError:
    """Return the error for baselines that had nothing to learn from."""
    hint = 'add them to the input: give "mitools eval" all splits, as "mitools split" writes them'
    return DataError(f"--baseline: {NO_TRAINING}", hint=hint)


def compare_baselines(
    bench: Bench,
    baselines: Mapping[str, Baseline],
    labels_from: str,
    seed: int,
    student: StudentTimes = StudentTimes(),
    step: Callable[[str], None] = lambda _what: None,
) -> dict[str, Any]:
    """Fit and compare each baseline.

    One that cannot be used has figures that are undefined, with the reason.

    Args:
        bench: what was collected.
        baselines: by name.
        labels_from: whose labels are learned: ``auto``, ``gold`` or ``teacher``.
        seed: of the intervals.
        student: how long the student took.
        step: told what is fitted next, for people.

    Returns:
        The block ``baselines`` of a summary: ``about``, and ``systems`` with the figures of the
        student, of each baseline and of the teacher.
    """
    examples, evaluated = bench.examples(labels_from), bench.evaluated
    is_correct = np.array([one.is_correct for one in evaluated], dtype=bool)
    systems: dict[str, Block] = {"student": _student_row(evaluated, is_correct, student, seed)}
    for name, baseline in baselines.items():
        step(f"baseline {name}")
        systems[name] = _baseline_row(baseline, examples, evaluated, is_correct, seed)
    _adjust(systems, [*baselines])
    if any(one.is_teacher_correct is not None for one in evaluated):
        systems["teacher"] = _teacher_row(evaluated, is_correct, seed)
    return {
        "about": {
            "training_records": bench.seen,
            "learned_from": len(examples),
            "labels_from": labels_from,
            "families": {name: baseline.about for name, baseline in baselines.items()},
        },
        "systems": systems,
    }


def _baseline_row(
    baseline: Baseline,
    examples: Sequence[Example],
    evaluated: Sequence[Evaluated],
    is_correct: Bools,
    seed: int,
) -> Block:
    if not evaluated:
        return _undefined(_NO_GOLD)
    if len({one.problem.task for one in evaluated}) > 1:
        return _undefined("the records are of several tasks")
    if not examples and baseline.learns:
        return _undefined(NO_TRAINING)
    problems = [one.problem for one in evaluated]
    try:
        fit_seconds, _ = _timed(lambda: baseline.fit(examples))
        answer_seconds, guesses = _timed(lambda: baseline.answer(problems))
    except MitoolsError as exc:
        return _undefined(exc.message)
    right = [
        task_named(one.problem.task, one.problem.choices).is_equal(guess.label, one.gold)
        for guess, one in zip(guesses, evaluated, strict=True)
    ]
    theirs = np.array(right, dtype=bool)
    reached = sum(baseline.reaches(one.problem, one.gold) for one in evaluated)
    n = len(evaluated)
    return {
        "accuracy": rate(MEASURES["accuracy"], int(theirs.sum()), n, empty=_NO_GOLD),
        "difference": _difference(is_correct, theirs, seed),
        "ece_width": _calibration_error([guess.confidence for guess in guesses], theirs, seed),
        "reachable": rate(MEASURES["reachable"], reached, n, empty=_NO_GOLD),
        "fit_seconds": MEASURES["fit_seconds"].ok(fit_seconds, len(examples)),
        "answer_ms": MEASURES["answer_ms"].ok(1000 * answer_seconds / n, n),
    }


def _student_row(
    evaluated: Sequence[Evaluated], is_correct: Bools, times: StudentTimes, seed: int
) -> Block:
    n = len(evaluated)
    unknown = "it was not measured here"
    fit, answer = MEASURES["fit_seconds"], MEASURES["answer_ms"]
    return {
        "accuracy": rate(MEASURES["accuracy"], int(is_correct.sum()), n, empty=_NO_GOLD),
        "difference": MEASURES["difference"].not_applicable(_ITSELF),
        "ece_width": _calibration_error([one.confidence for one in evaluated], is_correct, seed),
        "reachable": MEASURES["reachable"].not_applicable(_ITSELF),
        "fit_seconds": fit.skipped(unknown)
        if times.fit_seconds is None
        else fit.ok(times.fit_seconds, 0),
        "answer_ms": answer.skipped(unknown)
        if times.answer_seconds is None
        else answer.ok(1000 * times.answer_seconds, n),
    }


def _teacher_row(evaluated: Sequence[Evaluated], is_correct: Bools, seed: int) -> Block:
    """Compare with the teacher, on the records that it was asked about."""
    asked = np.array([one.is_teacher_correct is not None for one in evaluated], dtype=bool)
    theirs = np.array([one.is_teacher_correct is True for one in evaluated], dtype=bool)[asked]
    stated = [one.teacher_confidence for one in evaluated if one.is_teacher_correct is not None]
    reason = "a teacher is not a baseline"
    return {
        "accuracy": rate(MEASURES["accuracy"], int(theirs.sum()), len(theirs), empty=_NO_GOLD),
        "difference": _difference(is_correct[asked], theirs, seed),
        "ece_width": _calibration_error(stated, theirs, seed),
        **{
            name: MEASURES[name].not_applicable(reason)
            for name in ("reachable", "fit_seconds", "answer_ms")
        },
    }


def _undefined(reason: str) -> Block:
    return {name: measure.undefined(reason) for name, measure in MEASURES.items()}


def _timed(work: Callable[[], Any]) -> tuple[float, Any]:
    began = time.perf_counter()
    result = work()
    return time.perf_counter() - began, result


def _difference(ours: Bools, theirs: Bools, seed: int) -> Metric:
    """Compare two rows of verdicts [n] in a paired test.

    Pairs are sorted, as the order of items decides which of them a resample draws.
    """
    order = np.lexsort((theirs, ours))
    rows = [row[order].astype(np.float64)[None, :] for row in (ours, theirs)]
    found = difference_of_means(rows[0], rows[1], seed)
    details = {"p_value": found.p, "test": found.test, **found.details}
    return MEASURES["difference"].ok(found.value, len(ours), found.ci95, **details)


def _adjust(systems: dict[str, Block], names: Sequence[str]) -> None:
    """Adjust the p-values of the baselines for their number; the teacher is not one of them."""
    differences = {name: systems[name]["difference"] for name in names}
    tested = {name: one for name, one in differences.items() if one.status == "ok"}
    adjusted = holm({name: one.details["p_value"] for name, one in tested.items()})
    for name, one in tested.items():
        details = {**one.details, "p_holm": adjusted[name]}
        systems[name]["difference"] = replace(one, details=details)


def _calibration_error(stated: Sequence[float | None], right: Bools, seed: int) -> Metric:
    """State the calibration error with its null band, over the answers with a confidence."""
    has_one = np.array([one is not None for one in stated], dtype=bool)
    measure = MEASURES["ece_width"]
    if not has_one.any():
        return measure.undefined(_NO_CONFIDENCE)
    found = np.array([one for one in stated if one is not None], dtype=np.float64)
    confidence, is_right = np.clip(found, 0.0, 1.0), right[has_one]
    bins = {"ece_width": width_bins(confidence)}
    observed = expected_calibration_error(confidence, is_right, bins["ece_width"])
    null = null_bands(confidence, bins, {"ece_width": observed}, seed)["ece_width"]
    return measure.ok(observed, len(confidence), **null.as_details())
