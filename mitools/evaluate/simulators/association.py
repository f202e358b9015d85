"""Statistical association of label and rationale, and quality of the rationale, by simulators.

A student of two passes never reads its rationale when it gives its label, so tests that edit the
rationale are constant for it (``probes.editing`` has them for other students). Simulators measure
instead whether the rationale helps to guess the student's own answer (association) or gold
(quality). That is association, not mechanism. Every figure is a lower bound for its family of
simulators: compare figures of one family only.

S_X sees the input, S_E the rationale, S_XE both; A is the share of first guesses that are right.
Each block first lets S_X tell its target as well as it can, so that a rationale which only repeats
the input tells nothing more.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mitools.evaluate.measures.labels import rate
from mitools.evaluate.measures.metric import Measure, Metric
from mitools.evaluate.measures.simulatability import ASSOCIATION, QUALITY
from mitools.evaluate.measures.statistics import (
    bootstrap,
    mean_intervals,
    ratio_interval,
    spread_interval,
)

if TYPE_CHECKING:
    from mitools.evaluate.simulators.choose import Simulation
    from mitools.evaluate.simulators.models import Guesses

__all__ = [
    "ENOUGH_EXCEEDANCES",
    "FEWEST_IN_BIN",
    "RESOLUTION",
    "associate",
    "leak_adjusted",
    "rate_quality",
]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

FEWEST_IN_BIN = 20
ENOUGH_EXCEEDANCES = 10
"""Permutations end early once this many reach the observed value: the p-value is then known to be
large, and is this number over the permutations made (Besag and Clifford, Biometrika 78, 1991)."""

RESOLUTION = 1e-3
"""Bits. A permutation that comes this close to the observed value counts as reaching it: solvers
are not more exact, and where the input tells the answer by itself, any copy gains a trace."""


@dataclass(frozen=True)
class _Guessed:
    """The guesses of the three simulators about one target."""

    by_input: Guesses
    by_rationale: Guesses
    by_both: Guesses

    @property
    def gain(self) -> Floats:
        return self.by_both.is_right.astype(np.float64) - self.by_input.is_right

    @property
    def bits(self) -> Floats:
        return self.by_both.bits - self.by_input.bits

    def metrics(self, measures: Mapping[str, Measure], seed: int) -> dict[str, Metric]:
        """Compute the rates of these measures, and LAS, but not the means."""
        n = len(self.gain)
        guesses = {
            "accuracy_x": self.by_input,
            "accuracy_e": self.by_rationale,
            "accuracy_xe": self.by_both,
        }
        rates = {
            name: rate(measures[name], int(guess.is_right.sum()), n, empty="")
            for name, guess in guesses.items()
        }
        las = leak_adjusted(self.gain, self.by_rationale.is_right, seed, measures["las"])
        return {**rates, "las": las}


def associate(simulation: Simulation, seed: int, permutations: int) -> dict[str, Metric]:
    """Measure the information of the rationales on the student's own answers."""
    target = simulation.given
    simulation = replace(simulation, simulator=simulation.simulator.for_target(target))
    guessed = _guess(simulation, target)
    columns = {"rq": guessed.gain, "cvi": guessed.bits}
    metrics = guessed.metrics(ASSOCIATION, seed)
    why_not = _why_no_net(simulation, permutations)
    details: dict[str, Any] = {}
    if why_not is None:
        columns["cvi_net"], details = _net(simulation, guessed, seed, permutations)
    if simulation.masked is not None:
        masked = simulation.simulator.guess(target, sees_input=True, rationales=simulation.masked)
        columns["cvi_masked"] = masked.bits - guessed.by_input.bits
    metrics |= _means(ASSOCIATION, columns, seed)
    if why_not is None:
        metrics["cvi_net"] = replace(metrics["cvi_net"], details=details)
    else:
        metrics["cvi_net"] = why_not
    metrics |= _leak_share(columns, metrics["cvi"], seed)
    return {name: metrics[name] for name in ASSOCIATION}


def rate_quality(simulation: Simulation, seed: int) -> dict[str, Metric]:
    """Measure the information of the rationales on gold."""
    if simulation.gold is None:
        return {name: measure.undefined(_NO_GOLD) for name, measure in QUALITY.items()}
    simulator = simulation.simulator.for_target(simulation.gold)
    guessed = _guess(replace(simulation, simulator=simulator), simulation.gold)
    means = _means(QUALITY, {"rq": guessed.gain, "cvi": guessed.bits}, seed)
    metrics = guessed.metrics(QUALITY, seed) | means
    return {name: metrics[name] for name in QUALITY}


_NO_GOLD = "no record has a gold label among the possible answers"


def _guess(simulation: Simulation, target: Ints) -> _Guessed:
    guess, told = simulation.simulator.guess, simulation.rationales
    return _Guessed(
        guess(target, sees_input=True, rationales=None),
        guess(target, sees_input=False, rationales=told),
        guess(target, sees_input=True, rationales=told),
    )


def _means(
    measures: Mapping[str, Measure], columns: Mapping[str, Floats], seed: int
) -> dict[str, Metric]:
    """State the mean of each column [n]; all columns share the resamples."""
    table = np.column_stack(list(columns.values()))
    intervals = mean_intervals(table, seed)
    return {
        name: measures[name].ok(float(values.mean()), len(values), interval)
        for (name, values), interval in zip(columns.items(), intervals, strict=True)
    }


def leak_adjusted(
    gain: Floats, leaks: Bools, seed: int, measure: Measure = QUALITY["las"]
) -> Metric:
    """Compute LAS: the mean gain in accuracy, leaking and other items with half the weight each.

    Args:
        gain: [n] 1 where only S_XE is right, -1 where only S_X is, else 0.
        leaks: [n] whether S_E is right.
        seed: of the bootstrap.
        measure: which LAS this is: that of gold, or of the student's own label.

    Undefined where either bin holds fewer than 20 items.
    """
    n, leaking = len(gain), int(leaks.sum())
    details = {"leaking": leaking, "not_leaking": n - leaking}
    if min(leaking, n - leaking) < FEWEST_IN_BIN:
        sizes = f"{leaking} rationales leak the answer and {n - leaking} do not"
        return measure.undefined(f"{sizes}; both bins want {FEWEST_IN_BIN}", n)
    # Six kinds of items: leaking or not, times a gain of -1, 0 or 1. A resample counts each kind.
    cells = np.sort(3 * leaks + (gain + 1).astype(np.int64))
    worth = np.array([-1.0, 0.0, 1.0])

    def statistic(counts: Floats) -> Floats:
        bins = counts.reshape(-1, 2, 3)
        sizes = bins.sum(axis=2)
        means = np.divide(bins @ worth, sizes, out=np.full(sizes.shape, np.nan), where=sizes > 0)
        las: Floats = means.mean(axis=1)
        return las

    value = (gain[leaks].mean() + gain[~leaks].mean()) / 2
    interval = spread_interval(bootstrap(cells, 6, statistic, seed))
    return measure.ok(float(value), n, interval, **details)


def _why_no_net(simulation: Simulation, permutations: int) -> Metric | None:
    if simulation.gold is None:
        return ASSOCIATION["cvi_net"].undefined(_NO_GOLD)
    if not permutations:
        return ASSOCIATION["cvi_net"].skipped('no permutation was asked for ("--permutations 0")')
    return None


def _net(
    simulation: Simulation, guessed: _Guessed, seed: int, permutations: int
) -> tuple[Floats, dict[str, Any]]:
    """Compute CVI beyond gold: the bits of S_XE [n] minus their mean over permutations.

    Returns:
        The difference for each item [n], and the details of the permutation test.
    """
    told, gold, target = simulation.rationales, simulation.gold, simulation.given
    assert gold is not None
    simulator = simulation.simulator.with_gold()
    if simulator.is_empty(told):
        return np.zeros(len(gold)), {"p_value": 1.0, "permutations": 0, "permuted_cvi": []}
    # 1. The observation. A simulator that is shown gold has to be fitted again; one that permutes
    # within gold classes is the same, and so are its guesses.
    by_input, by_both = guessed.by_input.bits, guessed.by_both.bits
    if simulator is not simulation.simulator:
        by_input = simulator.guess(target, sees_input=True, rationales=None).bits
        by_both = simulator.guess(target, sees_input=True, rationales=told).bits
    observed = float((by_both - by_input).mean())
    # 2. The null distribution: rationales permuted within gold, simulators fitted again each time.
    # What a rationale says about gold alone survives the permutation, and so is subtracted below.
    rng = np.random.default_rng(seed)
    total, exceeding = np.zeros(len(gold)), 0
    means: list[float] = []
    while len(means) < permutations and exceeding < ENOUGH_EXCEEDANCES:
        permuted = simulator.permute(told, gold, rng)
        bits = simulator.guess(target, sees_input=True, rationales=permuted).bits
        total += bits
        means.append(float((bits - by_input).mean()))
        exceeding += means[-1] >= observed - RESOLUTION
    # 3. The p-value. With an early end the estimator of Besag and Clifford is unbiased without the
    # observation; after all permutations the observation counts as one of them.
    ended_early = exceeding >= ENOUGH_EXCEEDANCES
    p = exceeding / len(means) if ended_early else (1 + exceeding) / (1 + len(means))
    details = {
        "p_value": p,
        "permutations": len(means),
        "observed_cvi": observed,
        "permuted_cvi": sorted(means),
    }
    return by_both - total / len(means), details


def _leak_share(columns: Mapping[str, Floats], cvi: Metric, seed: int) -> dict[str, Metric]:
    if "cvi_masked" not in columns:
        reason = "all that the simulator reads of a rationale is the words of answers"
        names = ("cvi_masked", "leak_share")
        return {name: ASSOCIATION[name].not_applicable(reason) for name in names}
    measure, bits, left = ASSOCIATION["leak_share"], columns["cvi"], columns["cvi_masked"]
    if cvi.ci95 is None or cvi.ci95[0] <= 0:
        reason = "cvi is not above 0, so there is nothing to share"
        return {"leak_share": measure.undefined(reason, len(bits))}
    kept = ratio_interval(left, bits, seed)
    interval = None if kept is None else (1 - kept[1], 1 - kept[0])
    value = 1 - float(left.mean() / bits.mean())
    return {"leak_share": measure.ok(value, len(bits), interval)}
