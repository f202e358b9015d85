from __future__ import annotations

from typing import Any

import pytest

from mitools.evaluate.measures.metric import Metric
from mitools.evaluate.probes.robustness import MEASURES, SIGMAS, probe_robustness
from tests.evaluate.probes.subjects import Noisy, Talker, choice, subject

pytestmark = pytest.mark.usefixtures("few_resamples")


def probe(label: Any, rationale: Any, n: int = 8, **options: Any) -> dict[str, Any]:
    """Probe a student whose functions see the input's number and the noise."""
    student = Talker(
        lambda text: label(int(text.split()[3]), student.disturb),
        lambda text: rationale(int(text.split()[3]), student.disturb),
    )
    records = [choice(number) for number in range(n)]
    return probe_robustness(subject(student, records, Noisy(student)), **options)


def always(_number: int, _sigma: float) -> str:
    return "sea"


def argue(_number: int, _sigma: float) -> str:
    return "So the answer is sea."


def test_without_noise_the_run_is_the_base_run() -> None:
    found = probe(lambda number, _: "sea" if number % 4 else "box", argue, sigmas=(0.0, 1.0))
    start = found["by_sigma"][0]
    assert start["sigma"] == 0
    assert start["same_label"].value == 1
    assert (start["accuracy"].value, start["consistency"].value) == (0.75, 0.75)


def test_a_student_that_hears_no_noise_loses_nothing() -> None:
    found = probe(always, argue)
    assert [found[name].value for name in MEASURES] == [0, 0, 0]
    assert [point["sigma"] for point in found["by_sigma"]] == list(SIGMAS)


def test_what_is_lost_is_the_mean_over_levels_worked_by_hand() -> None:
    # Accuracy 1, 1/2, 0; every rationale supports what the label was, so consistency is the same.
    found = probe(
        lambda number, sigma: "box" if sigma == 2 or (sigma == 1 and number % 2) else "sea",
        argue,
        sigmas=(0.0, 1.0, 2.0),
    )
    assert found["accuracy_drop"].value == pytest.approx((0.5 + 1) / 2)
    assert found["consistency_drop"].value == pytest.approx((0.5 + 1) / 2)
    assert found["equivalence_gap"].value == pytest.approx(0)
    assert [point["accuracy"].value for point in found["by_sigma"]] == [1, 0.5, 0]
    assert [point["same_label"].value for point in found["by_sigma"]] == [1, 0.5, 0]


def test_a_rationale_that_breaks_alone_leaves_a_gap() -> None:
    found = probe(
        always,
        lambda number, sigma: f"So the answer is {'box' if sigma and number % 2 else 'sea'}.",
        sigmas=(0.0, 1.0),
    )
    assert found["accuracy_drop"].value == 0
    assert found["consistency_drop"].value == pytest.approx(0.5)
    assert found["equivalence_gap"].value == pytest.approx(0.5)
    low, high = found["consistency_drop"].ci95
    assert 0 <= low < 0.5 < high <= 1


def test_levels_that_leave_nothing_to_judge_are_undefined() -> None:
    found = probe(always, lambda _number, sigma: "hm" if sigma else "So the answer is sea.")
    assert found["accuracy_drop"].value == 0
    assert found["consistency_drop"].status == found["equivalence_gap"].status == "undefined"
    assert found["by_sigma"][-1]["coverage"].value == 0


def test_gold_may_be_missing() -> None:
    student = Talker(lambda _text: "sea", lambda _text: "So the answer is sea.")
    records = [{**choice(number), "label": None} for number in range(3)]
    found = probe_robustness(subject(student, records, Noisy(student)))
    assert found["accuracy_drop"].status == "undefined"
    assert found["consistency_drop"].value == 0


def test_noise_is_asked_for_every_input_at_every_level() -> None:
    student = Talker(lambda _text: "sea")
    instrument = Noisy(student)
    probe_robustness(subject(student, [choice(1), choice(2)], instrument))
    assert instrument.inputs == [(choice(1)["input"], choice(2)["input"])] * len(SIGMAS)


def test_a_student_out_of_reach_is_no_subject() -> None:
    student = Talker(lambda _text: "sea")
    found = probe_robustness(subject(student, [choice(1)]))
    assert {found[name].status for name in MEASURES} == {"not_applicable"}
    assert all(isinstance(found[name], Metric) for name in MEASURES)
