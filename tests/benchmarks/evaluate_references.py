"""Every metric of ``mitools eval`` beside an implementation that is not ours, in one table.

    pip install netcal torchmetrics statsmodels  # for this benchmark alone
    python -m tests.benchmarks.evaluate_references [SECTION ...]

Sections: ``calibration``, ``comparisons``, ``texts``, ``association``, ``probes``; all by default.
Prints Markdown: the figure as mitools computes it from some hundred seeded records, as another
package, a slow loop by the definition, or a hand does, and the largest difference of all that the
row compares (intervals have two ends). What rests on chance was drawn by both sides apart, and may
differ by four standard errors, which are told. Exit status 1 if a row differs by more.
"""

from __future__ import annotations

import importlib
import sys
import time

SECTIONS = ("calibration", "comparisons", "texts", "association", "probes")
COLUMNS = ("metric", "independent implementation", "mitools", "other", "largest difference")


def show(cells: tuple[str, ...] | list[str]) -> None:
    sys.stdout.write(f"| {' | '.join(cells)} |\n")
    sys.stdout.flush()


def main(*asked: str) -> int:
    started, missed, count = time.process_time(), [], 0
    show(COLUMNS)
    show(["---"] * 2 + ["---:"] * 3)
    for section in asked or SECTIONS:
        for row in importlib.import_module(f"tests.benchmarks.references.{section}").rows():
            show(row.cells())
            count += 1
            if not row.is_held:
                missed.append(f"{section}: {row.metric}, beside {row.by}")
    seconds = time.process_time() - started
    sys.stderr.write(
        f"{count} rows, {seconds:.0f} CPU seconds; {len(missed)} are not as expected\n"
    )
    sys.stderr.writelines(f"  {name}\n" for name in missed)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
