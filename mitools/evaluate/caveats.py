"""What has to be known beside the figures of a run, of seeds and of a comparison: sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from mitools.evaluate.measures.comparison import sign_test
from mitools.evaluate.measures.seeds import ENOUGH_SEEDS

__all__ = ["caveats", "pairing_notes"]

_SURE = 0.01
"""The p-value below which another way of answering is pointed to."""


def caveats(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence for each thing that the figures leave out or rest on.

    Args:
        figures: the figures of one run, or ``runs`` of several seeds and ``seeds`` over them; and a
            ``comparison`` where there is a baseline.
    """
    yield from _group_notes(figures)
    yield from _named_notes(figures)
    for block in ("seeds", "comparison"):
        yield from pairing_notes(figures.get(block, {}))
    yield from _seed_notes(figures)
    if "comparison" in figures:
        yield from _comparison_notes(figures["comparison"]["metrics"])


def _group_notes(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence where records come in groups: which intervals and tests know of it."""
    runs = [block for block in (figures, *figures.get("runs", ())) if "label" in block]
    units = [block["label"]["accuracy"].details.get("groups") for block in runs]
    if found := max(filter(None, units), default=None):
        yield (
            f"the records are of {found:,} groups (field group): the interval of accuracy, seeds "
            "and comparisons of runs take them as units; all other intervals and tests take the "
            "records as independent, and claim too much"
        )


def _seed_notes(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence where several runs of a side are too few for an interval of 95%."""
    sides = [len(figures.get("runs", ()))]
    if "comparison" in figures:
        sides += figures["comparison"]["metrics"]["accuracy"].details.get("runs", ())
    if few := min((side for side in sides if 1 < side < ENOUGH_SEEDS), default=None):
        yield (
            f"{few} seeds are few: intervals over seeds are too narrow where seeds differ much; "
            "p-values take the number of seeds into account"
        )


def _named_notes(figures: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence where the label that a rationale names is right more often than the answer.

    From the table of what rationales support: named and right where the answer is wrong, and the
    reverse. A rationale that names no label counts for neither.
    """
    quadrants = figures.get("quadrants") or {}
    better = quadrants.get("wrong", {}).get("gold", 0)
    worse = quadrants.get("right", {}).get("other", 0)
    if better <= worse:
        return
    p = sign_test(better, worse)
    if p < _SURE:
        yield (
            f"the label that the rationale names is right more often than the answer: {better:,} "
            f'records to {worse:,} (p = {p:.2g}); "--answer named" answers with it'
        )


def pairing_notes(block: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence on the records that were left out where runs are paired."""
    if unmatched := block.get("unmatched"):
        plural, are = ("s", "are") if unmatched > 1 else ("", "is")
        yield f"{unmatched:,} record{plural} {are} not in all runs and {are} left out"
    if differing := block.get("differing"):
        stand = "ids stand" if differing > 1 else "id stands"
        yield f"{differing:,} {stand} for another input, label or choices in another run"


def _comparison_notes(metrics: Mapping[str, Any]) -> Iterator[str]:
    if sorted(metrics["accuracy"].details.get("runs", ()))[:1] == [1]:
        yield (
            "one side is a single run: how much its seeds would differ is taken from the other side"
        )
    for name, metric in metrics.items():
        # Both are often alike in the others, as most labels are valid.
        if (note := metric.details.get("note")) and (metric.value or name == "accuracy"):
            yield f"{metric.measure.title}: {note}"
