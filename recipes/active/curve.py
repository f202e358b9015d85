"""Draw the learning curves of runs of ``run.sh``: accuracy by answers of the teacher.

    python recipes/active/curve.py runs/active --svg curve.svg

Reads ``CHOICE-SEED/student-ROUND.json`` and the records beside them, and prints a table: the mean
over seeds and its 95% interval (Student's t; none for one seed).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.stats import t

from mitools.records import read_records
from mitools.study.learning_curve import draw_learning_curves

Results = Mapping[str, Mapping[int, Sequence[float]]]
"""Accuracies by choice and by answers of the teacher, one for each seed."""


def collect(folder: Path) -> Results:
    """Read the finished rounds of all runs."""
    found: dict[str, dict[int, list[float]]] = defaultdict(lambda: defaultdict(list))
    for summary in sorted(folder.glob("*-*/student-*.json")):
        choice = summary.parent.name.rpartition("-")[0]
        number = summary.stem.rpartition("-")[2]
        records = read_records(summary.parent / f"round-{number}.jsonl")
        answers = sum(bool(record.get("teacher")) for record in records)
        figures = json.loads(summary.read_text(encoding="utf-8"))
        found[choice][answers].append(figures["label"]["accuracy"]["value"])
    return found


def cells(results: Results) -> list[dict[str, Any]]:
    """Make the cells of a learning curve: means with 95% intervals."""
    made = []
    for choice, by_size in results.items():
        for size, values in sorted(by_size.items()):
            mean, half = float(np.mean(values)), None
            if len(values) > 1:
                spread = float(np.std(values, ddof=1)) / len(values) ** 0.5
                half = float(t.ppf(0.975, len(values) - 1)) * spread
            ci = None if half is None else (mean - half, mean + half)
            figure = {"value": mean, "ci95": ci, "n": len(values)}
            made.append(
                {
                    "objective": choice,
                    "answer": "predict",
                    "size": size,
                    "figures": {"accuracy": figure},
                }
            )
    return made


def table(drawn: Sequence[Mapping[str, Any]]) -> str:
    """Format the cells as a Markdown table."""
    lines = ["| answers of the teacher | choice | accuracy | seeds |", "|---|---|---|---|"]
    for cell in sorted(drawn, key=lambda one: (one["size"], one["objective"])):
        figure = cell["figures"]["accuracy"]
        shown = f"{figure['value']:.1%}"
        if figure["ci95"]:
            shown += f" ({figure['ci95'][0]:.1%} to {figure['ci95'][1]:.1%})"
        lines.append(f"| {cell['size']:,} | {cell['objective']} | {shown} | {figure['n']} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path("runs/active"))
    parser.add_argument("--svg", type=Path, help="file for the picture")
    args = parser.parse_args()
    drawn = cells(collect(args.folder))
    sys.stdout.write(table(drawn))
    picture = draw_learning_curves(drawn)
    if args.svg and picture is not None:
        args.svg.write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
