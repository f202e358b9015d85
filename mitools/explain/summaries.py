"""The summary that ``mitools eval --summary`` writes, as far as people look at it.

A summary is made of blocks of metrics, each ``{value, ci95, n, status, reason, …}``; blocks that
are not there are no fault. It is anybody's file: what is read here is checked to be figures where
figures are needed, and texts stay as they came, for whoever shows them to escape.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeGuard

from mitools.errors import DataError

__all__ = [
    "Summary",
    "is_metric",
    "is_number",
    "load_summary",
    "metric_at",
    "metrics_in",
    "told_of",
    "value_at",
]

Summary = Mapping[str, Any]

_NUMBERS = (
    *("value", "n", "p_value", "p_holm", "observed_cvi", "before", "sd"),
    *("ours", "theirs", "smallest_detectable"),
)
_PAIRS = ("ci95", "null95")
_LISTS = ("permuted_cvi", "by_run")


def load_summary(text: bytes, name: str) -> dict[str, Any]:
    """Read the summary that ``eval`` wrote.

    Raises:
        DataError: it is none.
    """
    hint = f'write one with "mitools eval --summary {name}"'
    try:
        summary: Any = json.loads(text)
        found = dict(metrics_in(summary)) if isinstance(summary, dict) else {}
    except (ValueError, RecursionError) as exc:
        raise DataError(f"{name} is not valid JSON ({exc})", hint=hint) from exc
    if not found:
        raise DataError(f"{name} is no summary of a student", hint=hint)
    for path, metric in found.items():
        for key in (*_NUMBERS, *_PAIRS, *_LISTS):
            if not _is_well_formed(key, metric.get(key)):
                raise DataError(f'{name}: "{path}.{key}" is no figure', hint=hint)
    return dict(summary)


def _is_well_formed(key: str, value: Any) -> bool:
    if value is None or key in _NUMBERS:
        return value is None or is_number(value)
    is_long_enough = isinstance(value, list) and (len(value) == 2 or key in _LISTS)
    return is_long_enough and all(map(is_number, value))


def is_number(value: object) -> TypeGuard[float]:
    """Tell whether a value of a summary is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value)


def is_metric(value: Any) -> bool:
    """Tell whether a value of a summary is a metric."""
    return isinstance(value, Mapping) and "status" in value and "value" in value


def value_at(summary: Summary, path: str) -> Any:
    """Look up a dotted path, in which a number counts the elements of a list; None: not there."""
    found: Any = summary
    for name in path.split("."):
        if isinstance(found, Mapping):
            found = found.get(name)
        elif isinstance(found, list) and name.isdecimal() and int(name) < len(found):
            found = found[int(name)]
        else:
            return None
    return found


def metric_at(summary: Summary, path: str) -> Mapping[str, Any] | None:
    """Look a metric up by a dotted path; None where the summary does not know it."""
    found = value_at(summary, path)
    return found if is_metric(found) else None


def metrics_in(summary: Summary, prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """List every metric of a summary, in its order, by its dotted path."""
    yield from _metrics_in(summary.items(), prefix)


def _metrics_in(
    values: Iterable[tuple[object, Any]], prefix: str
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, value in values:
        path = f"{prefix}{name}"
        if is_metric(value):
            yield path, value
        elif isinstance(value, Mapping):
            yield from _metrics_in(value.items(), f"{path}.")
        elif isinstance(value, list):
            yield from _metrics_in(enumerate(value), f"{path}.")


def told_of(summary: Summary) -> str:
    """Say what a summary was made of: how many records, of which task, answered by whom."""
    records, models = summary.get("records"), summary.get("models")
    parts = []
    if is_number(records):
        parts.append(f"{records:,} record{'s' * (records != 1)}")
    if isinstance(summary.get("tasks"), Mapping):
        parts.append(f"task {' and '.join(map(str, summary['tasks']))}")
    if isinstance(models, Mapping) and len(models) == 1:
        parts.append(f"by {next(iter(models))}")
    return ", ".join(parts)
