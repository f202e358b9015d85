"""Reading the summary that ``mitools eval --summary`` writes.

A summary has blocks of metrics, each ``{value, ci95, n, status, reason, …}``; any block may be
absent. The file is untrusted: numbers are checked here, and texts are escaped by the renderer.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, TypeGuard

from mitools.errors import DataError
from mitools.files import input_errors, open_input

__all__ = [
    "Summary",
    "described",
    "is_metric",
    "is_number",
    "load_summary",
    "metric_at",
    "metrics_in",
    "read_summary",
    "value_at",
]

Summary = Mapping[str, Any]

_NUMBERS = (
    *("value", "n", "p_value", "p_holm", "observed_cvi", "before", "sd"),
    *("ours", "theirs", "smallest_detectable"),
)
_PAIRS = ("ci95", "null95")
_LISTS = ("permuted_cvi", "by_run")


def read_summary(path: str) -> Summary:
    """Read a summary from a file.

    Raises:
        SourceError: the file cannot be read.
        DataError: it is not a summary.
    """
    with input_errors(path), open_input(path) as stream:
        return load_summary(stream.read(), path)


def load_summary(text: bytes, name: str) -> dict[str, Any]:
    """Parse a summary and check its numbers.

    Args:
        text: the content of the file.
        name: of the file, for messages.

    Raises:
        DataError: it is not a summary.
    """
    hint = f'write one with "mitools eval --summary {name}"'
    try:
        summary: Any = json.loads(text)
        found = dict(metrics_in(summary)) if isinstance(summary, dict) else {}
    except (ValueError, RecursionError) as exc:
        raise DataError(f"{name} is not valid JSON ({exc})", hint=hint) from exc
    if not found:
        raise DataError(f"{name} is not a summary of a student", hint=hint)
    for path, metric in found.items():
        for key in (*_NUMBERS, *_PAIRS, *_LISTS):
            if not _is_well_formed(key, metric.get(key)):
                raise DataError(f'{name}: "{path}.{key}" is not a number', hint=hint)
    return dict(summary)


def _is_well_formed(key: str, value: Any) -> bool:
    if value is None or key in _NUMBERS:
        return value is None or is_number(value)
    is_long_enough = isinstance(value, list) and (len(value) == 2 or key in _LISTS)
    return is_long_enough and all(map(is_number, value))


def is_number(value: object) -> TypeGuard[float]:
    """Return whether a value of a summary is a finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value)


def is_metric(value: Any) -> bool:
    """Return whether a value of a summary is a metric.

    Figures by the values of a field are under the names of these values, which may be "status".
    """
    if not isinstance(value, Mapping) or "value" not in value:
        return False
    return not isinstance(value.get("status", {}), Mapping)


def value_at(summary: Summary, path: str) -> Any:
    """Return the value at a dotted path, in which numbers index lists; None if there is none."""
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
    """Return the metric at a dotted path; None if there is none."""
    found = value_at(summary, path)
    return found if is_metric(found) else None


def metrics_in(summary: Summary, prefix: str = "") -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield all metrics of a summary with their dotted paths, in order."""
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


def described(summary: Summary) -> str:
    """Return the records, tasks and student of a summary in words."""
    records, models = summary.get("records"), summary.get("models")
    parts = []
    if is_number(records):
        parts.append(f"{records:,} record{'s' * (records != 1)}")
    if isinstance(summary.get("tasks"), Mapping):
        parts.append(f"task {' and '.join(map(str, summary['tasks']))}")
    if isinstance(models, Mapping) and len(models) == 1:
        parts.append(f"by {next(iter(models))}")
    return ", ".join(parts)
