"""The tables of the figures by the values of fields, as rows of text for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from mitools.escape import on_one_line
from mitools.evaluate.by_field import FEWEST
from mitools.evaluate.field_values import MISSING, OTHERS
from mitools.evaluate.measures.metric import Metric

__all__ = ["by_notes", "by_tables"]

_MANY = 10
"""Values from which on some are expected to stand out by chance."""

_LONGEST = 40
"""Characters of a value; of a longer one start and end are shown."""

_END = 8

_NAMES = {"consistency": "consistency", "mean_confidence": "confidence", "ece_width": "ECE"}

ByValue = Mapping[str, Mapping[str, Any]]
Table = tuple[str, tuple[str, ...], list[tuple[str, ...]]]


def by_tables(summary: Mapping[str, Any]) -> Iterator[Table]:
    """Yield title, columns and rows for each field that has values; a row is a value.

    The agreement with the teacher is shown where no record has a gold label. A column without any
    figure is left out.
    """
    for field, by_value in _shown(summary):
        has_gold = any(figures["accuracy"].value is not None for figures in by_value.values())
        rate = "accuracy" if has_gold else "agreement"
        title = "accuracy" if has_gold else "agreement with teacher"
        columns = ("records", title, "95% interval", "consistency", "confidence", "ECE")
        rows = [(_named(name, by_value), *_cells(one, rate)) for name, one in by_value.items()]
        table = [(on_one_line(field), *columns, "by chance"), *rows]
        kept = [index for index in range(len(table[0])) if any(row[index] for row in rows)]
        header, *shown = (tuple(row[index] for index in kept) for row in table)
        yield _title(field, by_value), header, shown


def by_notes(summary: Mapping[str, Any]) -> Iterator[str]:
    """Yield a sentence on figures that few records do not determine, and on many values."""
    shown = dict(_shown(summary))
    every = [figures for by_value in shown.values() for figures in by_value.values()]
    left_out: dict[int, list[str]] = {}
    for name, least in FEWEST.items():
        if any(_is_of_few(figures[name]) for figures in every):
            left_out.setdefault(least, []).append(_NAMES[name])
    if left_out:
        limits = [f"{' and '.join(names)} below {least}" for least, names in left_out.items()]
        yield f"figures by value are left out for too few records: {', '.join(limits)}"
    for field, by_value in shown.items():
        if (count := len(_own(by_value))) >= _MANY:
            alone = f"by {field}: each interval is about one value alone"
            yield f"{alone}; of {count} values, some stand out by chance"
    for field in next((run["by"] for run in summary.get("runs", ()) if "by" in run), ()):
        yield f"by {field}: --summary FILE holds the figures of each run"


def _shown(summary: Mapping[str, Any]) -> Iterator[tuple[str, ByValue]]:
    """Yield the fields that any record has a value in."""
    for field, by_value in summary.get("by", {}).items():
        if by_value.keys() != {MISSING}:
            yield field, by_value


def _own(by_value: ByValue) -> set[str]:
    """Return the values with figures of their own."""
    return by_value.keys() - {MISSING, OTHERS}


def _title(field: str, by_value: ByValue) -> str:
    own, others = len(_own(by_value)), by_value.get(OTHERS, {}).get("values", 0)
    total = own + others
    what = f"{total:,} value{'s' * (total != 1)}"
    if not own:
        what += ", none with two records"
    elif others:
        what += f", the {own} most frequent"
    return f"by {field}: {what}"


def _named(name: str, by_value: ByValue) -> str:
    if name == OTHERS:
        count = by_value[OTHERS]["values"]
        other = "other " if _own(by_value) else ""
        return f"({count:,} {other}value{'s' * (count != 1)})"
    shown = on_one_line(name)
    if len(shown) <= _LONGEST:
        return shown
    return f"{shown[: _LONGEST - _END - 1]}…{shown[-_END:]}"


def _cells(figures: Mapping[str, Any], rate: str) -> Sequence[str]:
    shares = (figures[name] for name in ("consistency", "mean_confidence", "ece_width"))
    return (
        f"{figures['records']:,}",
        _share(figures[rate]),
        _between(figures[rate].ci95),
        *map(_share, shares),
        _between(figures["ece_width"].details.get("null95")),
    )


def _share(metric: Metric) -> str:
    return "" if metric.value is None else f"{100 * metric.value:.1f}%"


def _between(ends: Sequence[float] | None) -> str:
    return " to ".join(f"{100 * end:.1f}" for end in ends or ())


def _is_of_few(metric: Metric) -> bool:
    return metric.value is None and metric.n > 0
