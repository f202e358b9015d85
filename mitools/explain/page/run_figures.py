"""The figures of the runs in a folder: of each run, and of pairs of runs on the same records."""

from __future__ import annotations

import hashlib
import math
from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitools.evaluate.measures.comparison import mcnemar
from mitools.evaluate.measures.consistency import CONSISTENCY
from mitools.evaluate.measures.labels import ACCURACY, rate
from mitools.explain.build_view import verdicts
from mitools.explain.counted import PARTS, Part, part_of_summary, parts_of, usual_part
from mitools.explain.figure_text import Figure, figure_of
from mitools.explain.page.find_runs import FoundRun
from mitools.explain.summary_file import Summary, is_number, metric_at
from mitools.question import question_digest
from mitools.records import Record, read_records

__all__ = ["COLUMNS", "PairCounts", "RunFigures", "compare_runs_on", "read_run"]

COLUMNS = (
    *("label.accuracy", "consistency.consistency", "association.cvi_net"),
    *("calibration.ece_width", "calibration.auroc"),
)
"""The figures of a run in the table, by their path in a summary."""

Name = tuple[str, bytes, int]
"""Of a record: its id, its question, and how many records with both came before it."""

_Z = 1.959963984540054


@dataclass
class RunFigures:
    """What the index shows of a run.

    Attributes:
        found: the run's files; without the summary if that is of other records.
        records: number of judged records that the figures are of.
        left_out: number of the others: of train or valid, or with a role.
        model: the most frequent name of the student in its answers.
        figures: one for each column; without a value, its reason.
        is_right: by record, whether the label is right; of records with a gold label.
        digest: hash of the questions that it answered; equal for runs on the same records.
        repeated: number of records with an id seen before; all count.
        warning: what is wrong with the file or its summary; without figures, it was not read.
    """

    found: FoundRun
    records: int = 0
    left_out: int = 0
    model: str = ""
    figures: list[Figure] = field(default_factory=list)
    is_right: dict[Name, bool] = field(default_factory=dict)
    digest: str = ""
    repeated: int = 0
    warning: str = ""


def read_run(found: FoundRun) -> RunFigures:
    """Read the records of a run.

    Figures of its summary are used as they are, unless they contradict the records. Without one,
    accuracy and consistency are counted from the records that ``eval`` takes by default, if there
    are any.

    Raises:
        SourceError, DataError: the file cannot be read, or a record is invalid.
    """
    counts = _Counts(found.path)
    for record in read_records(found.path):
        if record.get("student"):
            counts.add(record)
    summary = found.summary or {}
    part = part_of_summary(summary, counts.sizes)
    usual = usual_part([one for one in PARTS if counts.sizes[one]])
    warning = _contradiction(summary, counts, part, usual)
    if warning:
        warning = f"{found.summary_path} is left out: {warning}"
        found, summary, part = replace(found, summary=None, summary_path=""), {}, None
    counts.keep(part or usual)
    own = counts.summary()
    return RunFigures(
        found,
        records=counts.records,
        left_out=counts.left_out,
        model=counts.models.most_common(1)[0][0] if counts.models else "",
        figures=[_figure(summary, own, path) for path in COLUMNS],
        is_right=counts.is_right,
        digest=counts.digest(),
        repeated=counts.repeated(),
        warning=warning,
    )


def _contradiction(summary: Summary, counts: _Counts, part: Part | None, usual: Part) -> str:
    """Return why a summary is not of these records; "" if nothing speaks against it.

    Args:
        summary: that lies beside the records.
        counts: of the records.
        part: the part that the summary is of, by its number of records.
        usual: the part that figures are of without a summary.
    """
    records, path = summary.get("records"), counts.path
    if is_number(records) and part is None:
        return f"its figures are of {records:,} records, and {path} has {counts.sizes[usual]:,}"
    right, n = counts.accuracy_in(part or usual)
    metric = metric_at(summary, "label.accuracy")
    if metric is None or metric["value"] is None or not n:
        return ""
    differs = abs(metric["value"] - right / n) > 1e-5
    return f"its accuracy is not that of the records in {path}" if differs else ""


def _figure(summary: Summary, own: Summary, path: str) -> Figure:
    metric = metric_at(summary, path) or metric_at(own, path)
    if metric is None:
        return Figure("", "", reason="not in the summary" if summary else "needs a summary")
    return figure_of("", metric)


@dataclass
class _Counts:
    """Counts of the judged records of one run."""

    path: str
    left_out: int = 0
    models: Counter[str] = field(default_factory=Counter)
    is_right: dict[Name, bool] = field(default_factory=dict)
    is_consistent: dict[Name, bool] = field(default_factory=dict)
    sizes: dict[Part, int] = field(default_factory=lambda: dict.fromkeys(PARTS, 0))
    _parts: dict[Name, tuple[Part, ...]] = field(default_factory=dict)
    _seen: Counter[tuple[str, bytes]] = field(default_factory=Counter)

    def add(self, record: Record) -> None:
        asked = str(record["id"]), question_digest(record)
        name: Name = *asked, self._seen[asked]
        self._seen[asked] += 1
        self._parts[name] = parts_of(record)
        for part in self._parts[name]:
            self.sizes[part] += 1
        if model := record["student"].get("model"):
            self.models[str(model)] += 1
        scores = verdicts(record)
        for verdict, found in (("correct", self.is_right), ("consistent", self.is_consistent)):
            if isinstance(scores.get(verdict), bool):
                found[name] = scores[verdict]

    @property
    def records(self) -> int:
        """Number of records that are kept."""
        return len(self._parts)

    def accuracy_in(self, part: Part) -> tuple[int, int]:
        """Return how many records of a part are right, and how many have a verdict."""
        found = [is_right for name, is_right in self.is_right.items() if part in self._parts[name]]
        return sum(found), len(found)

    def keep(self, part: Part) -> None:
        """Leave out the records that are not in a part."""
        for name in [name for name, parts in self._parts.items() if part not in parts]:
            self.left_out += 1
            for found in (self._parts, self.is_right, self.is_consistent):
                found.pop(name, None)

    def digest(self) -> str:
        joined = repr(sorted(self._parts)).encode("utf-8", "surrogatepass")
        return hashlib.sha256(joined).hexdigest()

    def repeated(self) -> int:
        """Count the records with an id seen before."""
        return len(self._parts) - len({name[0] for name in self._parts})

    def summary(self) -> dict[str, Any]:
        """Return accuracy and consistency, in the form of a summary."""
        empty = "no record has both a gold label and a student's answer"
        unread = "no rationale supports an answer"
        right, consistent = self.is_right.values(), self.is_consistent.values()
        accuracy = rate(ACCURACY, sum(right), len(right), empty=empty)
        found = rate(CONSISTENCY, sum(consistent), len(consistent), empty=unread)
        return {
            "label": {"accuracy": accuracy.as_json()},
            "consistency": {"consistency": found.as_json()},
        }


@dataclass(frozen=True, slots=True)
class PairCounts:
    """Runs on the same records, and each pair of them; rows and columns are positions of runs.

    Attributes:
        runs: positions of the runs in the table.
        n: records with a verdict for all of them.
        gains: ``gains[i][j]``: records that run j has right and run i has not.
        differences: accuracy of run j minus that of run i, and the bounds of its interval.
        p_values: of McNemar's exact test, two-sided.
    """

    runs: list[int]
    n: int
    gains: list[list[int]]
    differences: list[list[tuple[float, float, float]]]
    p_values: list[list[float]]


def compare_runs_on(runs: Sequence[RunFigures]) -> list[PairCounts]:
    """Compare the runs that answered the same records, in each pair.

    Returns:
        One value for each set of records that several runs answered, in the order of the runs.
    """
    groups: dict[str, list[int]] = {}
    for index, run in enumerate(runs):
        if run.is_right:
            groups.setdefault(run.digest, []).append(index)
    return [_pairs(runs, members) for members in groups.values() if len(members) > 1]


def _pairs(runs: Sequence[RunFigures], members: list[int]) -> PairCounts:
    names = sorted(set[Name].intersection(*(set(runs[index].is_right) for index in members)))
    right: NDArray[np.int64] = np.array(
        [array("q", (runs[index].is_right[name] for name in names)) for index in members],
        dtype=np.int64,
    ).reshape(len(members), len(names))
    gains = (1 - right) @ right.T
    both_ways = [
        list(zip(row, column, strict=True))
        for row, column in zip(gains.tolist(), gains.T.tolist(), strict=True)
    ]
    return PairCounts(
        members,
        len(names),
        gains.tolist(),
        [[_difference(gain, loss, len(names)) for gain, loss in row] for row in both_ways],
        [[_mcnemar(min(pair), max(pair)) for pair in row] for row in both_ways],
    )


def _difference(gain: int, loss: int, n: int) -> tuple[float, float, float]:
    """Return a difference of two paired shares, and its 95% interval.

    Half a record is added to each of the four counts, which keeps the coverage near 95% for small
    counts too.

    Source: Agresti and Min, Statistics in Medicine 24(5), 2005.
    """
    if not n:
        return 0.0, 0.0, 0.0
    middle = (gain - loss) / (n + 2)
    spread = math.sqrt((gain + loss + 1) - (gain - loss) ** 2 / (n + 2)) / (n + 2)
    return (gain - loss) / n, max(-1.0, middle - _Z * spread), min(1.0, middle + _Z * spread)


@cache
def _mcnemar(fewer: int, more: int) -> float:
    ours, theirs = np.repeat([1.0, 0.0], [more, fewer]), np.repeat([0.0, 1.0], [more, fewer])
    return mcnemar(ours, theirs)
