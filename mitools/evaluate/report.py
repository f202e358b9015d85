"""A summary as rows of text for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mitools.asking.answering import WAYS
from mitools.evaluate.by_field_report import by_notes, by_tables
from mitools.evaluate.catalog import with_reference
from mitools.evaluate.caveats import caveats
from mitools.evaluate.headline import headline
from mitools.evaluate.measures.metric import Measure, Metric
from mitools.evaluate.measures.ranking import COVERAGES
from mitools.evaluate.side_report import (
    BASELINE_COLUMNS,
    COST_COLUMNS,
    baseline_notes,
    baseline_rows,
    cost_rows,
)

__all__ = [
    "COLUMNS",
    "COMPARISON_COLUMNS",
    "NOISE_COLUMNS",
    "QUADRANT_COLUMNS",
    "SEED_COLUMNS",
    "WAY_COLUMNS",
    "headline_rows",
    "metric_rows",
    "noise_rows",
    "notes",
    "quadrant_rows",
    "tables",
    "title",
    "titled",
    "way_rows",
    "ways_title",
]

COLUMNS = ("", "value", "95% interval", "n")
SEED_COLUMNS = (*COLUMNS, "by run")
COMPARISON_COLUMNS = (
    "",
    "baseline",
    "this",
    "difference",
    "95% interval",
    "p",
    "p, Holm",
    "detectable",
    "n",
)
NOISE_COLUMNS = ("", "accuracy", "consistency", "coverage", "label stays")
WAY_COLUMNS = (
    "",
    "accuracy",
    "95% interval",
    "where they disagree",
    "ECE, equal width",
    "consistency",
    "tokens",
    "seconds",
)
QUADRANT_COLUMNS = ("label", "the same answer", "gold", "another", "none")

_SHOWN: Mapping[str, tuple[str, ...]] = {
    "label": (
        *("accuracy", "exact_match", "valid", "macro_f1", "decode_agreement"),
        "input_truncated",
    ),
    "calibration": (
        *("mean_confidence", "ece_width", "ece_mass", "brier", "nll"),
        *("auroc", "aurc", "excess_aurc"),
        *(f"accuracy_at_{share}" for share in COVERAGES),
        *("classwise_ece", "in_set_mass"),
    ),
    "temperature": ("temperature", "nll", "ece_width", "ece_mass", "brier"),
    "operating": (
        *("threshold", "coverage", "accuracy", "accuracy_below", "with_teacher", "agreement"),
        *("aurc", "chosen_coverage", "chosen_accuracy", "chosen_agreement"),
    ),
    "teacher": (
        *("agreement", "accuracy", "student_accuracy", "suspects"),
        *("ece_width", "ece_mass", "brier", "auroc", "aurc", "confidence", "ece"),
    ),
    "consistency": ("consistency", "coverage", "with_simulator"),
    "association": ("cvi_net", "cvi", "cvi_masked", "leak_share", "rq", "las"),
    "quality": ("cvi", "rq"),
    "judge": ("score", "win_rate", "order_agreement", "readable"),
    "rationale": (
        *("steps_right", "empty", "truncated", "repeated_4grams", "copied_4grams"),
        "label_mention",
    ),
}
"""The figures that have a row, by section of the summary, in their order."""

_SHOWN_OF_PROBES: Mapping[str, tuple[str, ...]] = {
    "robustness": ("accuracy_drop", "consistency_drop", "equivalence_gap"),
    "attribution": ("spearman_gain", "spearman", "top_overlap_gain"),
    "counterfactual": ("flip_coverage", "mentioned"),
    "cue": ("followed", "accuracy_change", "acknowledged", "rationalized"),
}
_DIFFERENCES = frozenset(
    ["accuracy_drop", "consistency_drop", "equivalence_gap", "top_overlap_gain", "accuracy_change"]
)
"""Probes' figures that are differences of shares: written in points, not in percent."""

_ALL_OR_ONE = ("association", "quality")
"""All figures of these sections are missing for one reason, which the headline states."""

_SHOWN_OVERLAPS = ("teacher", "human")

_ASKED = ("temperature.", "judge.", "probes.", "association.rationale_editing.")
_ASKED_FIGURES = (
    *("label.decode_agreement", "overlap.teacher.embedding", "overlap.human.embedding"),
)
"""Figures that have a value only if an option requested them; the headline shows them as well."""

_OF_THE_POINT = ("threshold", "coverage", "accuracy", "with_teacher", "agreement")
"""Figures of an operating point that the headline shows where they have a value."""

_UNITS = {"nats": "nats", "bits": "bits", "points from 1 to 5": "1 to 5"}
"""Units that a row names behind the title; others show in the value, or have no name."""

_ASKED_COSTS = ("student_usd", "teacher_usd", "single_p50")
"""Costs that have a value only if an option requested them."""

Table = tuple[str, tuple[str, ...], list[tuple[str, ...]]]


def tables(figures: Mapping[str, Any], *, is_full: bool = True) -> list[Table]:
    """List the tables to show: title, columns and rows of each.

    Args:
        figures: the figures of one run, or ``runs`` of several seeds and ``seeds`` over them; and a
            ``comparison`` where there is a baseline.
        is_full: show all figures of one run; otherwise the headline and what options requested.
    """
    shown: list[Table] = []
    if "seeds" in figures:
        heading = f"{len(figures['runs'])} runs on {figures['seeds']['records']:,} records"
        shown.append((heading, SEED_COLUMNS, _seed_rows(figures["seeds"])))
    else:
        rows = metric_rows(figures) if is_full else headline_rows(figures)
        shown.append((title(figures), COLUMNS, [*rows]))
        shown += by_tables(figures)
        if ways := way_rows(figures):
            shown.append((ways_title(figures), WAY_COLUMNS, ways))
        if is_full and (quadrants := quadrant_rows(figures)):
            shown.append(("what the rationale supports", QUADRANT_COLUMNS, quadrants))
        if noise := noise_rows(figures):
            shown.append(("under noise, by its loudness", NOISE_COLUMNS, noise))
        if baselines := baseline_rows(figures):
            shown.append(("beside cheap baselines", BASELINE_COLUMNS, baselines))
        if (is_full or _asks_costs(figures)) and (costs := cost_rows(figures)):
            shown.append(("costs, on this machine", COST_COLUMNS, costs))
    if "comparison" in figures:
        heading = f"compared with the baseline on {figures['comparison']['records']:,} records"
        shown.append((heading, COMPARISON_COLUMNS, _comparison_rows(figures["comparison"])))
    return shown


def _asks_costs(figures: Mapping[str, Any]) -> bool:
    """Return whether an option requested costs: a price, or the latency of single records."""
    costs = figures.get("costs", {})
    return any(name in costs and costs[name].value is not None for name in _ASKED_COSTS)


def notes(figures: Mapping[str, Any], *, is_full: bool = True) -> list[str]:
    """List the notes on what is shown and on what is not, one sentence each."""
    sentences = baseline_notes(figures)
    if not is_full and "seeds" not in figures:
        more = len(metric_rows(figures)) - len(headline_rows(figures))
        more += 0 if _asks_costs(figures) else len(cost_rows(figures))
        if more > 0:
            sentences.append(f"{more:,} more figures with --all; --summary FILE writes all of them")
    return [*sentences, *by_notes(figures), *caveats(figures)]


def _seed_rows(block: Mapping[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for metric in (one for one in block.values() if isinstance(one, Metric)):
        if row := _row(titled(metric.measure), metric):
            each = ", ".join(_number(metric, value) for value in metric.details.get("by_run", ()))
            rows.append((*row, each))
    return rows


def _comparison_rows(comparison: Mapping[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for metric in comparison["metrics"].values():
        if metric.value is None:
            continue
        details = metric.details
        interval = " to ".join(_signed(metric, end) for end in metric.ci95 or ())
        least = details.get("smallest_detectable")
        rows.append(
            (
                titled(metric.measure),
                _number(metric, details["theirs"]),
                _number(metric, details["ours"]),
                _signed(metric, metric.value),
                interval,
                f"{details['p_value']:.3g}",
                f"{details['p_holm']:.3g}",
                "" if least is None else _number(metric, least),
                f"{metric.n:,}",
            )
        )
    return rows


def _signed(metric: Metric, value: float) -> str:
    return ("+" if value > 0 else "") + _number(metric, value)


def title(summary: Mapping[str, Any]) -> str:
    """Name what was measured: records, task and student."""
    records, tasks = summary["records"], " and ".join(summary["tasks"])
    models = list(summary["models"])
    by = f", by {models[0]}" if len(models) == 1 else ""
    return f"{records:,} record{'s' * (records != 1)}, task {tasks}{by}"


def titled(measure: Measure) -> str:
    """Name a measure as its row does: its title, and its unit where the value does not show it."""
    unit = _UNITS.get(measure.unit)
    return f"{measure.title} ({unit})" if unit else measure.title


Row = tuple[str, str, str, str]


def metric_rows(summary: Mapping[str, Any]) -> list[Row]:
    """List the figures that apply; one without a value has the reason."""
    return [row for _, row in _rows_by_path(summary)]


def headline_rows(summary: Mapping[str, Any]) -> list[Row]:
    """List the figures of the headline, and those that an option requested."""
    rows = dict(_rows_by_path(summary))
    chosen = headline(lambda path: _status_at(summary, path) if path in rows else None)
    asked = [path for path in rows if path.startswith(_ASKED) or path in _ASKED_FIGURES]
    point = [path for name in _OF_THE_POINT if (path := f"operating.{name}") in rows]
    asked += [path for path in point if _status_at(summary, path) == "ok"]
    return [rows[path] for path in dict.fromkeys([*chosen, *asked])]


def _status_at(summary: Mapping[str, Any], path: str) -> str:
    found: Any = summary
    for name in path.split("."):
        found = found[name]
    status: str = found.status
    return status


def _rows_by_path(summary: Mapping[str, Any]) -> Iterator[tuple[str, Row]]:
    """Yield the rows of the figures that apply, with the dotted paths of the figures."""
    for path, name, metric, sign in _listed(summary):
        row = _row(titled(name), metric, sign)
        if row is not None:
            yield path, row


def _listed(summary: Mapping[str, Any]) -> Iterator[tuple[str, Measure, Metric, str]]:
    """Yield path, measure, metric and unit of what may have a row, in the order of the rows."""
    for section, keys in _SHOWN.items():
        for key in keys:
            metric = summary[section][key]
            if metric.status == "ok" or section not in _ALL_OR_ONE or key == "cvi_net":
                yield f"{section}.{key}", metric.measure, metric, "%"
    for reference in _SHOWN_OVERLAPS:
        block = summary["overlap"][reference]
        for key, metric in block.items() if block["bleu"].status == "ok" else ():
            measure = with_reference(metric.measure, reference)
            yield f"overlap.{reference}.{key}", measure, metric, "%"
    for probe, keys in _SHOWN_OF_PROBES.items():
        for key in keys:
            if metric := summary["probes"][probe][key]:
                sign = " points" if key in _DIFFERENCES else "%"
                yield f"probes.{probe}.{key}", metric.measure, metric, sign
    for key, metric in summary["association"]["rationale_editing"].items():
        yield f"association.rationale_editing.{key}", metric.measure, metric, "%"


def noise_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """List the figures of each noise level; [] without that probe."""
    columns = ("accuracy", "consistency", "coverage", "same_label")
    return [
        (
            f"{point['sigma']:g}",
            *("" if point[name].value is None else _shown(point[name]) for name in columns),
        )
        for point in summary["probes"]["robustness"].get("by_sigma", ())
    ]


def ways_title(summary: Mapping[str, Any]) -> str:
    """Name the table of the ways of answering: the weight, and how often the readings agree."""
    answers = summary["answers"]
    weight, agreement, agreed = (
        answers[name] for name in ("weight", "agreement", "accuracy_agreed")
    )
    parts = []
    if weight.value is not None:
        is_fitted = weight.details["is_fitted"]
        count = f"{weight.n:,} record{'s' * (weight.n != 1)}"
        fitted = f", fitted on {count}" if is_fitted else ", not fitted"
        parts.append(f"weight of predict {weight.value:.2f}{fitted}")
    if agreement.value is not None:
        right = "" if agreed.value is None else f", {_shown(agreed)} of them right"
        parts.append(f"readings agree on {_shown(agreement)}{right}")
    return ": ".join(("by way of answering", "; ".join(parts))) if parts else "by way of answering"


def way_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """List the figures of each way of answering; [] where only one was used."""
    rows = []
    for way in WAYS if "answers" in summary else ():
        figures = summary["answers"][way]
        accuracy = figures["accuracy"]
        if accuracy.status == "not_applicable":
            continue
        low_high = [_number(accuracy, end) for end in accuracy.ci95 or ()]
        names = ("accuracy_disagreed", "ece_width", "consistency", "tokens", "seconds")
        rows.append(
            (
                way,
                "" if accuracy.value is None else _shown(accuracy),
                " to ".join(low_high),
                *("" if figures[n].value is None else _shown(figures[n]) for n in names),
            )
        )
    return rows


def quadrant_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Count labels, right and wrong, by the answer that the rationale supports; [] without any."""
    quadrants = summary["quadrants"] or {}
    rows = [(name, *(f"{n:,}" for n in row.values())) for name, row in quadrants.items()]
    return rows if any(n for row in quadrants.values() for n in row.values()) else []


def _row(name: str, metric: Metric, sign: str = "%") -> Row | None:
    if metric.status in ("not_applicable", "skipped"):
        return None
    if metric.value is None:
        return name, "undefined", metric.reason or "", ""
    shown = _shown(metric, sign)
    if "p_value" in metric.details:
        low, high = metric.ci95 or (metric.value, metric.value)
        p = metric.details["p_value"]
        between = f"{_number(metric, low)} to {_number(metric, high)}, p = {p:.3g}"
    elif "before" in metric.details:
        between = f"{_number(metric, metric.details['before'])} before"
    elif "null95" in metric.details:
        low, high = metric.details["null95"]
        between = f"{_number(metric, low)} to {_number(metric, high)} by chance"
    elif metric.ci95:
        between = f"{_number(metric, metric.ci95[0])} to {_number(metric, metric.ci95[1])}"
    else:
        between = ""
    return name, shown, between, f"{metric.n:,}"


def _shown(metric: Metric, sign: str = "%") -> str:
    assert metric.value is not None
    return _number(metric, metric.value) + (sign if metric.measure.unit == "fraction" else "")


def _number(metric: Metric, value: float) -> str:
    if metric.measure.unit == "fraction":
        return f"{100 * value:.1f}"
    return f"{value:.1f}" if metric.measure.unit in ("points", "tokens") else f"{value:.3f}"
