"""Does the accuracy above a chosen threshold reach its target as often as promised?

    python -m tests.benchmarks.operating_point synthetic
    python -m tests.benchmarks.operating_point real [--targets 0.7:0.1,0.8:0.1] judged.jsonl […]
    python -m tests.benchmarks.operating_point kinds judged.jsonl [judged.jsonl …]

``synthetic`` draws calibration records from known curves of accuracy by confidence, so that the
true accuracy above a threshold is known: a miss is one below the target. Some curves break what
the method would like: accuracy that falls where the confidence is highest, few distinct
confidences, an accuracy that is exactly the target everywhere.

``real`` divides judged records at random, 200 times, into calibration and test records. Their
true accuracy is not known. Two numbers stand for it. The pool: calibration records are drawn with
replacement from all records, and the accuracy above the threshold over all of them counts, which
is the truth for records drawn in this way. The division: the accuracy on the test records of a
division, a sample, that is below the target by chance even where the true accuracy is above it.

``kinds`` compares the confidences: AURC over all records, and over random divisions the coverage
and the misses of each. What is fitted is fitted on half of the calibration records.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import click
import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from mitools.evaluate.measures.ranking import area_under_risk
from mitools.evaluate.operating.choose import choose_threshold
from mitools.evaluate.operating.fit import FittingRecords
from mitools.operating.confidence import CONFIDENCES, FITTED, Confidence, ConfidenceName
from mitools.records import Record, read_records
from mitools.tasks import Task, task_of

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

DIVISIONS = 200
SYNTHETIC_DRAWS = 2_000


@dataclass(frozen=True)
class Curve:
    """Answers whose confidence is uniform on a grid, and the chance that each is right.

    Attributes:
        confidences: [G] ascending.
        chances: [G] that an answer of this confidence is right.
        shares: [G] of the answers; they add up to 1.
    """

    confidences: Floats
    chances: Floats
    shares: Floats

    def draw(self, rng: np.random.Generator, n: int) -> tuple[Floats, Bools]:
        """Draw n answers: confidences, and whether each is right."""
        places = rng.choice(len(self.confidences), size=n, p=self.shares)
        return self.confidences[places], rng.random(n) < self.chances[places]

    def accuracy_above(self, threshold: float) -> float:
        """Compute the true accuracy of the answers at or above a threshold."""
        kept = self.confidences >= threshold
        return float((self.chances * self.shares)[kept].sum() / self.shares[kept].sum())

    def coverage_above(self, threshold: float) -> float:
        return float(self.shares[self.confidences >= threshold].sum())


def continuous(chance: Callable[[Floats], Floats]) -> Curve:
    grid = (np.arange(20_000) + 0.5) / 20_000
    return Curve(grid, np.clip(chance(grid), 0, 1), np.full(len(grid), 1 / len(grid)))


def discrete(*rows: tuple[float, float, float]) -> Curve:
    """Make a curve of rows: confidence, chance and share."""
    columns = np.array(sorted(rows)).T
    return Curve(columns[0], columns[1], columns[2] / columns[2].sum())


CURVES: Mapping[str, Curve] = {
    "slope": continuous(lambda s: 0.55 + 0.44 * s),
    "steep": continuous(lambda s: 0.995 / (1 + np.exp(-12 * (s - 0.4)))),
    "at the target": continuous(lambda s: np.where(s > 0.3, 0.8, 0.3)),
    "errors at the top": continuous(lambda s: np.where(s > 0.97, 0.6, 0.3 + 0.66 * s)),
    "two dips": continuous(lambda s: 0.75 + 0.25 * s + 0.2 * np.sin(14 * s)),
    "no information": continuous(lambda s: np.full_like(s, 0.79)),
    "nine in ten tied": discrete((0.2, 0.5, 5), (0.6, 0.7, 5), (1.0, 0.82, 90)),
    "four values": discrete((0.25, 0.4, 1), (0.5, 0.6, 1), (0.75, 0.83, 1), (1.0, 0.97, 1)),
    "four values, just below": discrete(
        (0.25, 0.4, 1), (0.5, 0.6, 1), (0.75, 0.79, 1), (1.0, 0.799, 1)
    ),
}


def miss_counts(
    curve: Curve, *, n: int, target: float, risk: float, draws: int, seed: int
) -> tuple[int, int, float]:
    """Choose a threshold on each of many sets of n answers.

    Returns:
        How often the true accuracy above the threshold is below the target, how often a threshold
        was chosen, and the mean true coverage, 0 where none was.
    """
    rng = np.random.default_rng(seed)
    misses = chosen = 0
    coverage = 0.0
    for _ in range(draws):
        choice = choose_threshold(*curve.draw(rng, n), target, risk)
        if choice.threshold is not None:
            chosen += 1
            misses += curve.accuracy_above(choice.threshold) < target - 1e-9
            coverage += curve.coverage_above(choice.threshold)
    return misses, chosen, coverage / draws


def binomial_interval(hits: int, n: int) -> str:
    """Write a rate in percent with its Clopper-Pearson interval, 95%."""
    low = 0.0 if hits == 0 else float(beta.ppf(0.025, hits, n - hits + 1))
    high = 1.0 if hits == n else float(beta.ppf(0.975, hits + 1, n - hits))
    return f"{100 * hits / n:.1f} ({100 * low:.1f} to {100 * high:.1f})"


def synthetic() -> None:
    """Print a row for each curve, setting and number of records."""
    click.echo("| curve | target, risk | records | misses, % | threshold found, % | coverage, % |")
    click.echo("|---|---|---|---|---|---|")
    for name, curve in CURVES.items():
        for target, risk in ((0.8, 0.1), (0.9, 0.05)):
            for n in (50, 200, 1_000):
                misses, chosen, coverage = miss_counts(
                    curve, n=n, target=target, risk=risk, draws=SYNTHETIC_DRAWS, seed=n
                )
                rate = binomial_interval(misses, SYNTHETIC_DRAWS)
                found = f"{100 * chosen / SYNTHETIC_DRAWS:.0f} | {100 * coverage:.0f}"
                click.echo(f"| {name} | {target}, {risk} | {n:,} | {rate} | {found} |")


@dataclass(frozen=True)
class Judged:
    """Judged records with gold: the confidence of each, and whether its answer is right."""

    pairs: Sequence[tuple[Record, Task]]
    is_right: Bools

    @classmethod
    def read(cls, path: str) -> Judged:
        records = [one for one in read_records(path) if one["scores"]["correct"] is not None]
        right = np.array([one["scores"]["correct"] for one in records], dtype=bool)
        return cls([(one, task_of(one)) for one in records], right)

    def stated(self, confidence: Confidence) -> Floats:
        values = [confidence.of(record, task) for record, task in self.pairs]
        return np.array([np.nan if one is None else one for one in values], dtype=np.float64)

    def fitted(self, kind: ConfidenceName, places: Sequence[int]) -> Floats:
        """Return the confidences of a kind that is fitted on some of the records."""
        fitting = FittingRecords(kind)
        for place in places:
            record, task = self.pairs[place]
            fitting.add(record, task, record["label"])
        return self.stated(fitting.fit() or Confidence())


def real(paths: Sequence[str], targets: Sequence[tuple[float, float]]) -> None:
    """Print a row for each file, setting and number of calibration records.

    At least half as many records as choose a threshold are left to test it.
    """
    click.echo(
        "| records | target, risk | calibration | misses, pool % | misses, division % | coverage |"
    )
    click.echo("|---|---|---|---|---|---|")
    for path in paths:
        judged = Judged.read(path)
        stated = judged.stated(Confidence())
        sizes = [n for n in (100, 300, 1_000) if 3 * n <= 2 * len(judged.is_right)]
        for target, risk in targets:
            for n in sizes:
                row = divide(stated, judged.is_right, n, target, risk)
                click.echo(f"| {path} | {target}, {risk} | {n:,} | {row} |")


def divide(stated: Floats, right: Bools, n: int, target: float, risk: float) -> str:
    """Divide records 200 times; write the misses of both kinds, and the mean coverage."""
    rng = np.random.default_rng(n)
    by_pool = by_division = 0
    coverage = 0.0
    for _ in range(DIVISIONS):
        drawn = rng.integers(0, len(right), size=n)
        choice = choose_threshold(stated[drawn], right[drawn], target, risk)
        if choice.threshold is not None:
            by_pool += right[stated >= choice.threshold].mean() < target
        order = rng.permutation(len(right))
        valid, test = order[:n], order[n:]
        choice = choose_threshold(stated[valid], right[valid], target, risk)
        if choice.threshold is not None:
            kept = stated[test] >= choice.threshold
            coverage += kept.mean()
            by_division += bool(kept.any()) and right[test][kept].mean() < target
    cells = (binomial_interval(by_pool, DIVISIONS), binomial_interval(by_division, DIVISIONS))
    return f"{cells[0]} | {cells[1]} | {100 * coverage / DIVISIONS:.0f}%"


def kinds(paths: Sequence[str]) -> None:
    """Print a row for each file and confidence."""
    settings = ((0.8, 0.1, 500), (0.9, 0.05, 500), (0.95, 0.05, 1_000))
    heads = [f"coverage at {target}, n = {n:,}" for target, _, n in settings]
    click.echo(f"| records | confidence | AURC | {' | '.join(heads)} | misses, pool % |")
    click.echo("|---|---|---|" + "---|" * (len(heads) + 1))
    for path in paths:
        judged = Judged.read(path)
        for kind in CONFIDENCES:
            click.echo(f"| {path} | {kind} | {compare_kind(judged, kind, settings)} |")


def compare_kind(
    judged: Judged, kind: ConfidenceName, settings: Sequence[tuple[float, float, int]]
) -> str:
    """Write AURC, coverages and misses of one confidence over 30 divisions for each setting."""
    divisions = 30
    rng = np.random.default_rng(7)
    areas: list[float] = []
    cells: list[str] = []
    misses = 0
    plain = None if kind in FITTED else judged.stated(Confidence(kind))
    for target, risk, n in settings:
        coverage = 0.0
        for _ in range(divisions):
            order = rng.permutation(len(judged.is_right))
            fit, choosing = (
                (order[: n // 2], order[n // 2 : n]) if kind in FITTED else ([], order[:n])
            )
            stated = judged.fitted(kind, fit) if plain is None else plain
            areas.append(area(stated[order[n:]], judged.is_right[order[n:]]))
            choice = choose_threshold(stated[choosing], judged.is_right[choosing], target, risk)
            if choice.threshold is not None:
                kept = stated >= choice.threshold
                coverage += kept[order[n:]].mean()
                misses += judged.is_right[kept].mean() < target
        cells.append(f"{100 * coverage / divisions:.1f}%")
    rate = binomial_interval(misses, divisions * len(settings))
    return f"{np.mean(areas):.4f} | {' | '.join(cells)} | {rate}"


def area(stated: Floats, right: Bools) -> float:
    values, place = np.unique(np.nan_to_num(stated, nan=-1.0), return_inverse=True)
    counts: list[Any] = [
        np.bincount(place[kept], minlength=len(values)).astype(np.float64)
        for kept in (right, ~right)
    ]
    return float(area_under_risk(*counts))


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).partition("\n")[0])
    parser.add_argument("command", choices=("synthetic", "real", "kinds"))
    parser.add_argument("judged", nargs="*", help="judged records, a file for each student")
    parser.add_argument(
        "--targets", default="0.8:0.1,0.9:0.05,0.95:0.05", help="of real: TARGET:RISK, …"
    )
    args = parser.parse_intermixed_args()
    if args.command == "synthetic":
        synthetic()
    elif args.command == "real":
        pairs = [pair.split(":") for pair in args.targets.split(",")]
        real(args.judged, [(float(target), float(risk)) for target, risk in pairs])
    else:
        kinds(args.judged)


if __name__ == "__main__":
    main()
