"""Fit a confidence on records that choose no threshold."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mitools.evaluate.measures.temperature import answers_from, fit_temperature
from mitools.operating.confidence import (
    Confidence,
    ConfidenceName,
    decoded_chances,
    features,
)
from mitools.records import Record
from mitools.tasks import Task

__all__ = ["FEW_TO_FIT", "FittingRecords"]

Floats = NDArray[np.float64]

FEW_TO_FIT = 20
"""With fewer records than this, a fitted confidence is refused."""

_LEAST_SPREAD = 1e-3
"""Terms that vary less, such as ``in_set`` of a student that knows its labels, vary by the rounding
of records, and to divide by their spread would give weights without a bound."""


class FittingRecords:
    """Collects answered records with a reference label, and fits a confidence on them.

    Attributes:
        kind: the confidence to fit.
    """

    def __init__(self, kind: ConfidenceName) -> None:
        self.kind = kind
        self._rows: list[tuple[list[float], int, int]] = []
        self._features: list[tuple[float, ...]] = []
        self._is_right: list[bool] = []

    def __len__(self) -> int:
        return len(self._is_right)

    def add(self, record: Record, task: Task, reference: str) -> None:
        """Add an answered record.

        Args:
            record: with the answer in ``student``; one without a usable answer is passed over.
            task: how its labels are compared.
            reference: the label that the answer is compared with.
        """
        if Confidence().of(record, task) is None:
            return
        student = record["student"]
        is_right = task.is_equal(student.get("label"), reference)
        self._is_right.append(is_right)
        if self.kind == "combined":
            self._features.append(features(record, task))
            return
        chances = student.get("choices") or {}
        names = list(chances)
        golds = [place for place, name in enumerate(names) if task.is_equal(name, reference)]
        # As it is applied: one choice alone is not scaled as a softmax.
        if len(names) > 1 and golds and student.get("label") in names:
            self._rows.append((list(chances.values()), golds[0], names.index(student["label"])))
        else:
            stated = decoded_chances(float(student["confidence"]))
            self._rows.append((stated, 0 if is_right else 1, 0))

    def fit(self) -> Confidence | None:
        """Fit the confidence; None where the records do not determine it.

        The order of the records changes nothing.
        """
        if self.kind not in ("scaled", "combined"):
            return Confidence(self.kind)
        if len(self) < FEW_TO_FIT:
            return None
        if self.kind == "scaled":
            temperature = fit_temperature(answers_from(sorted(self._rows)))
            return None if temperature is None else Confidence("scaled", temperature=temperature)
        weights = _logistic(self._features, self._is_right)
        return None if weights is None else Confidence("combined", weights=weights)


def _logistic(
    rows: Sequence[tuple[float, ...]], is_right: Sequence[bool]
) -> tuple[float, ...] | None:
    """Fit a logistic regression: the weight of each term, then the constant term.

    Terms are standardized, and their weights have an L2 penalty (C = 1), so that a term that is
    nearly the same for all records has a weight near 0.
    """
    if len(set(is_right)) < 2:
        return None
    from sklearn.linear_model import LogisticRegression

    ordered = sorted(zip(rows, is_right, strict=True))
    table = np.array([row for row, _ in ordered])  # [n, terms]
    target = np.array([right for _, right in ordered])
    means, spreads = table.mean(axis=0), np.maximum(table.std(axis=0), _LEAST_SPREAD)
    model = LogisticRegression(max_iter=1_000).fit((table - means) / spreads, target)
    weights = model.coef_[0] / spreads
    constant = float(model.intercept_[0] - weights @ means)
    return (*map(float, weights), constant)
