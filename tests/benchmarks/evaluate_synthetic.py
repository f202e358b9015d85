"""Measure the synthetic students and print every figure, one column a student.

    python -m tests.benchmarks.evaluate_synthetic [RECORDS] [PERMUTATIONS]

What theory expects of each is in ``tests/evaluate/test_synthetic.py``.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from typing import Any

from mitools.evaluate.measures.metric import Metric
from mitools.evaluate.summary import SummaryBuilder
from mitools.tasks import task_of
from tests.evaluate.synthetic import STUDENTS, answered

SECTIONS = ("label", "calibration", "consistency", "rationale", "association", "quality")


def summary_of(student: str, n: int, permutations: int) -> tuple[dict[str, Any], float]:
    """Summarize one student; also say the CPU seconds that it took."""
    tally = SummaryBuilder(simulator="local", permutations=permutations)
    for record in answered(student, n):
        tally.add(record, task_of(record))
    started = time.process_time()
    return tally.summary(0), time.process_time() - started


def cell(metric: Metric) -> str:
    if metric.value is None:
        return {"undefined": "undef.", "not_applicable": "n/a"}.get(metric.status, metric.status)
    shown = f"{metric.value:.3f}"
    if "p_value" in metric.details:
        shown += f" p={metric.details['p_value']:.2g}"
    return shown


def rows(found: dict[str, dict[str, Any]]) -> Iterator[list[str]]:
    yield ["", *STUDENTS]
    for section in SECTIONS:
        for name, metric in found[STUDENTS[0]][section].items():
            if isinstance(metric, Metric):
                cells = [cell(found[student][section][name]) for student in STUDENTS]
                yield [f"{section}.{name}", *cells]


def main(n: int = 1_000, permutations: int = 99) -> None:
    measured = {student: summary_of(student, n, permutations) for student in STUDENTS}
    table = list(rows({student: found for student, (found, _) in measured.items()}))
    table.append(["CPU seconds", *(f"{seconds:.1f}" for _, seconds in measured.values())])
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    for row in table:
        line = "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True))
        sys.stdout.write(line.rstrip() + "\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
