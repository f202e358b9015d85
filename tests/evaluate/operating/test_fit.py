"""Fitting a confidence: what it finds, and where it finds nothing."""

from __future__ import annotations

import math
import random

import pytest

from mitools.evaluate.operating.fit import FEW_TO_FIT, FittingRecords
from mitools.operating.confidence import Confidence
from mitools.records import Record
from mitools.tasks import Task, task_named

TEXT = task_named("equation")


def answered(number: int, *, confidence: float, right: bool, rationale: str) -> Record:
    label = "1" if right else "2"
    return {
        "id": str(number),
        "input": "q",
        "task": "equation",
        "label": "1",
        "student": {"label": label, "confidence": confidence, "rationale": rationale},
    }


def drawn(n: int, seed: int = 0) -> list[Record]:
    """Answers whose rationale tells when they are right, and whose probability does not."""
    rng = random.Random(seed)
    found = []
    for number in range(n):
        right = rng.random() < 0.6
        tells = rng.random() < 0.9
        supported = ("1" if right else "2") if tells is right else "3"
        found.append(
            answered(
                number,
                confidence=rng.uniform(0.3, 0.99),
                right=right,
                rationale=f"The answer is {supported}.",
            )
        )
    return found


def fitted(kind: str, records: list[Record]) -> Confidence | None:
    fitting = FittingRecords(kind)  # type: ignore[arg-type]
    for record in records:
        fitting.add(record, TEXT, record["label"])
    return fitting.fit()


def test_the_combination_gives_weight_to_what_tells_right_answers_from_wrong_ones() -> None:
    found = fitted("combined", drawn(400))
    assert found is not None
    assert found.weights is not None
    log_odds, margin, readings, concluded, consistent, in_set, _ = found.weights
    assert consistent > 0.5
    assert abs(log_odds) + abs(margin) < 0.3
    assert (readings, concluded, in_set) == (0, 0, 0)
    supported, other = (
        answered(0, confidence=0.6, right=True, rationale=f"The answer is {label}.")
        for label in ("1", "3")
    )
    assert (found.of(supported, TEXT) or 0) > 0.7 > 0.6 > (found.of(other, TEXT) or 0)


@pytest.mark.parametrize("masses", [(0.9,), (0.999999, 1.0)])
def test_a_term_that_hardly_varies_gets_a_weight_that_can_be_saved(
    masses: tuple[float, ...],
) -> None:
    records = drawn(400)
    for number, record in enumerate(records):
        record["student"]["in_set_mass"] = masses[number % len(masses)]
    found, without = fitted("combined", records), fitted("combined", drawn(400))
    assert found is not None
    assert found.weights is not None
    assert abs(found.weights[5]) < 10
    assert without is not None
    for record in records[:20]:
        assert found.of(record, TEXT) == pytest.approx(without.of(record, TEXT), abs=1e-4)


def test_a_temperature_below_1_is_found_for_an_underconfident_student() -> None:
    records = [answered(n, confidence=0.6, right=n % 10 > 0, rationale="") for n in range(100)]
    found = fitted("scaled", records)
    assert found is not None
    assert found.of(records[1], TEXT) == pytest.approx(0.9, abs=1e-3)


@pytest.mark.parametrize("kind", ["scaled", "combined"])
def test_the_order_of_the_records_changes_nothing(kind: str) -> None:
    records = drawn(60)
    assert fitted(kind, records) == fitted(kind, records[::-1])


@pytest.mark.parametrize("kind", ["scaled", "combined"])
def test_where_the_records_determine_nothing_nothing_is_fitted(kind: str) -> None:
    right = [answered(n, confidence=0.8, right=True, rationale="") for n in range(50)]
    assert fitted(kind, right) is None
    assert fitted(kind, drawn(FEW_TO_FIT - 1)) is None
    assert fitted(kind, []) is None


def test_what_needs_no_fit_is_returned_as_it_is() -> None:
    assert fitted("margin", []) == Confidence("margin")


def test_a_temperature_is_fitted_on_the_probabilities_that_it_is_applied_to() -> None:
    """At the fitted temperature the loss of the stated confidences is least."""
    rng = random.Random(3)
    decoded = [
        {"label": "1", "student": {"label": "1" if rng.random() < 0.8 else "2", "confidence": 1.0}}
        for _ in range(50)
    ]
    choice = task_named("choice")
    chosen = []
    for number in range(50):
        chances = {"a": 1.0, "b": 10.0 ** -rng.uniform(3, 12)}
        gold = "a" if rng.random() < 0.8 else "b"
        student = {"label": "a", "confidence": 1.0, "choices": chances}
        chosen.append({"input": str(number), "label": gold, "choices": [*"ab"], "student": student})

    def loss(records: list[Record], task: Task, temperature: float) -> float:
        found = Confidence("scaled", temperature)
        total = 0.0
        for record in records:
            stated = found.of(record, task)
            assert stated is not None
            is_right = record["student"]["label"] == record["label"]
            total -= math.log(stated if is_right else 1 - stated)
        return total

    for records, task in ((decoded, TEXT), (chosen, choice)):
        fitting = FittingRecords("scaled")
        for record in records:
            fitting.add(record, task, record["label"])
        confidence = fitting.fit()
        assert confidence is not None
        assert confidence.temperature is not None
        least = loss(records, task, confidence.temperature)
        for factor in (0.9, 0.97, 1.03, 1.1):
            assert loss(records, task, factor * confidence.temperature) > least
