"""The reasons for plots that are not on the page."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mitools.explain.cards import MissingFigure
from mitools.explain.summary_file import Summary, metric_at

__all__ = ["missing_plots"]

NO_GOLD = "no record has both a gold label and a student's answer"
NO_CONFIDENCE = "no record has both a gold label and a student's confidence"
NO_SUMMARY = 'needs the figures of "mitools eval --summary FILE": add "--summary FILE"'


def missing_plots(
    plots: Mapping[str, Any], summary: Summary, *, has_summary: bool
) -> Iterator[MissingFigure]:
    """Yield the plots without data, with the reasons.

    Args:
        plots: by name; empty without data.
        summary: the student's figures, given or computed.
        has_summary: whether they are of ``eval``.
    """
    if not plots["reliability"]:
        yield MissingFigure("Reliability, risk and coverage", NO_CONFIDENCE)
    if not plots["quadrants"]:
        reason = _reason(summary, "consistency.consistency") or NO_GOLD
        yield MissingFigure("Label and rationale", reason)
    if not plots["confusion"]:
        yield MissingFigure("Confusion", _reason(summary, "label.macro_f1") or NO_GOLD)
    if not plots["permutations"]:
        reason = _reason(summary, "association.cvi_net")
        unknown = "not in the summary" if has_summary else NO_SUMMARY
        yield MissingFigure("CVI against chance", reason or unknown)


def _reason(summary: Summary, path: str) -> str:
    metric = metric_at(summary, path)
    return "" if metric is None else str(metric.get("reason") or "")
