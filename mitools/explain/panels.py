"""Panels: what probes and a judge found, and how runs compare, as people read it.

A panel is a block of a summary whose figures only make sense together. Its texts come from
anybody's file and stay as they came. Nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mitools.evaluate.catalog import FIGURES
from mitools.explain.cards import (
    Figure,
    Kind,
    Missing,
    direction,
    figure_of,
    has_value,
    missing_of,
    p_written,
    written,
)
from mitools.explain.summaries import Summary, is_metric, is_number, metric_at, value_at

__all__ = ["Panel", "PanelRow", "panels"]

SCORES = ("1", "2", "3", "4", "5")


@dataclass(frozen=True, slots=True)
class _Block:
    """Where a panel's figures are in a summary, and how they are introduced.

    Attributes:
        rows: key and form of each; its name stands on its measure.
    """

    path: str
    title: str
    about: str
    rows: tuple[tuple[str, Kind], ...]


_OUTCOMES = ("accuracy", "consistency", "valid", "brier", "nll")

_BLOCKS = (
    _Block(
        "comparison.metrics",
        "Compared with the baseline",
        "This student minus the baseline, on the records that both answered; p after Holm allows "
        "for how many measures were looked at.",
        tuple((key, "signed") for key in _OUTCOMES),
    ),
    _Block(
        "seeds",
        "Over the runs",
        "Means over training runs with seeds of their own; intervals allow for runs and records.",
        tuple((key, "") for key in _OUTCOMES),
    ),
    _Block(
        "probes.robustness",
        "Noise in the input",
        "The same noise for label and rationale: what each loses, on average over its levels. "
        "Where one suffers and the other does not, they hang on different things.",
        (
            ("accuracy_drop", "points"),
            ("consistency_drop", "points"),
            ("equivalence_gap", "points"),
        ),
    ),
    _Block(
        "probes.attribution",
        "Words they hang on",
        "Do label and rationale hang on the same words of the input, by gradient × input? What "
        "counts is the gain over another record's rationale.",
        (
            ("spearman_gain", "signed"),
            ("spearman", ""),
            ("spearman_null", ""),
            ("top_overlap_gain", "signed"),
            ("top_overlap", ""),
            ("top_overlap_null", ""),
        ),
    ),
    _Block(
        "probes.counterfactual",
        "A word put in",
        "Where one more word changes the label, does the rationale mention that word?",
        (
            ("flip_coverage", ""),
            ("mentioned", ""),
        ),
    ),
    _Block(
        "probes.cue",
        "A wrong answer suggested",
        "Does the student follow what it is told, and does its rationale say so?",
        (
            ("followed", ""),
            ("acknowledged", ""),
            ("rationalized", ""),
            ("accuracy_change", "signed"),
        ),
    ),
    _Block(
        "association.rationale_editing",
        "Rationale edited",
        "Does the label follow the rationale that it is decoded behind? Early answering is the "
        "area over the curve of labels that are final when only part of it is there.",
        (
            ("added_mistakes", ""),
            ("perturbed_rationale", ""),
            ("filler_tokens", ""),
            ("indirect_effect", ""),
            ("early_answering", ""),
        ),
    ),
    _Block(
        "judge",
        "A model as judge",
        "Another model's opinion of the rationales. Models like what is long and fluent, and of "
        "two what comes first, so that two are shown in both orders.",
        (
            ("score", ""),
            ("win_rate", ""),
            ("order_agreement", ""),
            ("first_preferred", ""),
            ("readable", ""),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class PanelRow:
    """One measure of a panel: a figure for each student that has it; a reason where there is none.

    Attributes:
        direction: which one is better, where one is.
        beside: what else belongs to the first student's figure, in words.
    """

    name: str
    figures: tuple[Figure, ...]
    direction: str = ""
    beside: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """Figures that belong together.

    Attributes:
        path: of their block in a summary.
        notes: what a reader should know of all of them, a sentence each.
        counts: how often each score was given, from 1 to 5, where a judge gave any.
    """

    path: str
    title: str
    about: str
    rows: tuple[PanelRow, ...]
    notes: tuple[str, ...] = ()
    counts: tuple[int, ...] = ()


def panels(summaries: Mapping[str, Summary]) -> tuple[list[Panel], list[Missing]]:
    """Make a panel of every block that holds a value, and say of the others why there is none.

    Where nothing of a block has a value it is missing as a whole; where some has, what was not
    asked for or does not apply is passed over, and what is not determined has its reason. A block
    that a summary does not know is passed over.

    Args:
        summaries: by whose it is, ``student`` first.
    """
    shown: list[Panel] = []
    missing: list[Missing] = []
    for block in _BLOCKS:
        known = {who: found for who, one in summaries.items() if (found := _metrics(one, block))}
        told = {who: found for who, found in known.items() if _is_told(found)}
        silent = {
            who: next(iter(found.values())) for who, found in known.items() if who not in told
        }
        missing += missing_of(block.title, silent, len(summaries))
        if told:
            notes = [note for who in told for note in _notes(summaries[who], block)]
            counts = score_counts(summaries[next(iter(told))]) if block.path == "judge" else ()
            rows = tuple(_rows(told, block))
            panel = Panel(block.path, block.title, block.about, rows, tuple(notes), counts)
            shown.append(panel)
    return shown, missing


def _metrics(summary: Summary, block: _Block) -> dict[str, Mapping[str, Any]]:
    found = {key: metric_at(summary, f"{block.path}.{key}") for key, _ in block.rows}
    return {key: metric for key, metric in found.items() if metric is not None}


def _is_told(found: Mapping[str, Mapping[str, Any]]) -> bool:
    """Tell whether there is more to say than why there is nothing to say."""
    reasons = {str(metric.get("reason")) for metric in found.values()}
    is_undefined = any(metric["status"] == "undefined" for metric in found.values())
    return any(map(has_value, found.values())) or (is_undefined and len(reasons) > 1)


def _rows(told: Mapping[str, Mapping[str, Mapping[str, Any]]], block: _Block) -> Iterator[PanelRow]:
    for key, kind in block.rows:
        metrics = {
            who: found[key]
            for who, found in told.items()
            if key in found and found[key]["status"] in ("ok", "undefined")
        }
        if metrics:
            figures = tuple(_figure(who, metric, kind) for who, metric in metrics.items())
            first = next(iter(metrics.values()))
            better = direction(first.get("higher_is_better"))
            title = FIGURES[f"{block.path}.{key}"].title
            yield PanelRow(title, figures, better, _beside(first))


def _figure(who: str, metric: Mapping[str, Any], kind: Kind) -> Figure:
    figure = figure_of(who, metric, kind)
    holm = metric.get("p_holm")
    if holm is None or not figure.value:
        return figure
    return replace(
        figure, between=f"{figure.between}, {p_written(holm).removeprefix('= ')} after Holm"
    )


def _beside(metric: Mapping[str, Any]) -> str:
    """Say what the value was made of, where a summary holds it."""
    unit = metric.get("unit")

    def told(value: float) -> str:
        return written(value, unit, with_unit=True)

    parts = []
    if metric.get("theirs") is not None and metric.get("ours") is not None:
        parts.append(f"{told(metric['theirs'])} → {told(metric['ours'])}")
    if metric.get("by_run"):
        parts.append(f"by run: {', '.join(map(told, metric['by_run']))}")
    if metric.get("note"):
        parts.append(str(metric["note"]))
    return "; ".join(parts)


def _notes(summary: Summary, block: _Block) -> Iterator[str]:
    if block.path == "judge":
        yield from _about_judge(summary)
    if block.path == "comparison.metrics":
        records, unmatched = (
            value_at(summary, f"comparison.{k}") for k in ("records", "unmatched")
        )
        if is_number(records):
            yield f"on {records:,} records that all runs have"
        if is_number(unmatched) and unmatched:
            yield f"{unmatched:,} records are not in all runs, and were left out"


def _about_judge(summary: Summary) -> Iterator[str]:
    about = value_at(summary, "judge.about")
    if isinstance(about, Mapping) and about.get("model"):
        shown, of = about.get("records"), about.get("of")
        part = f", shown {shown:,} of {of:,} records" if is_number(shown) and is_number(of) else ""
        yield f"by {about['model']}{part}"
    same = value_at(summary, "judge.win_rate.same_rationale")
    if is_number(same) and same:
        yield f"{same:,} rationales are the same in both: a tie, without asking"


def score_counts(summary: Summary) -> tuple[int, ...]:
    """Count a judge's scores, from 1 to 5; () where a summary does not hold them."""
    found = value_at(summary, "judge.score.by_score")
    if not is_metric(value_at(summary, "judge.score")) or not isinstance(found, Mapping):
        return ()
    counts = tuple(int(n) for score in SCORES if is_number(n := found.get(score)) and n >= 0)
    return counts if len(counts) == len(SCORES) else ()
