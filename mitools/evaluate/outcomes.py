"""Outcomes by record, so that runs can be paired, and their comparison.

Records are folded into outcomes by id; outcomes of several runs are folded into a comparison.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitools.errors import DataError
from mitools.evaluate.measures.calibration import MEASURES as CALIBRATION
from mitools.evaluate.measures.calibration import confidence_nll
from mitools.evaluate.measures.comparison import difference_of_means, holm, resampled_means
from mitools.evaluate.measures.consistency import CONSISTENCY
from mitools.evaluate.measures.labels import ACCURACY, VALID
from mitools.evaluate.measures.metric import Measure, Metric
from mitools.evaluate.measures.statistics import spread_interval
from mitools.records import Record

__all__ = ["MEASURES", "Outcomes", "compare", "over_seeds"]

Floats = NDArray[np.float64]
Name = tuple[str, int]

MEASURES: Mapping[str, Measure] = {
    "accuracy": ACCURACY,
    "consistency": CONSISTENCY,
    "valid": VALID,
    "brier": CALIBRATION["brier"],
    "nll": CALIBRATION["nll"],
}
"""Means over the records that have the outcome in every run: ``consistency`` counts only records
whose rationale supports an answer in all runs."""


@dataclass
class Outcomes:
    """The outcomes of one run, by record; records with the same id are numbered in their order."""

    by_record: dict[Name, tuple[float | None, ...]] = field(default_factory=dict)
    _seen: Counter[str] = field(default_factory=Counter)

    def add(self, record: Record) -> None:
        name = str(record.get("id", ""))
        self.by_record[name, self._seen[name]] = _outcome(record)
        self._seen[name] += 1


def _outcome(record: Record) -> tuple[float | None, ...]:
    """Return one number for each of :data:`MEASURES`; None where there is none."""
    scores, confidence = record["scores"], record["student"].get("confidence")
    is_correct = scores["correct"]
    brier = nll = None
    if is_correct is not None and confidence is not None:
        brier = (confidence - is_correct) ** 2
        nll = float(confidence_nll(np.array([confidence]), np.array([is_correct]))[0])
    verdicts = (is_correct, scores.get("consistent"), scores["valid"])
    return (*(None if verdict is None else float(verdict) for verdict in verdicts), brier, nll)


def _shared(runs: Sequence[Outcomes]) -> list[Name]:
    names = set(runs[0].by_record)
    for run in runs[1:]:
        names &= run.by_record.keys()
    return sorted(names)


def _table(runs: Sequence[Outcomes], names: Sequence[Name], column: int) -> Floats:
    """Return one outcome of every run: [S, n], for the records that have it in all runs."""
    rows = [[run.by_record[name][column] for name in names] for run in runs]
    table = np.array(rows, dtype=np.float64).reshape(len(runs), len(names))
    return table[:, ~np.isnan(table).any(axis=0)]


def compare(ours: Sequence[Outcomes], theirs: Sequence[Outcomes], seed: int) -> dict[str, Any]:
    """Compare this student's runs with a baseline's, measure by measure.

    Returns:
        ``records`` in all runs, ``unmatched`` records in some runs only, and ``metrics``, whose
        values are ours minus theirs.

    Raises:
        DataError: no record is in all runs.
    """
    runs = [*ours, *theirs]
    names = _shared(runs)
    if not names:
        hint = "compare runs on the same records"
        raise DataError("no record is in both: their ids have nothing in common", hint=hint)
    unmatched = len({name for run in runs for name in run.by_record}) - len(names)
    differences = {}
    for column, name in enumerate(MEASURES):
        both = _table(runs, names, column)
        if both.shape[1]:
            differences[name] = (
                both.shape[1],
                difference_of_means(both[: len(ours)], both[len(ours) :], seed),
            )
    adjusted = holm({name: difference.p for name, (_, difference) in differences.items()})
    metrics = {}
    for name, measure in MEASURES.items():
        if name not in differences:
            metrics[name] = measure.undefined("no record has it in all runs")
            continue
        n, difference = differences[name]
        tests = {"p_value": difference.p, "p_holm": adjusted[name], "test": difference.test}
        metrics[name] = measure.ok(
            difference.value, n, difference.ci95, **tests, **difference.details
        )
    return {"records": len(names), "unmatched": unmatched, "metrics": metrics}


def over_seeds(runs: Sequence[Outcomes], seed: int) -> dict[str, Metric]:
    """Average each measure over runs of several seeds; intervals resample runs and items.

    Each metric has its value ``by_run``, and the standard deviation ``sd`` of these values.

    Raises:
        DataError: no record is in all runs.
    """
    names = _shared(runs)
    if not names:
        hint = "give runs over the same records"
        raise DataError("no record is in all runs: their ids have nothing in common", hint=hint)
    metrics = {}
    for column, (name, measure) in enumerate(MEASURES.items()):
        table = _table(runs, names, column)
        n = table.shape[1]
        if not n:
            metrics[name] = measure.undefined("no record has it in all runs")
            continue
        interval = spread_interval(resampled_means([table], seed)[:, 0]) if n > 1 else None
        means = table.mean(axis=1)
        spread = float(means.std(ddof=1)) if len(runs) > 1 else None
        details = {"by_run": means.tolist(), "sd": spread}
        metrics[name] = measure.ok(float(table.mean()), n, interval, **details)
    return metrics
