"""Why a plot is not on the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mitools.explain.cards import Missing
from mitools.explain.summaries import Summary, metric_at

__all__ = ["missing_plots"]

NO_GOLD = "no record has both a gold label and a student's answer"
NO_CONFIDENCE = "no record has both a gold label and a student's confidence"
NO_SUMMARY = 'it needs the figures of "mitools eval --summary FILE": add "--summary FILE"'


def missing_plots(
    plots: Mapping[str, Any], summary: Summary, *, has_summary: bool
) -> Iterator[Missing]:
    """Name the plots whose data is not there, and say why.

    Args:
        plots: by name; what is not there is empty.
        summary: the student's figures, whoever computed them.
        has_summary: whether there are figures that ``eval`` wrote.
    """
    if not plots["reliability"]:
        yield Missing("Reliability, risk and coverage", NO_CONFIDENCE)
    if not plots["quadrants"]:
        reason = _reason(summary, "consistency.consistency") or NO_GOLD
        yield Missing("Label and rationale", reason)
    if not plots["confusion"]:
        yield Missing("Confusion", _reason(summary, "label.macro_f1") or NO_GOLD)
    if not plots["permutations"]:
        reason = _reason(summary, "association.cvi_net")
        unknown = "the summary does not have it" if has_summary else NO_SUMMARY
        yield Missing("CVI against chance", reason or unknown)


def _reason(summary: Summary, path: str) -> str:
    metric = metric_at(summary, path)
    return "" if metric is None else str(metric.get("reason") or "")
