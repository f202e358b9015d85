"""Attribution agreement: do label and rationale depend on the same words of the input?

The attribution of an answer is gradient × input of its log-probability, by token of the input; its
absolute values are compared for the two passes. Some words matter to any answer, so the agreement
is compared with that of another record's rationale, and the gain counts. For a student of one pass,
the second text is scored after the first.

Source: Wiegreffe, Marasović and Smith, arXiv:2010.12762, section 5 (feature importance agreement).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from mitools.evaluate.measures.metric import Measure, Metric
from mitools.evaluate.measures.statistics import mean_intervals
from mitools.evaluate.probes.subject import Span, Subject
from mitools.records import Record

__all__ = ["FEWEST_TOKENS", "MEASURES", "probe_attribution", "rank_correlation", "top_overlap"]

Floats = NDArray[np.float64]

FEWEST_TOKENS = 5
TOP = 0.2

MEASURES: Mapping[str, Measure] = {
    "spearman": Measure(
        "attribution ρ",
        "correlation",
        higher_is_better=True,
        about="Spearman's rank correlation of the gradient × input sizes of label and rationale, "
        "over the tokens of the input.",
    ),
    "spearman_null": Measure(
        "attribution ρ, mismatched",
        "correlation",
        higher_is_better=None,
        about="The same correlation with another record's rationale.",
    ),
    "spearman_gain": Measure(
        "attribution ρ above null",
        "correlation",
        higher_is_better=True,
        about="Attribution ρ minus its mismatched value, by record.",
    ),
    "top_overlap": Measure(
        "top-20% overlap",
        "fraction",
        higher_is_better=True,
        about="Share of tokens that the largest fifths of the two attributions have in common.",
    ),
    "top_overlap_null": Measure(
        "top-20% overlap, mismatched",
        "fraction",
        higher_is_better=None,
        about="The same overlap with another record's rationale.",
    ),
    "top_overlap_gain": Measure(
        "top-20% overlap above null",
        "fraction",
        higher_is_better=True,
        about="Top-20% overlap minus its mismatched value, by record.",
    ),
}
"""Means over records whose input has five tokens or more, whose rationale is not empty, and whose
sizes are not all equal. Identical passes give 1. Undefined where no such record is left."""

_OUT_OF_REACH = "this kind of student has no gradients"


def rank_correlation(left: Floats, right: Floats) -> float | None:
    """Compute Spearman's ρ of two rows [n], ties at their middle rank; None for a constant one."""
    ranks = [rankdata(row) - (len(row) + 1) / 2 for row in (left, right)]
    spread = math.sqrt(float((ranks[0] ** 2).sum() * (ranks[1] ** 2).sum()))
    return float((ranks[0] * ranks[1]).sum()) / spread if spread else None


def top_overlap(left: Floats, right: Floats) -> float:
    """Compute the share that the largest fifths of two rows [n] have in common; ties by place."""
    size = math.ceil(TOP * len(left))
    tops = [set(np.argsort(-row, kind="stable")[:size].tolist()) for row in (left, right)]
    return len(tops[0] & tops[1]) / size


def probe_attribution(subject: Subject) -> dict[str, Metric]:
    """Run the probe: :data:`MEASURES`."""
    if subject.instrument is None:
        return {name: measure.not_applicable(_OUT_OF_REACH) for name, measure in MEASURES.items()}
    records = [record for record in subject.records if _has_both(record)]
    rationales = [record["student"]["rationale"] for record in records]
    if len(set(rationales)) < 2:
        reason = "fewer than two different rationales with a label, so none can be mismatched"
        return {name: measure.undefined(reason) for name, measure in MEASURES.items()}
    inputs = [record["input"] for record in records]
    labels = [record["student"]["label"] for record in records]
    attribute = subject.instrument.attributions
    by_label = attribute("label", inputs, labels, rationales, is_mean=False)
    subject.update(len(inputs))
    by_own = attribute("rationale", inputs, rationales, labels, is_mean=True)
    subject.update(len(inputs))
    by_other = attribute("rationale", inputs, _mismatched(rationales), labels, is_mean=True)
    subject.update(len(inputs))
    rows = [
        agreement
        for triple in zip(by_label, by_own, by_other, strict=True)
        if (agreement := _agreement(*triple)) is not None
    ]
    return _metrics(rows, subject.seed)


def _has_both(record: Record) -> bool:
    student = record["student"]
    return bool(student.get("label")) and bool((student.get("rationale") or "").strip())


def _mismatched(rationales: Sequence[str]) -> list[str]:
    """Give each record the next rationale that differs from its own."""
    n = len(rationales)
    return [
        next(
            rationales[(place + step) % n]
            for step in range(1, n)
            if rationales[(place + step) % n] != own
        )
        for place, own in enumerate(rationales)
    ]


def _agreement(
    label: Mapping[Span, float], own: Mapping[Span, float], other: Mapping[Span, float]
) -> tuple[float, ...] | None:
    """Compare over the tokens that all passes share; None where a comparison is undefined."""
    spans = [span for span in label if span in own and span in other]
    if len(spans) < FEWEST_TOKENS:
        return None
    sizes = [np.abs([attribution[span] for span in spans]) for attribution in (label, own, other)]
    correlations = [rank_correlation(sizes[0], size) for size in sizes[1:]]
    if correlations[0] is None or correlations[1] is None:
        return None
    overlaps = [top_overlap(sizes[0], size) for size in sizes[1:]]
    pairs = ((correlations[0], correlations[1]), (overlaps[0], overlaps[1]))
    return tuple(value for ours, null in pairs for value in (ours, null, ours - null))


def _metrics(rows: Sequence[tuple[float, ...]], seed: int) -> dict[str, Metric]:
    if not rows:
        reason = f"no input of {FEWEST_TOKENS} tokens has attributions that differ"
        return {name: measure.undefined(reason) for name, measure in MEASURES.items()}
    table = np.array(rows)
    intervals = mean_intervals(table, seed)
    return {
        name: measure.ok(float(table[:, place].mean()), len(rows), intervals[place])
        for place, (name, measure) in enumerate(MEASURES.items())
    }
