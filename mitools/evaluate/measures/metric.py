"""The form of every figure: a value, or the reason why there is none; never NaN.

Measures declare title, unit and direction with the classes here; other modules compute them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from mitools.rounding import rounded

__all__ = ["Interval", "Measure", "Metric", "Status", "as_json"]

Interval = tuple[float, float]
Status = Literal["ok", "undefined", "not_applicable", "skipped"]


@dataclass(frozen=True, slots=True)
class Metric:
    """One figure of a summary.

    Attributes:
        measure: title, unit and direction.
        status: ``ok``; ``undefined`` where these records do not determine it; ``not_applicable``
            where it has no meaning for this student or task; ``skipped`` where it was not
            requested.
        value: the figure, in the measure's unit; None unless ``ok``.
        ci95: a 95% confidence interval, where one can be given.
        n: how many items the value is computed from.
        reason: why there is no value; None where there is one.
        details: further values of the figure, such as a null band or a signature.
    """

    measure: Measure
    status: Status
    value: float | None = None
    ci95: Interval | None = None
    n: int = 0
    reason: str | None = None
    details: Mapping[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Render as plain values, floats at six significant digits."""
        return {
            "value": rounded(self.value),
            "ci95": rounded(self.ci95),
            "n": self.n,
            "status": self.status,
            "reason": self.reason,
            "unit": self.measure.unit,
            "higher_is_better": self.measure.higher_is_better,
            **rounded(dict(self.details)),
        }


@dataclass(frozen=True, slots=True)
class Measure:
    """The declaration of a metric.

    Attributes:
        title: the name that tables and pages show.
        unit: of the value: ``fraction`` (0 to 1), ``points`` (0 to 100), ``nats``, ``ratio`` …
        higher_is_better: None where neither direction is better by itself.
        about: what it measures, in one or two sentences.
    """

    title: str
    unit: str
    higher_is_better: bool | None = field(kw_only=True)
    about: str = field(kw_only=True)

    def ok(self, value: float, n: int, ci95: Interval | None = None, **details: Any) -> Metric:
        """State a value.

        Raises:
            ValueError: the value is not finite; state ``undefined`` instead.
        """
        if not math.isfinite(value):
            raise ValueError(f"a metric cannot be {value}")
        return Metric(self, "ok", value=float(value), ci95=ci95, n=n, details=details)

    def undefined(self, reason: str, n: int = 0) -> Metric:
        return Metric(self, "undefined", n=n, reason=reason)

    def not_applicable(self, reason: str) -> Metric:
        return Metric(self, "not_applicable", reason=reason)

    def skipped(self, reason: str) -> Metric:
        return Metric(self, "skipped", reason=reason)


def as_json(value: Any) -> Any:
    """Turn metrics, at any depth of mappings and lists, into plain JSON values."""
    if isinstance(value, Metric):
        return value.as_json()
    if isinstance(value, Mapping):
        return {name: as_json(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [as_json(inner) for inner in value]
    return rounded(value)
