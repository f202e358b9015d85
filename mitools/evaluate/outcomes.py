"""Outcomes by record, so that runs can be paired, and their comparison.

Records are folded into outcomes by id and question; outcomes of several runs are folded into a
comparison.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitools.errors import DataError
from mitools.evaluate.measures.calibration import MEASURES as CALIBRATION
from mitools.evaluate.measures.calibration import confidence_nll
from mitools.evaluate.measures.comparison import (
    clusters_of,
    difference_of_means,
    holm,
    resampled_means,
)
from mitools.evaluate.measures.consistency import CONSISTENCY
from mitools.evaluate.measures.labels import ACCURACY, VALID
from mitools.evaluate.measures.metric import Measure, Metric
from mitools.evaluate.measures.statistics import spread_interval
from mitools.question import question_digest
from mitools.records import Record

__all__ = ["MEASURES", "Outcomes", "compare", "count_pairs", "over_seeds"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Name = tuple[str, bytes, int]

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
    """The outcomes of one run, by record.

    Records with the same id and the same question are numbered in their order.
    """

    by_record: dict[Name, tuple[float | None, ...]] = field(default_factory=dict)
    groups: dict[Name, str] = field(default_factory=dict)
    _seen: Counter[tuple[str, bytes]] = field(default_factory=Counter)

    def add(self, record: Record, task: str | None = None) -> None:
        """Add a judged record; ``task`` replaces its task."""
        name = str(record.get("id", "")), question_digest(record, task)
        self.by_record[*name, self._seen[name]] = _outcome(record)
        if (group := record.get("group")) is not None:
            self.groups[*name, self._seen[name]] = group
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
    """List the records that all runs have, in an order that depends on nothing else.

    Raises:
        DataError: there is none.
    """
    shared = set[Name].intersection(*(set(run.by_record) for run in runs))
    if shared:
        return sorted(shared)
    where = "both" if len(runs) == 2 else "all runs"
    reason = "their ids have nothing in common"
    if other := _other_questions(runs, shared):
        reason = f"{other:,} ids are, but with another input, label or choices, or another task"
    hint = "compare runs on the same records"
    raise DataError(f"no record is in {where}: {reason}", hint=hint)


def _other_questions(runs: Sequence[Outcomes], shared: Collection[Name]) -> int:
    """Count the ids that all runs have, but with different questions."""
    left = ({name[0] for name in run.by_record if name not in shared} for run in runs)
    return len(set[str].intersection(*left))


def count_pairs(runs: Sequence[Outcomes]) -> dict[str, int]:
    """Count the records that several runs share.

    Returns:
        ``records`` in all runs, ``unmatched`` records in some runs only, and ``differing`` ids that
        stand for another question in another run.

    Raises:
        DataError: no record is in all runs.
    """
    shared = set(_shared(runs))
    anywhere = set[Name].union(*(set(run.by_record) for run in runs))
    return {
        "records": len(shared),
        "unmatched": len(anywhere) - len(shared),
        "differing": _other_questions(runs, shared),
    }


def _table(
    runs: Sequence[Outcomes], names: Sequence[Name], column: int
) -> tuple[Floats, Ints | None]:
    """Return one outcome of every run, [S, n], for the records that have it in all runs.

    Beside it the group of each record, [n], by the field ``group`` of the first run; None where no
    two of the records share one.
    """
    rows = [[run.by_record[name][column] for name in names] for run in runs]
    table = np.array(rows, dtype=np.float64).reshape(len(runs), len(names))
    is_there = np.all(~np.isnan(table), axis=0).tolist()
    units: list[Name | str] = [
        runs[0].groups.get(name, name) for name, kept in zip(names, is_there, strict=True) if kept
    ]
    return table[:, np.flatnonzero(is_there)], clusters_of(units)


def compare(ours: Sequence[Outcomes], theirs: Sequence[Outcomes], seed: int) -> dict[str, Any]:
    """Compare this student's runs with a baseline's, measure by measure.

    Returns:
        The counts of :func:`count_pairs`, and ``metrics``, whose values are ours minus theirs.

    Raises:
        DataError: no record is in all runs.
    """
    runs = [*ours, *theirs]
    names = _shared(runs)
    differences = {}
    for column, name in enumerate(MEASURES):
        both, clusters = _table(runs, names, column)
        if both.shape[1]:
            differences[name] = (
                both.shape[1],
                difference_of_means(both[: len(ours)], both[len(ours) :], seed, clusters),
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
    return {**count_pairs(runs), "metrics": metrics}


def over_seeds(runs: Sequence[Outcomes], seed: int) -> dict[str, Metric]:
    """Average each measure over runs of several seeds; intervals resample runs and items.

    Each metric has its value ``by_run``, and the standard deviation ``sd`` of these values.

    Raises:
        DataError: no record is in all runs.
    """
    names = _shared(runs)
    metrics = {}
    for column, (name, measure) in enumerate(MEASURES.items()):
        table, clusters = _table(runs, names, column)
        n = table.shape[1]
        if not n:
            metrics[name] = measure.undefined("no record has it in all runs")
            continue
        interval = None
        if (n if clusters is None else int(clusters.max()) + 1) > 1:
            interval = spread_interval(resampled_means([table], seed, clusters)[:, 0])
        means = table.mean(axis=1)
        spread = float(means.std(ddof=1)) if len(runs) > 1 else None
        details: dict[str, Any] = {"by_run": means.tolist(), "sd": spread}
        if clusters is not None:
            details["groups"] = int(clusters.max()) + 1
        metrics[name] = measure.ok(float(table.mean()), n, interval, **details)
    return metrics
