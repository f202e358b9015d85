"""What rationales tell of answers: simulators fitted anew, and every figure by its definition.

Terms are weighed in a loop, and models are fitted fold by fold: by scikit-learn with the solver
that mitools uses, and again to the bottom by another one. Folds are taken over, as are the draws
by which rationales are dealt out anew: another draw would be another figure.
"""

from __future__ import annotations

import itertools
import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.optimize import minimize
from scipy.special import log_softmax
from scipy.stats import bootstrap
from sklearn.linear_model import LogisticRegression

from mitools.evaluate.sample import SampledRecord
from mitools.evaluate.simulators.association import associate, rate_quality
from mitools.evaluate.simulators.choose import Simulation, simulate
from mitools.evaluate.summary import SummaryBuilder
from mitools.records import Record
from mitools.tasks import task_of
from tests.benchmarks.references.records import (
    LABELS,
    equation_records,
    label_records,
    told_by_choice,
)
from tests.benchmarks.references.rows import Row, by_chance, end_margin, exact, named

__all__ = ["rows"]

Floats = np.ndarray
Bits = tuple[Floats, Floats]
"""Of each item: log₂ of the target's probability, and whether the target was the first guess."""

N = 400
PERMUTATIONS = 19
SAME = f"slow loop; models: {named('scikit-learn', 'sag')}"
BOTTOM = f"slow loop; models: {named('scikit-learn', 'lbfgs to 1e-8')}"
LOGIT = f"padded logit, {named('scipy', 'L-BFGS-B')} to 1e-10"
_FIGURES = ("accuracy_x", "accuracy_e", "accuracy_xe", "rq", "las", "cvi")


def rows() -> Iterator[Row]:
    yield from _label_rows()
    yield from _reading_rows()
    yield from _candidate_rows()


def _items(records: Sequence[Record]) -> list[SampledRecord]:
    return [
        SampledRecord(
            record["input"],
            record["student"]["rationale"],
            record["student"]["label"],
            record["label"],
            tuple(record.get("choices") or ()),
        )
        for record in records
        if record["student"]["label"] is not None
    ]


def _simulation(records: Sequence[Record], task: str) -> Simulation:
    found = simulate(_items(records), task, 0)
    assert isinstance(found, Simulation), found
    return found


# One set of labels


def _terms(text: str) -> list[str]:
    words = re.findall(r"[a-z]+|[0-9]+", text.lower())
    return words + [f"{left} {right}" for left, right in itertools.pairwise(words)]


def _weigh(texts: Sequence[str]) -> Floats:
    """Weigh terms by (1 + ln count) · (ln((1 + n) / (1 + df)) + 1), rows of length 1."""
    counts = [Counter(_terms(text)) for text in texts]
    holding = Counter(term for count in counts for term in count)
    columns = {term: place for place, term in enumerate(sorted(holding)) if holding[term] > 1}
    columns = {term: place for place, term in enumerate(columns)}
    table = np.zeros((len(texts), len(columns)))
    for row, count in zip(table, counts, strict=True):
        for term, times in count.items():
            if term in columns:
                rarity = math.log((1 + len(texts)) / (1 + holding[term])) + 1
                row[columns[term]] = (1 + math.log(times)) * rarity
        row /= math.sqrt((row**2).sum()) or 1.0
    return table


Solver = dict[str, Any]
_SAG: Solver = {"solver": "sag", "tol": 1e-3, "max_iter": 1_000, "random_state": 0}
_LBFGS: Solver = {"solver": "lbfgs", "tol": 1e-8, "max_iter": 5_000}


def _guess(table: Floats, target: Floats, folds: Floats, solver: Solver) -> Bits:
    chances = np.zeros((len(target), 3))
    for fold in set(folds.tolist()):
        held = folds == fold
        model = LogisticRegression(C=1.0, **solver)
        model.fit(sp.csr_matrix(table[~held]), target[~held])
        chances[np.ix_(held, model.classes_)] = model.predict_proba(sp.csr_matrix(table[held]))
    chances = 0.99 * chances + 0.01 / 3
    bits = np.array([math.log2(row[right]) for row, right in zip(chances, target, strict=True)])
    return bits, chances.argmax(axis=1) == target


def _weighted(inputs: Floats, target: Floats, folds: Floats, solver: Solver) -> Floats:
    """Double the input while it tells the target better by itself, up to 16 times its size."""
    known = _guess(inputs, target, folds, solver)[0].mean()
    for _ in range(4):
        doubled = _guess(2 * inputs, target, folds, solver)[0].mean()
        if doubled <= known:
            break
        inputs, known = 2 * inputs, doubled
    return inputs


@dataclass(frozen=True)
class _ByHand:
    """The figures of one target, item by item."""

    x: Bits
    e: Bits
    xe: Bits

    def figures(self) -> dict[str, float]:
        n = len(self.x[0])
        rates = [sum(right.tolist()) / n for _, right in (self.x, self.e, self.xe)]
        bits = sum(both - one for both, one in zip(self.xe[0], self.x[0], strict=True)) / n
        values = (*rates, rates[2] - rates[0], _slow_las(self.gain, self.e[1]), bits)
        return dict(zip(_FIGURES, values, strict=True))

    @property
    def gain(self) -> Floats:
        return self.xe[1].astype(float) - self.x[1]


def _slow_las(gain: Floats, leaks: Floats) -> float:
    bins: dict[bool, list[float]] = {True: [], False: []}
    for value, leak in zip(gain, leaks, strict=True):
        bins[bool(leak)].append(value)
    return sum(sum(values) / len(values) for values in bins.values()) / 2


def _by_hand(
    told: Floats, inputs: Floats, target: Floats, folds: Floats, solver: Solver
) -> _ByHand:
    tables = (inputs, told, np.hstack([inputs, told]))
    return _ByHand(*(_guess(table, target, folds, solver) for table in tables))


def _label_rows() -> Iterator[Row]:
    simulation = _simulation(label_records(N, 6)[0], "labels")
    plain = _weigh([item.input for item in simulation.items])
    texts = [item.rationale for item in simulation.items]
    given = np.array([LABELS.index(item.label) for item in simulation.items])
    gold = np.array([LABELS.index((item.gold or "").lower()) for item in simulation.items])
    folds = simulation.simulator.folds  # type: ignore[attr-defined]
    told = _weigh(texts)
    ours = {
        "association": associate(simulation, 0, PERMUTATIONS),
        "quality": rate_quality(simulation, 0),
    }
    for solver, by, within in ((_SAG, SAME, 1e-9), (_LBFGS, BOTTOM, 2e-3)):
        for block, target in (("association", given), ("quality", gold)):
            inputs = _weighted(plain, target, folds, solver)
            theirs = _by_hand(told, inputs, target, folds, solver)
            for name, value in theirs.figures().items():
                if solver is _SAG or name == "cvi":  # the others are shares of right first guesses
                    figure = ours[block][name].value
                    yield exact(f"{block}.{name}", by, figure, value, within=within)
        inputs = _weighted(plain, given, folds, solver)
        theirs = _by_hand(told, inputs, given, folds, solver)
        masked = _masked_bits(texts, inputs, given, folds, solver) - theirs.x[0]
        net = _net_bits(told, inputs, (given, gold), folds, solver)
        found = {**ours["association"]}
        yield from _net_rows(found, theirs, masked, net, (by, within))
        if solver is _SAG:
            yield from _interval_rows(found, theirs, masked, theirs.xe[0] - net.mean(axis=0))


def _masked_bits(
    texts: Sequence[str], inputs: Floats, target: Floats, folds: Floats, solver: Solver
) -> Floats:
    masked = _weigh([re.sub("|".join(LABELS), "", text) for text in texts])
    return _guess(np.hstack([inputs, masked]), target, folds, solver)[0]


def _net_bits(
    told: Floats, inputs: Floats, targets: tuple[Floats, Floats], folds: Floats, solver: Solver
) -> Floats:
    """Deal rationales out within gold classes and guess again: bits [permutations, n]."""
    given, gold = targets
    rng, found = np.random.default_rng(0), []
    for _ in range(PERMUTATIONS):
        source = list(range(len(gold)))
        for label in range(3):
            places = [place for place in source if gold[place] == label]
            for place, other in zip(places, rng.permutation(places), strict=True):
                source[place] = other
        found.append(_guess(np.hstack([inputs, told[source]]), given, folds, solver)[0])
    return np.array(found)


def _net_rows(
    ours: dict[str, Any], theirs: _ByHand, masked: Floats, net: Floats, how: tuple[str, float]
) -> Iterator[Row]:
    by, within = how
    cvi = float((theirs.xe[0] - theirs.x[0]).mean())
    permuted = [float((row - theirs.x[0]).mean()) for row in net]
    p = (1 + sum(value >= cvi for value in permuted)) / (1 + len(permuted))
    values = {
        "cvi_masked": float(masked.mean()),
        "leak_share": 1 - float(masked.mean()) / cvi,
        "cvi_net": cvi - sum(permuted) / len(permuted),
    }
    for name, value in values.items():
        yield exact(f"association.{name}", by, ours[name].value, value, within=within)
    details = ours["cvi_net"].details
    yield exact("… its permuted CVI", by, details["permuted_cvi"], sorted(permuted), within=within)
    yield exact("… its p", by, details["p_value"], p)


def _interval_rows(
    ours: dict[str, Any], theirs: _ByHand, masked: Floats, net: Floats
) -> Iterator[Row]:
    bits = theirs.xe[0] - theirs.x[0]
    columns: dict[str, tuple[tuple[Floats, ...], Callable[..., float]]] = {
        "rq": ((theirs.gain,), np.mean),
        "las": ((theirs.gain, theirs.e[1]), _slow_las),
        "cvi": ((bits,), np.mean),
        "cvi_net": ((net,), np.mean),
        "leak_share": ((masked, bits), lambda left, all_of: 1 - left.mean() / all_of.mean()),
    }
    for name, (data, statistic) in columns.items():
        resamples = 2_000
        known = bootstrap(
            data,
            statistic,
            paired=True,
            vectorized=False,
            n_resamples=resamples,
            method="percentile",
            rng=np.random.default_rng(4),
        )
        margin = end_margin(float(known.standard_error), theirs=resamples)
        ends, by = known.confidence_interval, named("scipy", "bootstrap, paired")
        yield by_chance(f"association.{name}: interval", by, ours[name].ci95, ends, margin)


# Open rationales, read by a simulator fitted on a teacher's


def _reading_rows() -> Iterator[Row]:
    records, taught = label_records(N, 7)[0], label_records(300, 8)[0]
    tally = SummaryBuilder(simulator="local", permutations=0)
    for record in records:
        tally.add(record, task_of(record))
    for record in taught:
        tally.add_taught(record)
    ours = tally.summary(0)["consistency"]["with_simulator"]
    said = [one for one in records if one["student"]["label"] and one["student"]["rationale"]]
    is_open = [len(one["student"]["rationale"].split("So the answer is ")) == 1 for one in said]
    supporting = sum(
        f"So the answer is {one['student']['label']}." in one["student"]["rationale"]
        for one in said
    )
    unclear = [
        one
        for one, read in zip(said, is_open, strict=True)
        if read and one["student"]["label"] in LABELS
    ]
    told = [one["teacher"]["rationale"] for one in taught]
    table = _weigh([*told, *(one["student"]["rationale"] for one in unclear)])
    model = LogisticRegression(C=1.0, **_LBFGS)
    model.fit(table[: len(told)], [one["teacher"]["label"] for one in taught])
    guessed = model.predict(table[len(told) :])
    agreeing = sum(
        guess == one["student"]["label"] for guess, one in zip(guessed, unclear, strict=True)
    )
    n = is_open.count(False) + len(unclear)
    theirs = ((supporting + agreeing) / n, n, len(unclear))
    figures = (ours.value, ours.n, ours.details["by_simulator"])
    yield exact("consistency.with_simulator", BOTTOM, figures, theirs)


# Candidates of their own


def _padded(flat: Floats, sizes: Floats) -> tuple[Floats, Floats]:
    """Lay candidates out as [n, most, D], and tell which places hold one."""
    most = int(sizes.max())
    table, is_there = np.zeros((len(sizes), most, flat.shape[1])), np.zeros((len(sizes), most))
    start = 0
    for item, size in enumerate(sizes):
        table[item, :size], is_there[item, :size] = flat[start : start + size], 1
        start += size
    return table, is_there.astype(bool)


def _choose(table: Floats, is_there: Floats, target: Floats, folds: Floats) -> Bits:
    """Fit and guess a conditional logit with half a squared weight as penalty, fold by fold."""
    rows_of = np.arange(len(target))

    def logs(weights: Floats, held: Floats) -> Floats:
        scores = np.where(is_there[held], table[held] @ weights, -np.inf)
        return np.asarray(log_softmax(scores, axis=1))

    chances = np.zeros(is_there.shape)
    for fold in set(folds.tolist()):
        taught, held = folds != fold, folds == fold
        chosen = table[rows_of[taught], target[taught]]

        def loss(weights: Floats, taught: Floats = taught, chosen: Floats = chosen) -> Any:
            found = logs(weights, taught)
            fit = -found[np.arange(len(found)), target[taught]].sum() + weights @ weights / 2
            expected = (np.exp(found)[..., None] * table[taught]).sum(axis=1)
            return fit, (expected - chosen).sum(axis=0) + weights

        options = {"gtol": 1e-10, "ftol": 1e-15, "maxiter": 5_000, "maxfun": 20_000}
        start = np.zeros(table.shape[2])
        best = minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
        chances[held] = np.exp(logs(best.x, held))
    sizes = is_there.sum(axis=1, keepdims=True)
    chances = np.where(is_there, 0.99 * chances + 0.01 / sizes, 0)
    top = [row.tolist().index(row.max()) for row in chances]
    return np.log2(chances[rows_of, target]), np.array(top) == target


def _candidate_rows() -> Iterator[Row]:
    equations, _ = equation_records(120, 9)
    sets = {
        "choices": _simulation(told_by_choice(250, 10), "choice"),
        "equations": _simulation(equations, "equation"),
    }
    for kind, simulation in sets.items():
        simulator: Any = simulation.simulator
        ours = associate(simulation, 0, PERMUTATIONS)
        theirs = _ByHand(
            *(
                _choose(*_padded(table, simulator.sets.sizes), simulation.given, simulator.folds)
                for table in (
                    simulator.inputs,
                    simulation.rationales,
                    np.hstack([simulator.inputs, simulation.rationales]),
                )
            )
        )
        for name, value in theirs.figures().items():
            if ours[name].status == "ok":
                shown = f"association.{name}, {kind}"
                yield exact(shown, LOGIT, ours[name].value, value, within=1e-6)
        if kind == "choices":
            yield _role_row(simulation, ours["cvi_net"])


def _role_row(simulation: Simulation, ours: Any) -> Row:
    """Deal rationales out by role with draws of our own: gold's to gold, others' to others."""
    simulator: Any = simulation.simulator
    sets, gold = simulator.sets, simulation.gold
    assert gold is not None
    inputs = np.hstack([simulator.inputs, simulator.gold])
    spans = [
        slice(start, start + size) for start, size in zip(sets.starts, sets.sizes, strict=True)
    ]
    rng, found = np.random.default_rng(77), []
    for _ in range(PERMUTATIONS):
        dealt = np.zeros_like(simulation.rationales)
        for item, other in enumerate(rng.permutation(len(spans))):
            told = simulation.rationales[spans[other]]
            rest = [row for place, row in enumerate(told) if place != gold[other] and row.any()]
            rest.sort(key=lambda row: -float(row @ row))
            mine = dealt[spans[item]]
            mine[gold[item]] = told[gold[other]]
            places = [place for place in range(len(mine)) if place != gold[item]]
            for place, row in zip(rng.permutation(places), rest, strict=False):
                mine[place] = row
        table, is_there = _padded(np.hstack([inputs, dealt]), sets.sizes)
        bits, _ = _choose(table, is_there, simulation.given, simulator.folds)
        found.append(float(bits.mean()))
    tables = (inputs, np.hstack([inputs, simulation.rationales]))
    alone, both = (
        float(_choose(*_padded(table, sets.sizes), simulation.given, simulator.folds)[0].mean())
        for table in tables
    )
    net = both - float(np.mean(found))
    margin = 4 * float(np.std(found)) * math.sqrt(2 / PERMUTATIONS)
    assert abs(ours.details["observed_cvi"] - (both - alone)) < 1e-6
    return by_chance(
        "association.cvi_net, choices", f"{LOGIT}, dealt anew", ours.value, net, margin
    )
