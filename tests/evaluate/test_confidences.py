from __future__ import annotations

import math
import random
from collections import Counter
from typing import Any

import numpy as np
import pytest

from mitools.evaluate.confidences import AFTER, Confidences
from mitools.evaluate.measures.metric import Metric
from mitools.evaluate.measures.temperature import answers_from, fit_temperature
from mitools.evaluate.score import scored
from mitools.records import Record
from mitools.tasks import task_of

pytestmark = pytest.mark.usefixtures("few_resamples")

NAMES = ("entailment", "neutral", "contradiction")


def answered(gold: str | None, chances: dict[str, float], **more: Any) -> Record:
    best = max(chances, key=chances.__getitem__)
    student = {"label": best, "confidence": chances[best], "choices": chances}
    record = {"id": "1", "input": "p", "label": gold, "choices": list(chances), "task": "labels"}
    record |= {"student": student, **more}
    return scored(record, task_of(record))


def decoded(label: str, confidence: float | None, gold: str | None = "2") -> Record:
    student = {"label": label, "confidence": confidence}
    record = {"id": "1", "input": "x", "label": gold, "task": "equation", "student": student}
    return scored(record, task_of(record))


def boasting(n: int, seed: int) -> list[Record]:
    """Answers that state the cube of what they know."""
    rng = np.random.default_rng(seed)
    records = []
    for _ in range(n):
        p = rng.dirichlet([1.0] * 3)
        stated = p**3 / (p**3).sum()
        gold = NAMES[int(rng.choice(3, p=p))]
        records.append(answered(gold, dict(zip(NAMES, stated.tolist(), strict=True))))
    return records


def temperature_of(valid: list[Record], test: list[Record], seed: int = 0) -> dict[str, Metric]:
    fold = Confidences(fits_temperature=True)
    for record in valid:
        fold.add_valid(record, task_of(record))
    for record in test:
        fold.add(record, task_of(record))
    return fold.temperature(seed)


def classwise(records: list[Record]) -> Metric:
    fold = Confidences()
    for record in records:
        fold.add(record, task_of(record))
    tasks = Counter(task_of(record).name for record in records)
    return fold.metrics(tasks, 0)["classwise_ece"]


def test_a_boasting_student_is_cooled_and_its_test_figures_mend() -> None:
    found = temperature_of(boasting(600, 0), boasting(600, 1))
    assert found["temperature"].value == pytest.approx(3, rel=0.2)
    assert found["temperature"].n == 600
    for name in ("nll", "brier", "ece_width", "ece_mass"):
        assert (found[name].value or 0) < found[name].details["before"]
    assert found["ece_width"].details["before"] > found["ece_width"].details["null95"][1]
    assert (found["ece_width"].value or 0) < found["ece_width"].details["null95"][1]


def test_the_fit_sees_the_valid_records_only() -> None:
    valid = boasting(50, 0)
    one, other = (temperature_of(valid, boasting(50, seed)) for seed in (1, 2))
    assert one["temperature"] == other["temperature"]
    assert one["nll"] != other["nll"]


def test_what_stands_before_is_what_calibration_says_by_hand() -> None:
    test = [answered("neutral", {"neutral": 0.75, "entailment": 0.25})]
    found = temperature_of(boasting(50, 0), test)
    assert found["nll"].details["before"] == pytest.approx(-math.log(0.75))
    assert found["brier"].details["before"] == pytest.approx(0.0625)
    assert found["ece_width"].details["before"] == pytest.approx(0.25)
    assert found["mean_confidence"].details["before"] == pytest.approx(0.75)


def test_a_decoded_label_is_scaled_against_everything_else() -> None:
    valid = [decoded("2", 0.9), decoded("3", 0.9), decoded("2", 0.6)]
    rows = [([0.9, 1 - 0.9], 0, 0), ([0.9, 1 - 0.9], 1, 0), ([0.6, 0.4], 0, 0)]
    found = temperature_of(valid, valid)
    assert found["temperature"].value == pytest.approx(fit_temperature(answers_from(rows)))


def test_the_order_of_the_records_changes_no_figure() -> None:
    valid, test = boasting(40, 0), boasting(40, 1)
    ahead = temperature_of(valid, test)
    random.Random(0).shuffle(valid)
    random.Random(0).shuffle(test)
    back = temperature_of(valid, test)
    assert {n: m.as_json() for n, m in ahead.items()} == {n: m.as_json() for n, m in back.items()}


def test_no_temperature_is_fitted_unasked() -> None:
    found = Confidences().temperature(0)
    assert {metric.status for metric in found.values()} == {"skipped"}
    assert set(found) == {"temperature", *AFTER}


@pytest.mark.parametrize(
    ("valid", "test", "reason"),
    [
        ([], boasting(3, 1), 'no record of the split "valid"'),
        ([decoded("2", None)], boasting(3, 1), 'no record of the split "valid"'),
        (boasting(30, 0), [], "no evaluated record"),
        ([decoded("2", 0.9)] * 3, boasting(3, 1), "set no limit"),
    ],
)
def test_a_temperature_that_cannot_be_fitted_says_why(
    valid: list[Record], test: list[Record], reason: str
) -> None:
    found = temperature_of(valid, test)
    assert {metric.status for metric in found.values()} == {"undefined"}
    assert reason in (found["temperature"].reason or "")


def test_classwise_ece_by_hand() -> None:
    records = [
        answered("entailment", {"entailment": 0.8, "neutral": 0.2}),
        answered("neutral", {"entailment": 0.6, "neutral": 0.4}),
    ]
    assert classwise(records).value == pytest.approx(0.4)


def test_classwise_ece_wants_one_fixed_set() -> None:
    one = answered("neutral", {"entailment": 0.6, "neutral": 0.4})
    other = answered("neutral", {"neutral": 0.6, "contradiction": 0.4})
    assert "different sets" in (classwise([one, other]).reason or "")
    assert classwise([decoded("2", 0.5)]).status == "not_applicable"
    assert classwise([answered(None, {"entailment": 0.6, "neutral": 0.4})]).status == "undefined"


def test_a_stated_confidence_needs_no_gold_label_to_be_averaged() -> None:
    fold = Confidences()
    for gold, confidence in (("2", 0.5), (None, 0.75), (None, 1.0)):
        fold.add(decoded("2", confidence, gold), task_of({"task": "equation"}))
    found = fold.metrics(Counter(["equation"]), 0)
    assert (found["mean_confidence"].value, found["mean_confidence"].n) == (0.75, 3)
    assert (found["brier"].value, found["brier"].n) == (0.25, 1)
