"""Two students and several seeds: against statsmodels and SciPy."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np
from scipy.stats import bootstrap, permutation_test, ttest_ind
from statsmodels.stats.contingency_tables import mcnemar as statsmodels_mcnemar
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_confint

from mitools.evaluate.measures.comparison import (
    difference_of_means,
    holm,
    mcnemar,
    sign_flip,
    smallest_detectable,
)
from mitools.evaluate.measures.statistics import wilson_interval
from mitools.evaluate.outcomes import MEASURES, Outcomes, compare, over_seeds
from mitools.records import Record
from tests.benchmarks.references.records import equation_records
from tests.benchmarks.references.rows import Row, by_chance, end_margin, exact, named

__all__ = ["rows"]

Floats = np.ndarray
N = 300
_RESAMPLES = 10_000


def _run(seed: int, slips: int = N) -> list[Record]:
    """Let another student answer the questions of seed 0, and slip at every so many."""
    questions, answers = equation_records(N, 0)[0], equation_records(N, seed)[0]
    records = []
    for question, answer in zip(questions, answers, strict=True):
        is_right = answer["scores"]["correct"] and int(question["id"]) % slips != slips - 1
        right = question["label"] if is_right else "1"
        # Within 0 and 1, where no cost is huge: ends of intervals are compared as a normal's.
        sure = min(max(answer["student"]["confidence"], 0.05), 0.95)
        student = {"label": right, "confidence": sure}
        told = f"So the answer is {right if answer['scores']['steps'] else '1'}."
        scores = {
            **answer["scores"],
            "correct": is_right,
            "consistent": told == f"So the answer is {right}.",
        }
        records.append({**question, "student": {**student, "rationale": told}, "scores": scores})
    return records


def _outcomes(records: Sequence[Record]) -> Outcomes:
    found = Outcomes()
    for record in records:
        found.add(record)
    return found


def _column(records: Sequence[Record], name: str) -> Floats:
    """Work each outcome out anew."""
    values = []
    for record in records:
        right, sure = record["scores"]["correct"], record["student"]["confidence"]
        values.append(
            {
                "accuracy": float(right),
                "consistency": float(record["scores"]["consistent"]),
                "valid": float(record["scores"]["valid"]),
                "brier": (sure - right) ** 2,
                "nll": -math.log(sure if right else 1 - sure),
            }[name]
        )
    return np.array(values)


def rows() -> Iterator[Row]:
    yield from _pair_rows()
    yield from _test_rows()
    yield from _seed_rows()
    yield from _power_rows()


def _pair_rows() -> Iterator[Row]:
    ours, theirs = _run(1), _run(2, slips=6)
    found = compare([_outcomes(ours)], [_outcomes(theirs)], 0)["metrics"]
    for name in MEASURES:
        one, other = _column(ours, name), _column(theirs, name)
        metric = found[name]
        by = f"{named('numpy', 'mean')} of pairs"
        yield exact(f"compare.{name}", by, metric.value, (one - other).mean())
        if name == "valid":  # all are, in both
            continue
        known = bootstrap(
            (one, other),
            lambda a, b, axis: a.mean(axis=axis) - b.mean(axis=axis),
            paired=True,
            n_resamples=_RESAMPLES,
            method="percentile",
            rng=np.random.default_rng(7),
        )
        margin = end_margin(float(known.standard_error))
        ends = known.confidence_interval
        by = named("scipy", "bootstrap, paired")
        yield by_chance("… interval", by, metric.ci95, ends, margin)
        p = metric.details["p_value"]
        if name in ("accuracy", "consistency"):
            yield exact(
                "… p, McNemar", named("statsmodels", "mcnemar, exact"), p, _mcnemar(one, other)
            )
        else:
            yield _sign_row("… p, random signs", p, one - other)
    tested = [name for name in MEASURES if name in found]
    plain = [found[name].details["p_value"] for name in tested]
    ours_p = [found[name].details["p_holm"] for name in tested]
    by = named("statsmodels", "multipletests, holm")
    yield exact("compare: p_holm of all", by, ours_p, multipletests(plain, method="holm")[1])


def _mcnemar(one: Floats, other: Floats) -> float:
    table = [[int(((one == a) & (other == b)).sum()) for b in (1, 0)] for a in (1, 0)]
    return float(statsmodels_mcnemar(table, exact=True).pvalue)


def _sign_row(name: str, p: float, difference: Floats) -> Row:
    known = permutation_test(
        (difference,),
        np.mean,
        permutation_type="samples",
        n_resamples=_RESAMPLES,
        rng=np.random.default_rng(8),
    )
    margin = 4 * math.sqrt(2 * max(known.pvalue, 1e-3) / _RESAMPLES)
    return by_chance(name, named("scipy", "permutation_test"), p, known.pvalue, margin)


def _test_rows() -> Iterator[Row]:
    rng = np.random.default_rng(0)
    pairs = [(rng.random(60) < a, rng.random(60) < b) for a, b in rng.random((300, 2))]
    ours = [mcnemar(one.astype(float), other.astype(float)) for one, other in pairs]
    theirs = [_mcnemar(one, other) for one, other in pairs]
    yield exact("mcnemar, 300 tables", named("statsmodels", "mcnemar, exact"), ours, theirs)
    five = np.array([1.0] * 5 + [0.0] * 55)
    ours = mcnemar(five, np.zeros(60))
    yield exact("… five to none", "hand-worked: 2 · ½⁵", ours, 0.0625)
    few = rng.normal(0.4, 1, size=9)
    known = permutation_test((few,), np.mean, permutation_type="samples", n_resamples=np.inf)
    margin = 4 * math.sqrt(known.pvalue * (1 - known.pvalue) / _RESAMPLES)
    by = named("scipy", "permutation_test, all 512 signs")
    yield by_chance("sign_flip, 9 items", by, sign_flip(few, 0), known.pvalue, margin)
    counts = [(hits, n) for n in (1, 2, 5, 20, 200, 1_221) for hits in {0, 1, n // 3, n - 1, n}]
    ours = [end for hits, n in counts for end in wilson_interval(hits, n) or ()]
    theirs = [end for hits, n in counts for end in proportion_confint(hits, n, method="wilson")]
    by = named("statsmodels", "proportion_confint, wilson")
    yield exact(f"wilson_interval, {len(counts)} rates", by, ours[::-1], theirs[::-1])
    p_values = {str(place): p for place, p in enumerate(rng.random(40) ** 3)}
    ours = list(holm(p_values).values())
    theirs = multipletests(list(p_values.values()), method="holm")[1]
    yield exact("holm, 40 p-values", named("statsmodels", "multipletests, holm"), ours, theirs)


def _nested(groups: Sequence[Floats], resamples: int) -> Floats:
    """Draw items, the same for all groups, and runs of each group; one at a time.

    Runs that are drawn deviate from the mean of S runs by √(1 - 1/S) of what other seeds would.
    """
    rng = np.random.default_rng(11)
    n = groups[0].shape[1]
    drawn = []
    for _ in range(resamples):
        items = rng.integers(n, size=n)
        means = []
        for runs in groups:
            chosen = rng.integers(len(runs), size=len(runs))
            center = np.mean([run[items].mean() for run in runs])
            mean = np.mean([runs[run][items].mean() for run in chosen])
            means.append(center + (mean - center) * math.sqrt(len(runs) / (len(runs) - 1)))
        drawn.append(means)
    return np.array(drawn)


def _seed_rows() -> Iterator[Row]:
    ours, theirs = [_run(seed) for seed in (1, 2, 3)], [_run(seed, slips=9) for seed in (4, 5)]
    metric = over_seeds([_outcomes(run) for run in ours], 0)["accuracy"]
    groups = [np.array([_column(run, "accuracy") for run in side]) for side in (ours, theirs)]
    by_run = groups[0].mean(axis=1)
    values = (metric.value, *metric.details["by_run"], metric.details["sd"])
    known = (by_run.mean(), *by_run, np.std(by_run, ddof=1))
    yield exact("seeds.accuracy, by run, sd", named("numpy", "mean, std"), values, known)
    resamples = 10_000
    drawn = _nested(groups, resamples)
    ends = np.quantile(drawn[:, 0], (0.025, 0.975))
    margin = end_margin(float(drawn[:, 0].std()), theirs=resamples)
    slow = f"slow loop, {resamples:,} resamples"
    yield by_chance("… interval, runs and items", slow, metric.ci95, ends, margin)
    found = compare(*([_outcomes(run) for run in side] for side in (ours, theirs)), 0)
    metric, gaps = found["metrics"]["accuracy"], (drawn[:, 0] - drawn[:, 1]).round(12)
    margin = end_margin(float(gaps.std()), theirs=resamples)
    ends = np.quantile(gaps, (0.025, 0.975))
    yield by_chance("compare, 3 seeds to 2: interval", slow, metric.ci95, ends, margin)
    p = 2 * min((gaps <= 0).mean(), (gaps >= 0).mean())
    margin = 8 * math.sqrt(p / 2 / resamples) + 1e-3
    yield by_chance("… p of resamples", slow, metric.details["p_bootstrap"], p, margin)
    by_seed = [group.mean(axis=1) for group in groups]
    known = float(ttest_ind(*by_seed, equal_var=False).pvalue)
    by = named("scipy", "ttest_ind, Welch")
    yield exact("… p over seeds", by, metric.details["p_seeds"], known)


def _power_rows() -> Iterator[Row]:
    n, spread = 200, 0.7
    ours = smallest_detectable(spread, n)
    effect = NormalIndPower().solve_power(nobs1=n, alpha=0.05, power=0.8, ratio=0)
    by = named("statsmodels", "NormalIndPower")
    yield exact("smallest_detectable", by, ours, effect * spread, within=1e-6, why="its solver")
    share = _found_share(ours, n, spread)
    by = "share found of 20,000 experiments"
    margin = 4 * math.sqrt(0.8 * 0.2 / 20_000)
    yield by_chance("… its power", by, 0.8, share, margin)
    share, margin = _seeds_find(3, 200), 4 * math.sqrt(0.8 * 0.2 / 120)
    by = "share found of 120 experiments"
    yield by_chance("… its power, 3 seeds to 3", by, 0.8, share, margin)


def _seeds_find(seeds: int, n: int) -> float:
    """Give the share of experiments in which several seeds find what they say they can find."""
    rng, effect, found = np.random.default_rng(5), 0.0, []
    for number in range(140):
        difficulty = 0.15 * rng.normal(size=n)
        ours, theirs = (
            (rng.random((seeds, n)) < rate + rng.normal(0, 0.03, size=(seeds, 1)) + difficulty)
            for rate in (0.7 + effect, 0.7)
        )
        one = difference_of_means(ours.astype(float), theirs.astype(float), 0)
        found.append(one.p < 0.05 if effect else one.details["smallest_detectable"])
        if number == 19:
            effect, found = float(np.mean(found)), []
    return float(np.mean(found))


def _found_share(effect: float, n: int, spread: float) -> float:
    rng = np.random.default_rng(3)
    found = 0
    for _ in range(100):
        means = rng.normal(effect, spread, size=(200, n)).mean(axis=1)
        found += int((np.abs(means) > 1.959964 * spread / math.sqrt(n)).sum())
    return found / 20_000
