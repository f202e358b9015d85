"""The panel of the baselines of a summary: one row for the student, each baseline and the teacher.

Texts of the summary are not escaped here. Nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mitools.evaluate.baselines.compare import MEASURES
from mitools.explain.figure_text import direction, figure_of, has_value, p_written, written
from mitools.explain.panel import Panel, PanelRow
from mitools.explain.summary_file import Summary, is_metric, value_at

__all__ = ["baseline_panel"]

_TITLE = "Beside cheap baselines"
_ABOUT = (
    "Accuracy on the same records. The difference is the student minus the baseline; McNemar's "
    "exact test, with Holm's correction for the number of baselines."
)


def baseline_panel(summaries: Mapping[str, Summary]) -> Panel | None:
    """Return the panel of all summaries with baselines; None if there are none.

    Args:
        summaries: by student, ``student`` first.
    """
    found = {who: systems for who, one in summaries.items() if (systems := _systems(one))}
    if not found:
        return None
    names = dict.fromkeys(name for systems in found.values() for name in systems)
    rows = []
    for name in names:
        metrics = {who: one[name] for who, one in found.items() if name in one}
        figures = tuple(figure_of(who, one["accuracy"]) for who, one in metrics.items())
        beside = _beside(next(iter(metrics.values())))
        rows.append(
            PanelRow(name, figures, direction(MEASURES["accuracy"].higher_is_better), beside)
        )
    notes = dict.fromkeys(note for who in found for note in _notes(summaries[who]))
    return Panel("baselines", _TITLE, _ABOUT, tuple(rows), tuple(notes))


def _systems(summary: Summary) -> dict[str, Mapping[str, Any]]:
    systems = value_at(summary, "baselines.systems")
    if not isinstance(systems, Mapping):
        return {}
    return {
        str(name): figures
        for name, figures in systems.items()
        if isinstance(figures, Mapping) and is_metric(figures.get("accuracy"))
    }


def _beside(figures: Mapping[str, Any]) -> str:
    """Return the difference to the student, the calibration error and the times in words."""
    valued = {
        name: metric
        for name, metric in figures.items()
        if name in MEASURES and is_metric(metric) and has_value(metric)
    }
    parts = []
    if difference := valued.get("difference"):
        text = written(difference["value"], difference.get("unit"), "signed", with_unit=True)
        p = difference.get("p_holm", difference.get("p_value"))
        parts.append(f"student {text}" + ("" if p is None else f", p {p_written(p)}"))
    if error := valued.get("ece_width"):
        parts.append(f"ECE {written(error['value'], error.get('unit'), with_unit=True)}")
    if (reach := valued.get("reachable")) and reach["value"] < 1:
        share = written(reach["value"], reach.get("unit"), with_unit=True)
        parts.append(f"{share} of gold labels within reach")
    if fit := valued.get("fit_seconds"):
        parts.append(f"{fit['value']:,.1f} s to train")
    if answer := valued.get("answer_ms"):
        parts.append(f"{answer['value']:,.1f} ms per answer")
    return "; ".join(parts)


def _notes(summary: Summary) -> Iterator[str]:
    families = value_at(summary, "baselines.about.families")
    for name, about in families.items() if isinstance(families, Mapping) else ():
        yield f"{name}: {about}"
