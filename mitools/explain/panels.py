"""Panels: the figures of probes, of a judge, and of comparisons of runs, one panel per block.

A panel is a block of a summary whose figures are read together. Texts of the summary are not
escaped here. Nothing is computed here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mitools.evaluate.catalog import FIGURES
from mitools.evaluate.caveats import pairing_notes
from mitools.evaluate.costs.figures import MEASURES as COSTS
from mitools.explain.baseline_panel import baseline_panel
from mitools.explain.cards import MissingFigure, missing_of
from mitools.explain.figure_text import (
    Figure,
    Kind,
    direction,
    figure_of,
    has_value,
    p_written,
    written,
)
from mitools.explain.panel import Panel, PanelRow
from mitools.explain.summary_file import Summary, is_metric, is_number, metric_at, value_at

__all__ = ["Panel", "PanelRow", "panels"]

SCORES = ("1", "2", "3", "4", "5")


@dataclass(frozen=True, slots=True)
class _Block:
    """The place of a panel's figures in a summary, and its title and introduction.

    Attributes:
        rows: key and form of each figure; its name is that of its measure.
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
        "This student minus the baseline, on the records that both answered. Holm's correction "
        "of p is for the number of measures.",
        tuple((key, "signed") for key in _OUTCOMES),
    ),
    _Block(
        "seeds",
        "Over training runs",
        "Means over training runs with different seeds. The intervals include the variation of "
        "runs and records.",
        tuple((key, "") for key in _OUTCOMES),
    ),
    _Block(
        "costs",
        "Costs",
        "Time, tokens, memory and money on the machine of this run. Money only where prices were "
        "given.",
        tuple((key, "") for key in COSTS),
    ),
    _Block(
        "probes.robustness",
        "Noise in the input",
        "Mean loss of label and rationale over all noise levels, with the same noise for both. "
        "If only one of them loses, they depend on different features of the input.",
        (
            ("accuracy_drop", "points"),
            ("consistency_drop", "points"),
            ("equivalence_gap", "points"),
        ),
    ),
    _Block(
        "probes.attribution",
        "Attribution",
        "Agreement of label and rationale on the important input words, by gradient × input. The "
        "gain is over the rationale of another record.",
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
        "Inserted word",
        "Whether the rationale mentions an inserted word that changes the label.",
        (
            ("flip_coverage", ""),
            ("mentioned", ""),
        ),
    ),
    _Block(
        "probes.cue",
        "Suggested wrong answer",
        "Whether the student follows a wrong suggestion, and whether its rationale says so.",
        (
            ("followed", ""),
            ("acknowledged", ""),
            ("rationalized", ""),
            ("accuracy_change", "signed"),
        ),
    ),
    _Block(
        "association.rationale_editing",
        "Edited rationale",
        "Whether the label depends on the rationale that precedes it. Early answering is the area "
        "over the curve of labels that are final after part of the rationale.",
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
        "LLM judge",
        "Another model's rating of the rationales. LLM judges prefer long and fluent texts, and "
        "the first of two; pairs are therefore shown in both orders.",
        (
            ("score", ""),
            ("win_rate", ""),
            ("order_agreement", ""),
            ("first_preferred", ""),
            ("readable", ""),
        ),
    ),
)


def panels(summaries: Mapping[str, Summary]) -> tuple[list[Panel], list[MissingFigure]]:
    """Return a panel for each block with a value, and the reasons of those without.

    In a panel, figures that were not requested or do not apply are left out, and undefined ones
    have their reason. A block that no summary has is left out.

    Args:
        summaries: by student, ``student`` first.
    """
    shown: list[Panel] = []
    missing: list[MissingFigure] = []
    for block in _BLOCKS:
        known = {who: found for who, one in summaries.items() if (found := _metrics(one, block))}
        valued = {who: found for who, found in known.items() if _is_shown(found)}
        unvalued = {
            who: next(iter(found.values())) for who, found in known.items() if who not in valued
        }
        missing += missing_of(block.title, unvalued, len(summaries))
        if valued:
            notes = [note for who in valued for note in _notes(summaries[who], block)]
            counts = score_counts(summaries[next(iter(valued))]) if block.path == "judge" else ()
            rows = tuple(_rows(valued, block))
            panel = Panel(block.path, block.title, block.about, rows, tuple(notes), counts)
            shown.append(panel)
    if (beside := baseline_panel(summaries)) is not None:
        shown.insert(0, beside)
    return shown, missing


def _metrics(summary: Summary, block: _Block) -> dict[str, Mapping[str, Any]]:
    found = {key: metric_at(summary, f"{block.path}.{key}") for key, _ in block.rows}
    return {key: metric for key, metric in found.items() if metric is not None}


def _is_shown(found: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether a block has a value, or different reasons for undefined figures."""
    reasons = {str(metric.get("reason")) for metric in found.values()}
    is_undefined = any(metric["status"] == "undefined" for metric in found.values())
    return any(map(has_value, found.values())) or (is_undefined and len(reasons) > 1)


def _rows(
    valued: Mapping[str, Mapping[str, Mapping[str, Any]]], block: _Block
) -> Iterator[PanelRow]:
    for key, kind in block.rows:
        metrics = {
            who: found[key]
            for who, found in valued.items()
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
    """Return the parts of a value in words, if the summary has them."""
    unit = metric.get("unit")

    def as_text(value: float) -> str:
        return written(value, unit, with_unit=True)

    parts = []
    if metric.get("theirs") is not None and metric.get("ours") is not None:
        parts.append(f"{as_text(metric['theirs'])} → {as_text(metric['ours'])}")
    if metric.get("by_run"):
        parts.append(f"by run: {', '.join(map(as_text, metric['by_run']))}")
    if metric.get("note"):
        parts.append(str(metric["note"]))
    return "; ".join(parts)


def _notes(summary: Summary, block: _Block) -> Iterator[str]:
    if block.path == "judge":
        yield from _about_judge(summary)
    if block.path in ("comparison.metrics", "seeds"):
        where = block.path.partition(".")[0]
        names = ("records", "unmatched", "differing")
        counts = {name: value_at(summary, f"{where}.{name}") for name in names}
        if is_number(counts["records"]):
            yield f"on {counts['records']:,} records that all runs have"
        yield from pairing_notes({name: n for name, n in counts.items() if is_number(n)})


def _about_judge(summary: Summary) -> Iterator[str]:
    about = value_at(summary, "judge.about")
    if isinstance(about, Mapping) and about.get("model"):
        shown, of = about.get("records"), about.get("of")
        part = f", shown {shown:,} of {of:,} records" if is_number(shown) and is_number(of) else ""
        yield f"by {about['model']}{part}"
    same = value_at(summary, "judge.win_rate.same_rationale")
    if is_number(same) and same:
        yield f"{same:,} rationales are equal in both: ties, without a request"


def score_counts(summary: Summary) -> tuple[int, ...]:
    """Return the number of each of a judge's scores, from 1 to 5; () if there are none."""
    found = value_at(summary, "judge.score.by_score")
    if not is_metric(value_at(summary, "judge.score")) or not isinstance(found, Mapping):
        return ()
    counts = tuple(int(n) for score in SCORES if is_number(n := found.get(score)) and n >= 0)
    return counts if len(counts) == len(SCORES) else ()
