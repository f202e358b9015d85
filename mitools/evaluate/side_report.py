"""The tables of baselines and of costs, as rows of text for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mitools.evaluate.measures.metric import Metric

__all__ = [
    "BASELINE_COLUMNS",
    "COST_COLUMNS",
    "baseline_notes",
    "baseline_rows",
    "cost_rows",
]

BASELINE_COLUMNS = (
    "",
    "accuracy",
    "95% interval",
    "student ahead by",
    "95% interval",
    "p, Holm",
    "ECE",
    "train",
    "answer",
)

COST_COLUMNS = ("", "value", "measured on")

_COST_ROWS = (
    *("student_usd", "teacher_usd", "break_even"),
    *("student_ms", "latency_p50", "latency_p95", "single_p50", "single_p95"),
    *("student_tokens", "teacher_prompt_tokens", "teacher_completion_tokens", "memory"),
)


def baseline_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """List the figures of the student, each baseline and the teacher; [] where none was asked for.

    A baseline that could not be used has no row; :func:`baseline_notes` has the reason.
    """
    rows: list[tuple[str, ...]] = []
    for name, figures in _systems(summary).items():
        accuracy, difference = figures["accuracy"], figures["difference"]
        if accuracy.value is None:
            continue
        p = difference.details.get("p_holm", difference.details.get("p_value"))
        rows.append(
            (
                name,
                f"{100 * accuracy.value:.1f}%",
                _between(accuracy, "{:.1f}"),
                "" if difference.value is None else f"{100 * difference.value:+.1f} points",
                _between(difference, "{:+.1f}"),
                "" if p is None else f"{p:.3g}",
                _or_nothing(figures["ece_width"], "{:.1f}%", 100),
                _or_nothing(figures["fit_seconds"], "{:.1f} s"),
                _or_nothing(figures["answer_ms"], "{:.1f} ms"),
            )
        )
    return rows


def baseline_notes(summary: Mapping[str, Any]) -> list[str]:
    """List what each baseline is, which gold labels are out of its reach, and what went wrong."""
    notes = []
    families = summary.get("baselines", {}).get("about", {}).get("families", {})
    for name, about in families.items():
        figures = _systems(summary)[name]
        reachable = figures["reachable"]
        if figures["accuracy"].value is None:
            notes.append(f"baseline {name}: {figures['accuracy'].reason}")
            continue
        share = ""
        if reachable.value is not None and reachable.value < 1:
            share = f"; {100 * reachable.value:.1f}% of the gold labels are answers it could give"
        notes.append(f"baseline {name}: {about}{share}")
    if families:
        about = summary["baselines"]["about"]
        labels = {"gold": "gold", "teacher": "the teacher's"}.get(
            about["labels_from"], "gold where known, else the teacher's"
        )
        notes.append(
            f"baselines learned from {about['learned_from']:,} of {about['training_records']:,} "
            f"training records; labels: {labels}"
        )
    return notes


def cost_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """List the costs that are known; [] where none was measured."""
    costs = summary.get("costs", {})
    rows: list[tuple[str, ...]] = []
    for name in _COST_ROWS:
        metric = costs.get(name)
        if metric is not None and metric.value is not None:
            rows.append((metric.measure.title, _written(metric), _measured_on(name, metric)))
        elif metric is not None and metric.status == "undefined" and name == "break_even":
            rows.append((metric.measure.title, "none", metric.reason or ""))
    return rows


def _systems(summary: Mapping[str, Any]) -> Mapping[str, Mapping[str, Metric]]:
    found: Mapping[str, Mapping[str, Metric]] = summary.get("baselines", {}).get("systems", {})
    return found


def _between(metric: Metric, form: str) -> str:
    return " to ".join(form.format(100 * end) for end in metric.ci95 or ())


def _or_nothing(metric: Metric, form: str, scale: float = 1) -> str:
    return "" if metric.value is None else form.format(scale * metric.value)


def _written(metric: Metric) -> str:
    value = metric.value or 0.0
    forms = {"ms": f"{value:,.1f} ms", "MiB": f"{value:,.0f} MiB", "records": f"{value:,.0f}"}
    if metric.measure.unit == "USD":
        return f"${value:.3g}" if value < 1 else f"${value:,.2f}"
    return forms.get(metric.measure.unit, f"{value:,.1f}")


def _measured_on(name: str, metric: Metric) -> str:
    details, count = metric.details, f"{metric.n:,} record{'s' * (metric.n != 1)}"
    if name == "memory":
        return str(details.get("measured", ""))
    if name == "teacher_usd":
        return f"{count}; ${details['bill']:.4g} for all records of the input"
    if name == "break_even":
        return f"${details['training_usd']:.3g} training, ${details['annotation_usd']:.3g} teacher"
    if name.startswith("latency"):
        return f"{count}, in batches of up to {details['batch_size']:,}"
    return count
