"""The headline of a summary: the few figures that are shown first.

``eval`` and ``explain`` show the same ones. No figure is computed here.
"""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["HEADLINES", "MOST", "headline"]

MOST = 6
"""Most figures in a headline."""

_ALWAYS = ("label.accuracy", "consistency.consistency")
"""Shown with the reason if they are undefined."""

HEADLINES = (
    *("label.accuracy", "label.macro_f1", "consistency.consistency", "association.cvi_net"),
    *("calibration.ece_width", "calibration.auroc", "calibration.accuracy_at_80"),
    *("overlap.teacher.rouge_l", "rationale.steps_right", "label.valid", "calibration.brier"),
    *("rationale.empty", "label.exact_match", "teacher.agreement"),
)
"""Dotted paths of the figures, the most important first; the first ones with a value are shown."""


def headline(status_of: Callable[[str], str | None]) -> list[str]:
    """Return the paths of the figures of a headline, in order.

    Args:
        status_of: returns the status of the figure at a path; None if the summary has none.
    """
    shown = [
        path
        for path in HEADLINES
        if (status := status_of(path)) == "ok" or (status == "undefined" and path in _ALWAYS)
    ]
    return shown[:MOST]
