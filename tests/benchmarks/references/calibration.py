"""Labels, calibration and temperature: against scikit-learn, netcal, torchmetrics, statsmodels."""

from __future__ import annotations

import math
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import torch
from scipy.special import softmax
from scipy.stats import bootstrap
from sklearn.calibration import calibration_curve
from sklearn.metrics import (
    brier_score_loss,
    confusion_matrix,
    f1_score,
    log_loss,
    roc_auc_score,
)
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import proportion_confint
from torchmetrics.functional.classification import binary_calibration_error

with warnings.catch_warnings():  # netcal's docstrings hold escapes that Python does not know
    warnings.simplefilter("ignore")
    from netcal.metrics import ECE

from mitools.evaluate.measures.calibration import expected_calibration_error, mass_bins, width_bins
from mitools.evaluate.summary import SummaryBuilder
from mitools.records import Record
from mitools.tasks import task_of
from tests.benchmarks.references.records import LABELS, Said, equation_records, label_records
from tests.benchmarks.references.rows import (
    LOOP,
    Row,
    by_chance,
    disagrees,
    end_margin,
    exact,
    named,
)

__all__ = ["rows"]

Floats = np.ndarray
N = 480
NETCAL = named("netcal", "ECE(15)")
TORCHMETRICS = named("torchmetrics", "binary_calibration_error")
BOOTSTRAP = named("scipy", "bootstrap")
_REDRAWS = 2_000
_RESAMPLES = 5_000


@dataclass(frozen=True)
class _Judged:
    """Answered records, what is known of them, and what mitools says."""

    known: list[Said]
    valid: list[Said]
    summary: dict[str, Any]
    records: list[Record]

    @property
    def scored(self) -> list[Said]:
        return [said for said in self.known if said.chances is not None]


def _summary(records: Sequence[Record], valid: Sequence[Record] = ()) -> dict[str, Any]:
    tally = SummaryBuilder(fits_temperature=True)
    for record in records:
        tally.add(record, task_of(record))
    for record in valid:
        tally.add_valid(record, task_of(record))
    return tally.summary(0)


@cache
def _judged() -> _Judged:
    records, known = label_records(N, 1)
    valid, valid_known = label_records(300, 2)
    return _Judged(known, valid_known, _summary(records, valid), records)


def rows() -> Iterator[Row]:
    yield from _label_rows()
    yield from _binned_rows()
    yield _reliability_row()
    yield from _edge_rows()
    yield from _null_rows()
    yield from _score_rows()
    yield from _rank_rows()
    yield from _choice_rows()
    yield from _temperature_rows()


def _confidences(known: Sequence[Said]) -> tuple[Floats, Floats]:
    pairs = [
        (said.chances[said.given], said.given == said.gold)
        for said in known
        if said.chances is not None and said.given is not None
    ]
    return np.array([c for c, _ in pairs]), np.array([y for _, y in pairs])


# Labels


def _label_rows() -> Iterator[Row]:
    judged, found = _judged(), _judged().summary["label"]
    wilson = f"a loop; interval: {named('statsmodels', 'proportion_confint')}"
    decoded = [record["student"] for record in judged.records if "decoded" in record["student"]]
    counts = {
        "accuracy": (sum(said.given == said.gold for said in judged.known), N),
        "exact_match": (
            sum(record["student"]["label"] == record["label"] for record in judged.records),
            N,
        ),
        "valid": (sum(said.given is not None for said in judged.known), N),
        "decode_agreement": (sum(one["decoded"] == one["label"] for one in decoded), len(decoded)),
    }
    for name, (hits, n) in counts.items():
        metric = found[name]
        theirs = (hits / n, *proportion_confint(hits, n, method="wilson"))
        yield exact(f"label.{name}", wilson, (metric.value, *metric.ci95), theirs)
    gold = np.array([said.gold for said in judged.known])
    given = np.array([3 if said.given is None else said.given for said in judged.known])

    def f1(gold: Floats, given: Floats) -> float:
        return float(f1_score(gold, given, labels=[0, 1, 2], average="macro", zero_division=0))

    by = named("scikit-learn", "f1_score")
    yield exact("label.macro_f1", by, found["macro_f1"].value, f1(gold, given))
    yield _interval_row("label.macro_f1", found["macro_f1"], (gold, given), f1, 500)
    names = [*LABELS, None]
    cells = {(one["gold"], one["given"]): one["n"] for one in judged.summary["confusion"]}
    ours = [cells.get((right, said), 0) for right in names[:3] for said in names]
    by = named("scikit-learn", "confusion_matrix")
    yield exact("confusion, 12 cells", by, ours, confusion_matrix(gold, given)[:3].ravel())
    share = counts["accuracy"][0] / N
    effect = NormalIndPower().solve_power(nobs1=N, alpha=0.05, power=0.8, ratio=1)
    theirs = effect * np.sqrt(share * (1 - share))
    ours = found["accuracy"].details["smallest_detectable"]
    by = named("statsmodels", "NormalIndPower, two samples")
    yield exact("label.accuracy: detectable", by, ours, theirs, within=1e-6)


def _interval_row(
    name: str,
    metric: Any,
    data: tuple[Floats, ...],
    statistic: Callable[..., float],
    resamples: int = _RESAMPLES,
) -> Row:
    """Compare the ends of a bootstrap interval with SciPy's, from draws of its own."""
    known = bootstrap(
        data,
        statistic,
        paired=True,
        vectorized=False,
        n_resamples=resamples,
        method="percentile",
        rng=np.random.default_rng(99),
    )
    margin = end_margin(float(known.standard_error), theirs=resamples)
    return by_chance(f"{name}: interval", BOOTSTRAP, metric.ci95, known.confidence_interval, margin)


# Binned calibration errors


def _netcal(confidence: Floats, right: Floats) -> float:
    return float(ECE(15).measure(confidence, right.astype(int)))


def _torchmetrics(confidence: Floats, right: Floats) -> float:
    found = binary_calibration_error(
        torch.from_numpy(confidence), torch.from_numpy(right.astype(np.int64)), n_bins=15
    )
    return float(found)


def _slow_mass(confidence: Floats, right: Floats) -> float:
    """Put each group of ties into the bin of its middle rank, and average the gaps."""
    order = sorted(zip(confidence.tolist(), right.tolist(), strict=True))
    gaps: dict[int, float] = {}
    n = len(order)
    for level in sorted({c for c, _ in order}):
        below = sum(c < level for c, _ in order)
        ties = [(c, y) for c, y in order if c == level]
        place = int(15 * (below + len(ties) / 2) / n)
        gaps[place] = gaps.get(place, 0.0) + sum(y - c for c, y in ties)
    return sum(map(abs, gaps.values())) / n


def _binned_rows() -> Iterator[Row]:
    found = _judged().summary["calibration"]
    confidence, right = _confidences(_judged().known)
    ours = found["ece_width"].value
    yield exact("calibration.ece_width", NETCAL, ours, _netcal(confidence, right))
    yield exact("calibration.ece_width", TORCHMETRICS, ours, _torchmetrics(confidence, right))
    yield exact(
        "calibration.ece_mass", LOOP, found["ece_mass"].value, _slow_mass(confidence, right)
    )
    whole = len(confidence) // 15 * 15  # bins of exactly equal mass need no rule
    confidence, right = confidence[:whole], right[:whole]
    parts = np.array_split(np.argsort(confidence), 15)
    gaps = [abs((right[part] - confidence[part]).mean()) for part in parts]
    ours = expected_calibration_error(confidence, right, mass_bins(confidence))
    by = f"{named('numpy', 'array_split')} of the sorted"
    yield exact(f"… {whole} untied, 15 × {whole // 15}", by, ours, float(np.mean(gaps)))
    tied = [record["student"]["confidence"] for record in equation_records(N, 3)[0]]
    hits = [is_right for is_right, _, _ in equation_records(N, 3)[1]]
    confidence, right = np.array(tied), np.array(hits)
    summary = _summary(equation_records(N, 3)[0])["calibration"]
    theirs = _netcal(confidence, right)
    yield exact("… tied, with 0 and 1", NETCAL, summary["ece_width"].value, theirs)
    theirs = _slow_mass(confidence, right)
    yield exact("… equal mass, tied", LOOP, summary["ece_mass"].value, theirs)


def _reliability_row() -> Row:
    confidence, right = _confidences(_judged().known)
    shares, means = calibration_curve(right, confidence, n_bins=15)
    bins = _judged().summary["reliability"]
    ours = [one[name] for name in ("accuracy", "confidence") for one in bins]
    by = named("scikit-learn", "calibration_curve")
    return exact(f"reliability, {len(bins)} bins", by, ours[::-1], [*shares, *means][::-1])


def _edge_rows() -> Iterator[Row]:
    """Show what torchmetrics makes of a confidence of 1."""
    confidence, right = np.array([1.0, 0.95]), np.array([False, True])
    ours = expected_calibration_error(confidence, right, width_bins(confidence))
    # One bin, [14/15, 1]: accuracy 1/2, mean confidence 0.975.
    yield exact("ECE of 1.0 wrong, 0.95 right", "hand-worked: 0.975 - 1/2", ours, 0.475)
    yield exact("… the same", NETCAL, ours, _netcal(confidence, right))
    why = "its fault: 1.0 falls into a 16th bin, [1, 1 + 1/15)"
    yield disagrees("… the same", TORCHMETRICS, ours, _torchmetrics(confidence, right), why)
    below = np.minimum(confidence, np.nextafter(1.0, 0.0))
    theirs = _torchmetrics(below, right)
    yield exact("… the float below 1 for 1.0", TORCHMETRICS, ours, theirs)


def _null_rows() -> Iterator[Row]:
    judged = _judged()
    found = judged.summary["calibration"]
    confidence, _ = _confidences(judged.known)
    rng = random.Random(5)
    draws = [
        np.array([rng.random() < stated for stated in confidence.tolist()]) for _ in range(_REDRAWS)
    ]
    for name, error in (("ece_width", _netcal), ("ece_mass", _slow_untied)):
        drawn = np.array([error(confidence, right) for right in draws])
        yield from _null_band_rows(f"calibration.{name}", found[name], drawn)
    chances = np.array([said.chances for said in judged.scored])
    rng_of_gold, errors = np.random.default_rng(6), []
    for _ in range(500):
        gold = np.array([rng_of_gold.choice(3, p=row) for row in chances])
        errors.append(_classwise(chances, gold))
    yield from _null_band_rows(
        "calibration.classwise_ece", found["classwise_ece"], np.array(errors)
    )


def _slow_untied(confidence: Floats, right: Floats) -> float:
    """Mass bins of distinct confidences: the item of rank k lies in bin 15·(k + ½)/n, cut off."""
    order = np.argsort(confidence)
    gaps = np.zeros(15)
    places = [int(15 * (rank + 0.5) / len(order)) for rank in range(len(order))]
    np.add.at(gaps, places, (right - confidence)[order])
    return float(np.abs(gaps).sum() / len(order))


def _null_band_rows(name: str, metric: Any, drawn: Floats) -> Iterator[Row]:
    redrawn = f"redrawn anew, {len(drawn):,} times"
    spread = float(drawn.std())
    margin = 4 * spread * float(np.sqrt(1 / 1_000 + 1 / len(drawn)))
    ours, theirs = metric.details["null_mean"], float(drawn.mean())
    yield by_chance(f"{name}: null mean", redrawn, ours, theirs, margin)
    margin = end_margin(spread, 1_000, len(drawn))
    theirs95 = np.quantile(drawn, (0.025, 0.975))
    yield by_chance(f"{name}: null band", redrawn, metric.details["null95"], theirs95, margin)


# Scores and ranks


def _score_rows() -> Iterator[Row]:
    found = _judged().summary["calibration"]
    confidence, right = _confidences(_judged().known)
    ours = {name: found[name].value for name in ("mean_confidence", "brier", "nll")}
    yield exact(
        "calibration.mean_confidence",
        named("numpy", "mean"),
        ours["mean_confidence"],
        confidence.mean(),
    )
    by = named("scikit-learn", "brier_score_loss")
    yield exact("calibration.brier", by, ours["brier"], brier_score_loss(right, confidence))
    by = named("scikit-learn", "log_loss")
    yield exact("calibration.nll", by, ours["nll"], log_loss(right, confidence))
    records, known = equation_records(N, 3)
    costs = [
        -math.log(min(1 - 2.0**-24, max(sure if is_right else 1 - sure, 2.0**-1022)))
        if sure < 1 or is_right
        else 24 * math.log(2)
        for sure, is_right in zip(
            (record["student"]["confidence"] for record in records),
            (is_right for is_right, _, _ in known),
            strict=True,
        )
    ]
    by = f"{LOOP}; 1 counts as 1 - 2⁻²⁴"
    figure = _summary(records)["calibration"]["nll"].value
    yield exact("… tied, with 0 and 1", by, figure, sum(costs) / N, within=1e-7)
    stated = np.where(right, confidence, 1 - confidence)
    for name, costs in (("brier", (1 - stated) ** 2), ("nll", -np.log(stated))):
        yield _interval_row(f"calibration.{name}", found[name], (costs,), np.mean)


def _slow_risks(confidence: Floats, right: Floats) -> list[float]:
    """Give the error rate among the k most confident, for k = 1 … n; in ties, the expected one."""
    levels = sorted(set(confidence.tolist()), reverse=True)
    risks: list[float] = []
    before = wrong = 0
    for level in levels:
        answers = right[confidence == level]
        errors = int((answers == 0).sum())
        for more in range(1, len(answers) + 1):
            risks.append((wrong + errors * more / len(answers)) / (before + more))
        before, wrong = before + len(answers), wrong + errors
    return risks


def _slow_aurc(confidence: Floats, right: Floats) -> float:
    return sum(_slow_risks(confidence, right)) / len(right)


def _slow_excess(confidence: Floats, right: Floats) -> float:
    return _slow_aurc(confidence, right) - _slow_aurc(right.astype(float), right)


def _slow_accuracy_at(share: int) -> Callable[[Floats, Floats], float]:
    def accuracy(confidence: Floats, right: Floats) -> float:
        return 1 - _slow_risks(confidence, right)[-(-share * len(right) // 100) - 1]

    return accuracy


def _rank_rows() -> Iterator[Row]:
    sets = {"": (_judged().summary["calibration"], *_confidences(_judged().known))}
    records, known = equation_records(N, 3)
    tied = np.array([record["student"]["confidence"] for record in records])
    hits = np.array([is_right for is_right, _, _ in known])
    sets["… tied"] = (_summary(records)["calibration"], tied, hits)
    sklearn = named("scikit-learn", "roc_auc_score")
    measures: dict[str, tuple[str, Callable[[Floats, Floats], float]]] = {
        "auroc": (sklearn, lambda confidence, right: roc_auc_score(right, confidence)),
        "aurc": (LOOP, _slow_aurc),
        "excess_aurc": (LOOP, _slow_excess),
        **{f"accuracy_at_{share}": (LOOP, _slow_accuracy_at(share)) for share in (50, 80, 90, 95)},
    }
    for name, (by, measure) in measures.items():
        for kind, (found, confidence, right) in sets.items():
            shown = f"{kind}" if kind else f"calibration.{name}"
            yield exact(shown, by, found[name].value, measure(confidence, right))
        if name != "excess_aurc":
            found, confidence, right = sets["… tied"]
            data = (confidence, right)
            yield _interval_row(f"… {name}, tied", found[name], data, measure, 1_000)


# Every choice


def _classwise(chances: Floats, gold: Floats) -> float:
    """Average netcal's error of each label's probability."""
    columns = range(chances.shape[1])
    return float(np.mean([_netcal(chances[:, k], gold == k) for k in columns]))


def _choice_rows() -> Iterator[Row]:
    judged = _judged()
    found = judged.summary["calibration"]
    chances = np.array([said.chances for said in judged.scored])
    gold = np.array([said.gold for said in judged.scored])
    theirs = _classwise(chances, gold)
    by = f"{NETCAL}, mean over labels"
    yield exact("calibration.classwise_ece", by, found["classwise_ece"].value, theirs)
    by = named("scikit-learn", "log_loss")
    theirs = log_loss(gold, chances, labels=[0, 1, 2])
    yield exact("calibration.gold_nll", by, found["gold_nll"].value, theirs)
    by = named("scikit-learn", "brier_score_loss")
    theirs = brier_score_loss(gold, chances, labels=[0, 1, 2], scale_by_half=False)
    yield exact("calibration.gold_brier", by, found["gold_brier"].value, theirs)
    losses = np.array([-np.log(row[right]) for row, right in zip(chances, gold, strict=True)])
    yield _interval_row("calibration.gold_nll", found["gold_nll"], (losses,), np.mean)
    masses = [record["student"].get("in_set_mass") for record in judged.records]
    theirs = np.mean([mass for mass in masses if mass is not None])
    ours = found["in_set_mass"].value
    yield exact("calibration.in_set_mass", named("numpy", "mean"), ours, theirs)


# Temperature


def _grid_temperature(chances: Floats, gold: Floats) -> tuple[float, float]:
    """Try 4,001 temperatures from 0.2 to 20, then 4,001 around the best."""
    low, high = np.log(0.2), np.log(20.0)
    for _ in range(2):
        grid = np.linspace(low, high, 4_001)
        losses = [
            -np.log(
                softmax(np.log(chances) / np.exp(one), axis=1)[np.arange(len(gold)), gold]
            ).mean()
            for one in grid
        ]
        best = int(np.argmin(losses))
        low, high = grid[best - 1], grid[best + 1]
    return float(np.exp(grid[best])), float(losses[best])


def _decoded_temperature_row() -> Row:
    """Fit a temperature on labels that have one probability each, against everything else."""
    records = [
        record for record in equation_records(N, 12)[0] if 0 < record["student"]["confidence"] < 1
    ]
    found = _summary(records, records)["temperature"]["temperature"].value
    sure = np.array([record["student"]["confidence"] for record in records])
    wrong = np.array([not record["scores"]["correct"] for record in records]).astype(int)
    fitted, _ = _grid_temperature(np.column_stack([sure, 1 - sure]), wrong)
    by, step = "grid of 4,001 temperatures, twice", found * 1e-5
    return exact("… of decoded labels", by, found, fitted, within=step, why="its step: 1e-06")


def _temperature_rows() -> Iterator[Row]:
    judged, found = _judged(), _judged().summary["temperature"]
    valid = [said for said in judged.valid if said.chances is not None]
    fitted, loss = _grid_temperature(
        np.array([said.chances for said in valid]), np.array([said.gold for said in valid])
    )
    ours = found["temperature"].value
    grid = "grid of 4,001 temperatures, twice"
    step = float(ours) * 1e-5
    yield exact("temperature", grid, ours, fitted, within=step, why="its step: 1e-06")
    yield exact("… NLL on valid", grid, found["temperature"].details["valid_nll"]["after"], loss)
    yield _decoded_temperature_row()
    chances = np.array([said.chances for said in judged.scored])
    gold = np.array([said.gold for said in judged.scored])
    given = np.array([said.given for said in judged.scored])
    after = softmax(np.log(chances) / ours, axis=1)
    confidence, right = after[np.arange(len(given)), given], given == gold
    theirs = {
        "nll": ("scikit-learn", "log_loss", log_loss(gold, after, labels=[0, 1, 2])),
        "brier": ("scikit-learn", "brier_score_loss", brier_score_loss(right, confidence)),
        "ece_width": ("netcal", "ECE(15)", _netcal(confidence, right)),
        "mean_confidence": ("numpy", "mean", confidence.mean()),
    }
    for name, (package, function, value) in theirs.items():
        by = f"{named('scipy', 'softmax')}, {named(package, function)}"
        yield exact(f"temperature.{name}", by, found[name].value, float(value))
    slow = _slow_untied(confidence, right)
    yield exact(
        "temperature.ece_mass",
        f"{named('scipy', 'softmax')}, slow loop",
        found["ece_mass"].value,
        slow,
    )
