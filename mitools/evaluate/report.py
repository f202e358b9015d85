"""A summary as rows of text for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mitools.evaluate.measures.metric import Metric

__all__ = [
    "COLUMNS",
    "COMPARISON_COLUMNS",
    "NOISE_COLUMNS",
    "QUADRANT_COLUMNS",
    "SEED_COLUMNS",
    "metric_rows",
    "noise_rows",
    "notes",
    "quadrant_rows",
    "tables",
    "title",
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
QUADRANT_COLUMNS = ("label", "the same answer", "gold", "another", "none")

_NAMES = {
    "label": {
        "accuracy": "accuracy",
        "exact_match": "exact match",
        "valid": "valid labels",
        "macro_f1": "macro-F1",
        "decode_agreement": "decoding agrees",
    },
    "calibration": {
        "mean_confidence": "mean confidence",
        "ece_width": "ECE, 15 equal-width bins",
        "ece_mass": "ECE, 15 equal-mass bins",
        "brier": "Brier",
        "nll": "NLL (nats)",
        "auroc": "AUROC of confidence",
        "aurc": "AURC",
        "excess_aurc": "AURC above the best ranking",
        "accuracy_at_50": "accuracy, surest 50%",
        "accuracy_at_80": "accuracy, surest 80%",
        "accuracy_at_90": "accuracy, surest 90%",
        "accuracy_at_95": "accuracy, surest 95%",
        "classwise_ece": "classwise ECE",
        "in_set_mass": "in-set mass",
    },
    "temperature": {
        "temperature": "temperature, fitted on valid",
        "nll": "NLL of gold at it (nats)",
        "ece_width": "ECE at it, equal width",
        "ece_mass": "ECE at it, equal mass",
        "brier": "Brier at it",
    },
    "consistency": {
        "consistency": "consistency",
        "coverage": "its coverage",
        "with_simulator": "consistency, open ones simulated",
    },
    "association": {
        "cvi_net": "CVI beyond gold (bits)",
        "cvi": "CVI (bits)",
        "cvi_masked": "CVI without label words (bits)",
        "leak_share": "share that label words carry",
        "rq": "RQ of its own label",
        "las": "LAS of its own label",
    },
    "quality": {"cvi": "CVI of gold (bits)", "rq": "RQ of gold"},
    "judge": {
        "score": "judge's score (1 to 5)",
        "win_rate": "judge prefers this student",
        "order_agreement": "… the same in both orders",
        "readable": "… replies with a verdict",
    },
    "rationale": {
        "steps_right": "arithmetic steps right",
        "empty": "empty rationales",
        "truncated": "truncated",
        "repeated_4grams": "repeated 4-grams",
        "copied_4grams": "4-grams from the input",
        "label_mention": "names its label",
    },
}
_PROBES = {
    "robustness": {
        "accuracy_drop": "accuracy lost to noise",
        "consistency_drop": "consistency lost to noise",
        "equivalence_gap": "gap between the two",
    },
    "attribution": {
        "spearman_gain": "attribution agreement (ρ above null)",
        "spearman": "… its ρ",
        "top_overlap_gain": "top-20% overlap above null",
    },
    "counterfactual": {
        "flip_coverage": "labels that a word changes",
        "mentioned": "… and the rationale has the word",
    },
    "cue": {
        "followed": "suggested answers followed",
        "accuracy_change": "accuracy with the suggestion",
        "acknowledged": "… followed, and said so",
        "rationalized": "… followed, and argued for it",
    },
}
_EDITING = {
    "early_answering": "early answering (AOC)",
    "added_mistakes": "labels that a mistake changes",
    "filler_tokens": "labels that filler changes",
    "perturbed_rationale": "labels that other words change",
    "indirect_effect": "labels another rationale changes",
}
_DIFFERENCES = frozenset(
    ["accuracy_drop", "consistency_drop", "equivalence_gap", "top_overlap_gain", "accuracy_change"]
)
"""Probes' figures that are one share less another: told in points, not in percent."""

_ALL_OR_ONE = ("association", "quality")
"""What is missing here is missing for one reason, which the headline states."""

_OVERLAPS = {"teacher": "teacher", "human": "human"}
_OVERLAP_NAMES = {
    "bleu": "BLEU",
    "chrf": "chrF",
    "rouge_l": "ROUGE-L",
    "length_ratio": "length ratio",
    "embedding": "meaning shared",
}


Table = tuple[str, tuple[str, ...], list[tuple[str, ...]]]


def tables(found: Mapping[str, Any]) -> list[Table]:
    """List what is to be shown: title, columns and rows of each table.

    Args:
        found: a summary, or ``runs`` of several seeds and ``seeds`` over them; and a
            ``comparison``, where one was asked for.
    """
    shown: list[Table] = []
    if "seeds" in found:
        heading = f"{len(found['runs'])} runs"
        shown.append((heading, SEED_COLUMNS, _seed_rows(found["seeds"])))
    else:
        shown.append((title(found), COLUMNS, [*metric_rows(found)]))
        if quadrants := quadrant_rows(found):
            shown.append(("what the rationale supports", QUADRANT_COLUMNS, quadrants))
        if noise := noise_rows(found):
            shown.append(("under noise, by its loudness", NOISE_COLUMNS, noise))
    if "comparison" in found:
        heading = f"compared with the baseline on {found['comparison']['records']:,} records"
        shown.append((heading, COMPARISON_COLUMNS, _comparison_rows(found["comparison"])))
    return shown


def notes(found: Mapping[str, Any]) -> list[str]:
    """List what must be said of a comparison, one sentence each."""
    if "comparison" not in found:
        return []
    said = []
    if unmatched := found["comparison"]["unmatched"]:
        said.append(f"{unmatched:,} records are not in all runs, and were left out")
    for name, metric in found["comparison"]["metrics"].items():
        if note := metric.details.get("note"):
            said.append(f"{name}: {note}")
    return said


def _seed_rows(metrics: Mapping[str, Metric]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, metric in metrics.items():
        if row := _row(name, metric):
            each = ", ".join(_number(metric, value) for value in metric.details.get("by_run", ()))
            rows.append((*row, each))
    return rows


def _comparison_rows(comparison: Mapping[str, Any]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for name, metric in comparison["metrics"].items():
        if metric.value is None:
            continue
        low, high = metric.ci95 or (metric.value, metric.value)
        details = metric.details
        rows.append(
            (
                name,
                _number(metric, details["theirs"]),
                _number(metric, details["ours"]),
                _signed(metric, metric.value),
                f"{_signed(metric, low)} to {_signed(metric, high)}",
                f"{details['p_value']:.3g}",
                f"{details['p_holm']:.3g}",
                _number(metric, details["smallest_detectable"]),
                f"{metric.n:,}",
            )
        )
    return rows


def _signed(metric: Metric, value: float) -> str:
    return ("+" if value > 0 else "") + _number(metric, value)


def title(summary: Mapping[str, Any]) -> str:
    """Say what was measured: records, task and student."""
    records, tasks = summary["records"], " and ".join(summary["tasks"])
    models = list(summary["models"])
    by = f", by {models[0]}" if len(models) == 1 else ""
    return f"{records:,} record{'s' * (records != 1)}, task {tasks}{by}"


def metric_rows(summary: Mapping[str, Any]) -> list[tuple[str, str, str, str]]:
    """List the figures that apply, and why one that applies is missing."""
    rows = [
        _row(name, summary[section][key])
        for section, names in _NAMES.items()
        for key, name in names.items()
        if summary[section][key].status == "ok" or section not in _ALL_OR_ONE or key == "cvi_net"
    ]
    rows += [
        _row(f"{name} with {whose}", summary["overlap"][reference][key])
        for reference, whose in _OVERLAPS.items()
        if summary["overlap"][reference]["bleu"].status == "ok"
        for key, name in _OVERLAP_NAMES.items()
    ]
    rows += [
        _row(name, summary["probes"][probe][key], " points" if key in _DIFFERENCES else "%")
        for probe, names in _PROBES.items()
        for key, name in names.items()
    ]
    editing = summary["association"]["rationale_editing"]
    rows += [_row(name, editing[key]) for key, name in _EDITING.items()]
    return [row for row in rows if row]


def noise_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """List what each level of noise does; [] where it was not asked for."""
    columns = ("accuracy", "consistency", "coverage", "same_label")
    return [
        (
            f"{point['sigma']:g}",
            *("" if point[name].value is None else _shown(point[name]) for name in columns),
        )
        for point in summary["probes"]["robustness"].get("by_sigma", ())
    ]


def quadrant_rows(summary: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Count labels, right and wrong, by the answer that the rationale supports; [] without any."""
    quadrants = summary["quadrants"] or {}
    rows = [(name, *(f"{n:,}" for n in row.values())) for name, row in quadrants.items()]
    return rows if any(n for row in quadrants.values() for n in row.values()) else []


def _row(name: str, metric: Metric, sign: str = "%") -> tuple[str, str, str, str] | None:
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
    return f"{value:.1f}" if metric.measure.unit == "points" else f"{value:.3f}"
