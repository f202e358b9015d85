"""Means, intervals and paired tests over the runs of a study: pure functions on results.

The unit of a comparison is a *cell*: an objective and a way of answering at one number of training
records. Each cell has a table of correct answers [S, n]: one row a seed, one column a record that
all seeds answered; with folds, a row joins the folds of its seed. Where records share a value of
the field ``group``, the groups are the units of intervals and tests, as in ``mitools eval``.
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
    cluster_sums,
    clusters_of,
    holm,
    larger_detectable,
    mcnemar,
    resampled_means,
    sign_flip,
    smallest_detectable,
)
from mitools.evaluate.measures.metric import Interval
from mitools.evaluate.measures.seeds import compare_paired_seeds
from mitools.evaluate.measures.statistics import (
    clustered_interval,
    spread_interval,
    wilson_interval,
)
from mitools.rounding import rounded
from mitools.study.plan import Study
from mitools.study.results import RESULT_NAMES, SHARES, RecordName, Result, Verdict, Verdicts

__all__ = ["Cell", "Name", "build_tables", "cells_of", "compare_cells", "sizes_of"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


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
        groups: the group of each record that has one.
        figures: for each name of :data:`~mitools.study.results.RESULT_NAMES`, one number a run.
    """

    name: Name
    correct: dict[int, dict[RecordName, float]] = field(default_factory=dict)
    groups: dict[RecordName, str] = field(default_factory=dict)
    figures: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    step_seconds: list[float] = field(default_factory=list)
    runs: int = 0

    def table(self, seeds: Sequence[int], records: Sequence[RecordName]) -> Floats:
        rows = [[self.correct[seed][name] for name in records] for seed in seeds]
        return np.array(rows, dtype=np.float64).reshape(len(seeds), len(records))

    def records(self, seeds: Sequence[int]) -> set[RecordName]:
        """The records that were answered with each of these seeds."""
        return set.intersection(*(set(self.correct[seed]) for seed in seeds)) if seeds else set()

    def clusters(self, records: Sequence[RecordName]) -> Ints | None:
        """Number the groups of the records, [n]; None where no two of them share one."""
        return clusters_of([self.groups.get(name, name) for name in records])


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
            joined = _joined(member.verdicts for member in members)
            cells[name].correct[seed] = {
                record: float(verdict.is_correct)
                for record, verdict in joined.items()
                if verdict.is_correct is not None
            }
            for record, verdict in joined.items():
                if verdict.group is not None:
                    cells[name].groups.setdefault(record, verdict.group)
    return cells


def _joined(folds: Iterable[Verdicts]) -> dict[RecordName, Verdict]:
    """Join the records of all folds; those that are the same are numbered over all of them."""
    joined: dict[RecordName, Verdict] = {}
    seen: Counter[tuple[str, str]] = Counter()
    for verdicts in folds:
        for (record_id, text, _), verdict in verdicts.items():
            same = record_id, text
            joined[*same, seen[same]] = verdict
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
    """Average over seeds and records; the interval resamples both, so it holds for others.

    Where records come in groups, the groups are the units, and ``groups`` is their number.
    """
    seeds = sorted(cell.correct)
    records = sorted(cell.records(seeds))
    table, clusters = cell.table(seeds, records), cell.clusters(records)
    units = _units(records, clusters)
    if len(seeds) == 1:
        interval = _interval_of_records(table[0], clusters)
    elif clusters is not None and units < 2:
        interval = None
    else:
        interval = spread_interval(resampled_means([table], seed, clusters)[:, 0])
    by_seed = table.mean(axis=1).tolist()
    found = {"value": float(table.mean()), "ci95": interval, "n": len(records), "by_seed": by_seed}
    return found if clusters is None else {**found, "groups": units}


def _units(records: Sequence[RecordName], clusters: Ints | None) -> int:
    return len(records) if clusters is None else int(clusters.max()) + 1


def _interval_of_records(row: Floats, clusters: Ints | None) -> Interval | None:
    """Give the interval of the share of right answers of one run, [n]."""
    hits = int(row.sum())
    if clusters is None:
        return wilson_interval(hits, len(row))
    by_group = cluster_sums(np.stack([row, np.ones_like(row)]), clusters).astype(np.int64)
    right, sizes = by_group.tolist()
    return clustered_interval(hits, len(row), list(zip(right, sizes, strict=True)))


def compare_cells(ours: Cell, theirs: Cell, seed: int) -> dict[str, Any] | None:
    """Compare two cells on the seeds and records that both have, in pairs.

    The p-value is the larger of two: of random signs over records (for one seed, McNemar's exact
    test), which asks whether other records would say the same; and of a paired t-test over seeds,
    which asks whether other seeds would. One seed leaves the first alone, and ``scope`` says
    ``records``. Where records come in groups, signs are those of the groups' sums, and ``scope``
    says ``groups``.

    Returns:
        ``difference`` (ours minus theirs) with its interval, ``p_value``, ``scope``, ``seeds``,
        ``records``, ``groups`` where there are any, ``smallest_detectable`` (what a test at 5%
        finds in 80% of such studies); None where they have no seed in common. The interval and the
        least detectable difference are None where both are alike on every record, or all records
        are of one group; the latter also where all seeds differ by the same.
    """
    seeds = sorted(set(ours.correct) & set(theirs.correct))
    records = sorted(ours.records(seeds) & theirs.records(seeds))
    if not records:
        return None
    mine, other = ours.table(seeds, records), theirs.table(seeds, records)
    clusters = ours.clusters(records)
    units = _units(records, clusters)
    gap = mine - other
    p_records = _p_of_records(mine, other, clusters, seed)
    means = resampled_means([gap], seed, clusters, limits=(-1.0, 1.0))[:, 0]
    least = smallest_detectable(float(means.std()), 1)
    p_seeds, scope = None, "records" if clusters is None else "groups"
    if len(seeds) > 1:
        over_seeds = compare_paired_seeds(gap.mean(axis=1))
        p_seeds, scope = over_seeds.p, f"{scope} and seeds"
        least = larger_detectable(least, over_seeds.smallest_detectable)
    return {
        "difference": float(gap.mean()),
        "ci95": spread_interval(means) if units > 1 else None,
        "p_value": max(p_records, p_seeds or 0.0),
        "p_records": p_records,
        "p_seeds": p_seeds,
        "scope": scope,
        "seeds": len(seeds),
        "records": len(records),
        **({} if clusters is None else {"groups": units}),
        "smallest_detectable": least if units > 1 else None,
    }


def _p_of_records(mine: Floats, other: Floats, clusters: Ints | None, seed: int) -> float:
    """Test two tables [S, n] for a difference that other records, or groups, would show too."""
    per_record = (mine - other).mean(axis=0)
    if clusters is not None:
        return sign_flip(cluster_sums(per_record[None], clusters)[0], seed)
    return mcnemar(mine[0], other[0]) if len(mine) == 1 else sign_flip(per_record, seed)


def sizes_of(tables: Mapping[str, Any]) -> list[int | None]:
    """List the sizes of a report, smallest first."""
    return sorted({cell["size"] for cell in tables["cells"]}, key=lambda size: size or 0)
