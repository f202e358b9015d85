"""Robustness equivalence: does noise that harms the label harm the rationale as well?

Both passes get the same noise. Where only one of label and rationale suffers, the two do not depend
on the same parts of the input.

Source: Wiegreffe, Marasović and Smith, arXiv:2010.12762, section 4. Departs from it in the unit of
the noise, which is the root mean square of the input itself, and in measuring consistency where
they simulate labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitools.evaluate.measures.consistency import CONSISTENCY, COVERAGE
from mitools.evaluate.measures.labels import ACCURACY, rate
from mitools.evaluate.measures.metric import Measure, Metric
from mitools.evaluate.measures.statistics import bootstrap, spread_interval
from mitools.evaluate.probes.subject import Subject
from mitools.records import Record

__all__ = ["LEVEL_MEASURES", "MEASURES", "SAME_LABEL", "SIGMAS", "probe_robustness"]

Floats = NDArray[np.float64]

SIGMAS = (0.0, 0.25, 0.5, 1.0, 2.0)
"""Standard deviations of the noise, in units of the root mean square of the input's embeddings."""

MEASURES: Mapping[str, Measure] = {
    "accuracy_drop": Measure(
        "accuracy lost to noise",
        "fraction",
        higher_is_better=False,
        about="Accuracy without noise minus accuracy with noise on the input, mean over the noise "
        "levels above 0.",
    ),
    "consistency_drop": Measure(
        "consistency lost to noise",
        "fraction",
        higher_is_better=False,
        about="Consistency without noise minus consistency with noise on the input, mean over the "
        "noise levels above 0.",
    ),
    "equivalence_gap": Measure(
        "robustness gap",
        "fraction",
        higher_is_better=False,
        about="Absolute difference between the two drops, mean over the noise levels above 0: 0 "
        "where label and rationale lose the same.",
    ),
}
"""Accuracy is over records with gold, consistency at each level over the rationales that support an
answer. Undefined where there is no such record without noise or at some level. Bootstrap over
records."""

SAME_LABEL = Measure(
    "labels unchanged by noise",
    "fraction",
    higher_is_better=True,
    about="Share of records whose label is the same as in the run without a probe; 1 without "
    "noise.",
)

LEVEL_MEASURES: Mapping[str, Measure] = {
    "accuracy": ACCURACY,
    "consistency": CONSISTENCY,
    "coverage": COVERAGE,
    "same_label": SAME_LABEL,
}
"""The figures of each level of noise."""

_OUT_OF_REACH = "this kind of student has no embeddings that noise could be added to"


@dataclass(frozen=True)
class _Level:
    """Outcomes of n records at one level of noise, each 0 or 1."""

    has_gold: Floats
    is_correct: Floats
    is_covered: Floats
    is_consistent: Floats
    is_same: Floats

    def as_point(self, sigma: float) -> dict[str, Any]:
        gold, covered = int(self.has_gold.sum()), int(self.is_covered.sum())
        n = len(self.is_same)
        unclear = "no rationale supports an answer that can be made out"
        return {
            "sigma": sigma,
            "accuracy": rate(
                ACCURACY, int(self.is_correct.sum()), gold, empty="no record has a gold label"
            ),
            "consistency": rate(CONSISTENCY, int(self.is_consistent.sum()), covered, empty=unclear),
            "coverage": rate(COVERAGE, covered, n, empty="no records"),
            "same_label": rate(SAME_LABEL, int(self.is_same.sum()), n, empty="no records"),
        }


def probe_robustness(subject: Subject, sigmas: Sequence[float] = SIGMAS) -> dict[str, Any]:
    """Run the probe: :data:`MEASURES`, and a point of each curve in ``by_sigma``.

    Args:
        subject: the student and its records.
        sigmas: the levels of noise; the first is 0.
    """
    if subject.instrument is None:
        metrics: dict[str, Any] = {
            name: measure.not_applicable(_OUT_OF_REACH) for name, measure in MEASURES.items()
        }
        return {**metrics, "by_sigma": []}
    inputs = [record["input"] for record in subject.records]
    levels = []
    for sigma in sigmas:
        with subject.instrument.noise(inputs, sigma, subject.seed):
            levels.append(_level(subject, subject.answer(subject.records)))
    points = [level.as_point(sigma) for level, sigma in zip(levels, sigmas, strict=True)]
    return {**_drops(levels, subject.seed), "by_sigma": points}


def _level(subject: Subject, answered: Sequence[Record]) -> _Level:
    scores = [record["scores"] for record in answered]
    same = [
        _label(before) == _label(after)
        or subject.task_of(before).is_equal(_label(before), _label(after))
        for before, after in zip(subject.records, answered, strict=True)
    ]
    columns = (
        [verdicts["correct"] is not None for verdicts in scores],
        [verdicts["correct"] is True for verdicts in scores],
        [verdicts["consistent"] is not None for verdicts in scores],
        [verdicts["consistent"] is True for verdicts in scores],
        same,
    )
    return _Level(*(np.array(column, dtype=np.float64) for column in columns))


def _label(record: Record) -> str | None:
    label: str | None = record["student"].get("label")
    return label


def _drops(levels: Sequence[_Level], seed: int) -> dict[str, Metric]:
    table = np.stack(
        [
            [level.is_correct, level.has_gold, level.is_consistent, level.is_covered]
            for level in levels
        ]
    )  # [levels, 4, n]
    n = table.shape[2]

    def statistic(counts: Floats) -> Floats:
        sums = np.einsum("rn,lkn->rlk", counts, table)
        drops = []
        for hits, of in ((0, 1), (2, 3)):
            below = sums[:, :, of]
            share = np.divide(
                sums[:, :, hits], below, out=np.full_like(below, np.nan), where=below > 0
            )
            drops.append(share[:, :1] - share[:, 1:])
        gap = np.abs(drops[0] - drops[1])
        return np.column_stack([part.mean(axis=1) for part in (*drops, gap)])

    values = statistic(np.ones((1, n)))[0]
    draws = bootstrap(np.arange(n), n, statistic, seed) if n > 1 else None
    return {
        name: measure.undefined("some level of noise leaves nothing to judge", n)
        if np.isnan(values[place])
        else measure.ok(
            float(values[place]),
            n,
            None if draws is None else spread_interval(draws[:, place]),
        )
        for place, (name, measure) in enumerate(MEASURES.items())
    }
