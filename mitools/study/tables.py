"""Means, intervals and paired tests over the runs of a study: pure functions on results.

The unit of a comparison is a *cell*: an objective and a way of answering at one number of training
records. Each cell has a table of correct answers [S, n]: one row a seed, one column a record that
all seeds answered; with folds, a row joins the folds of its seed.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student_t

from mitools.evaluate.measures.comparison import (
    holm,
    mcnemar,
    resampled_means,
    sign_flip,
    smallest_detectable,
)
from mitools.evaluate.measures.metric import Interval
from mitools.evaluate.measures.statistics import (
    spread_interval,
    wilson_interval,
)
from mitools.rounding import rounded
from mitools.study.plan import Study
from mitools.study.results import RESULT_NAMES, SHARES, RecordName, Result, Verdicts

__all__ = ["Cell", "Name", "build_tables", "cells_of", "compare_cells", "sizes_of"]

Floats = NDArray[np.float64]

_EQUAL = 1e-9


@dataclass(frozen=True, order=True)
class Name:
    """What a cell holds: an objective, a way of answering, and a number of training records."""

    objective: str
    answer: str
    size: int | None


@dataclass
class Cell:
    """All runs of one cell that are stored.

    Attributes:
        correct: for each seed whose folds are all there, whether each record with a gold label was
            answered rightly.
        figures: for each name of :data:`~mitools.study.results.RESULT_NAMES`, one number a run.
    """

    name: Name
    correct: dict[int, dict[RecordName, float]] = field(default_factory=dict)
    figures: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    step_seconds: list[float] = field(default_factory=list)
    runs: int = 0

    def table(self, seeds: Sequence[int], records: Sequence[RecordName]) -> Floats:
        rows = [[self.correct[seed][name] for name in records] for seed in seeds]
        return np.array(rows, dtype=np.float64).reshape(len(seeds), len(records))

    def records(self, seeds: Sequence[int]) -> set[RecordName]:
        """The records that were answered with each of these seeds."""
        return set.intersection(*(set(self.correct[seed]) for seed in seeds)) if seeds else set()


def cells_of(study: Study, results: Sequence[Result]) -> dict[Name, Cell]:
    """Gather results by objective, way of answering and size, in the study's order."""
    cells: dict[Name, Cell] = {}
    parts: dict[tuple[Name, int], list[Result]] = defaultdict(list)
    for result in results:
        name = Name(result.run.objective.name, result.answer, result.run.size)
        cell = cells.setdefault(name, Cell(name))
        cell.runs += 1
        for figure, value in result.figures.items():
            cell.figures[figure].append(value)
        if result.step_seconds is not None:
            cell.step_seconds.append(result.step_seconds)
        parts[name, result.run.seed].append(result)
    for (name, seed), members in parts.items():
        if len(members) == (study.folds or 1):
            cells[name].correct[seed] = _joined(member.verdicts for member in members)
    return cells


def _joined(folds: Iterable[Verdicts]) -> dict[RecordName, float]:
    """Join the records of all folds; those that are the same are numbered over all of them."""
    joined: dict[RecordName, float] = {}
    seen: Counter[tuple[str, str]] = Counter()
    for verdicts in folds:
        for (record_id, text, _), verdict in verdicts.items():
            same = record_id, text
            if verdict.is_correct is not None:
                joined[*same, seen[same]] = float(verdict.is_correct)
            seen[same] += 1
    return joined


def build_tables(study: Study, results: Sequence[Result], seed: int = 0) -> dict[str, Any]:
    """Describe every cell, and compare each with the baselines.

    Args:
        seed: of all resampling.

    Returns:
        Plain JSON values: ``cells``, and ``comparisons``, whose p-values are adjusted for their
        number (Holm).
    """
    cells = cells_of(study, results)
    described = [_describe(cell, seed) for cell in cells.values()]
    comparisons: list[dict[str, Any]] = []
    compared: set[frozenset[Name]] = set()
    for name, cell in cells.items():
        for baseline in study.baselines:
            theirs = cells.get(Name(baseline, _first_answer(study, baseline), name.size))
            # Two baselines are compared once: the second time would only cost power.
            if theirs is None or theirs is cell or frozenset((name, theirs.name)) in compared:
                continue
            compared.add(frozenset((name, theirs.name)))
            if (found := compare_cells(cell, theirs, seed)) is not None:
                comparisons.append({**_as_json(name), "baseline": baseline, **found})
    adjusted = holm({str(place): one["p_value"] for place, one in enumerate(comparisons)})
    for place, one in enumerate(comparisons):
        one["p_holm"] = adjusted[str(place)]
    return {"cells": described, "comparisons": [rounded(one) for one in comparisons]}


def _first_answer(study: Study, objective: str) -> str:
    return next(one.answers[0] for one in study.objectives if one.name == objective)


def _as_json(name: Name) -> dict[str, Any]:
    return {"objective": name.objective, "answer": name.answer, "size": name.size}


def _describe(cell: Cell, seed: int) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name in RESULT_NAMES:
        values = np.array(cell.figures.get(name, ()))
        if len(values):
            interval = _interval_of_runs(values, is_share=name in SHARES)
            figures[name] = {"value": float(values.mean()), "ci95": interval, "n": len(values)}
    if cell.records(list(cell.correct)):
        figures["accuracy"] = _accuracy(cell, seed)
    steps = cell.step_seconds
    described: dict[str, Any] = rounded(
        {
            **_as_json(cell.name),
            "runs": cell.runs,
            "seeds": len(cell.correct),
            "figures": figures,
            "step_seconds": float(np.median(steps)) if steps else None,
        }
    )
    return described


def _interval_of_runs(values: Floats, *, is_share: bool) -> Interval | None:
    """Give Student's 95% interval of the mean over runs (a share's within 0 and 1), or None."""
    if len(values) < 2:
        return None
    margin = student_t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / np.sqrt(len(values))
    low, high = float(values.mean() - margin), float(values.mean() + margin)
    return (max(0.0, low), min(1.0, high)) if is_share else (low, high)


def _accuracy(cell: Cell, seed: int) -> dict[str, Any]:
    """Average over seeds and records; the interval resamples both, so it holds for others."""
    seeds = sorted(cell.correct)
    records = sorted(cell.records(seeds))
    table = cell.table(seeds, records)
    if len(seeds) == 1:
        interval = wilson_interval(int(table.sum()), table.size)
    else:
        interval = spread_interval(resampled_means([table], seed)[:, 0])
    by_seed = table.mean(axis=1).tolist()
    return {"value": float(table.mean()), "ci95": interval, "n": len(records), "by_seed": by_seed}


def compare_cells(ours: Cell, theirs: Cell, seed: int) -> dict[str, Any] | None:
    """Compare two cells on the seeds and records that both have, in pairs.

    The p-value is the larger of two: of random signs over records (for one seed, McNemar's exact
    test), which asks whether other records would say the same; and of a paired t-test over seeds,
    which asks whether other seeds would. One seed leaves the first alone, and ``scope`` says
    ``records``.

    Returns:
        ``difference`` (ours minus theirs) with its interval, ``p_value``, ``scope``, ``seeds``,
        ``records``, ``smallest_detectable`` (what a test at 5% finds in 80% of such studies); None
        where they have no seed in common. The interval and the least detectable difference are None
        where both are alike on every record.
    """
    seeds = sorted(set(ours.correct) & set(theirs.correct))
    records = sorted(ours.records(seeds) & theirs.records(seeds))
    if not records:
        return None
    mine, other = ours.table(seeds, records), theirs.table(seeds, records)
    gap = mine - other
    per_record = gap.mean(axis=0)
    p_records = mcnemar(mine[0], other[0]) if len(seeds) == 1 else sign_flip(per_record, seed)
    p_seeds = _paired_t(gap.mean(axis=1)) if len(seeds) > 1 else None
    means = resampled_means([gap], seed)[:, 0]
    return {
        "difference": float(gap.mean()),
        "ci95": spread_interval(means) if len(records) > 1 else None,
        "p_value": max(p_records, p_seeds or 0.0),
        "p_records": p_records,
        "p_seeds": p_seeds,
        "scope": "records" if p_seeds is None else "records and seeds",
        "seeds": len(seeds),
        "records": len(records),
        "smallest_detectable": smallest_detectable(float(means.std()), 1),
    }


def _paired_t(differences: Floats) -> float:
    """Test differences [S], one a seed, for a mean of 0: Student's p, two-sided, S at least 2.

    A test of signs would be of no use here: with 10 seeds its p is never below .002, which no
    adjustment for a hundred comparisons survives. A difference is a mean over many records, so its
    distribution is nearly normal. Where all are equal, p is that of their signs.
    """
    count = len(differences)
    if np.ptp(differences) < _EQUAL:
        return 1.0 if abs(differences[0]) < _EQUAL else 2 * 0.5**count
    error = differences.std(ddof=1) / np.sqrt(count)
    return float(2 * student_t.sf(abs(differences.mean()) / error, count - 1))


def sizes_of(tables: Mapping[str, Any]) -> list[int | None]:
    """List the sizes of a report, smallest first."""
    return sorted({cell["size"] for cell in tables["cells"]}, key=lambda size: size or 0)
