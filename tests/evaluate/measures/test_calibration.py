from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitools.errors import InvalidFieldError
from mitools.evaluate.measures.calibration import (
    MEASURES,
    calibrate,
    confidence_nll,
    expected_calibration_error,
    mass_bins,
    null_bands,
    reliability,
    width_bins,
)

Items = list[tuple[float, bool]]
CONFIDENCE = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.2, 1 / 3, 0.5, 1.0]))
ITEMS = st.lists(st.tuples(CONFIDENCE, st.booleans()), min_size=1, max_size=60)


def arrays(items: Items) -> tuple[np.ndarray, np.ndarray]:
    return np.array([c for c, _ in items], dtype=float), np.array([y for _, y in items], dtype=bool)


def eces(items: Items) -> list[float]:
    confidence, right = arrays(items)
    return [
        expected_calibration_error(confidence, right, bins(confidence))
        for bins in (width_bins, mass_bins)
    ]


def slow_ece(items: Items) -> float:
    bins: dict[int, Items] = {}
    for item in items:
        bins.setdefault(min(14, math.floor(item[0] * 15)), []).append(item)
    gap = 0.0
    for members in bins.values():
        accuracy = sum(y for _, y in members) / len(members)
        stated = sum(c for c, _ in members) / len(members)
        gap += len(members) / len(items) * abs(accuracy - stated)
    return gap


def test_ece_by_hand() -> None:
    items = [(0.95, True), (0.95, False), (0.55, True), (0.55, True)]
    assert eces(items) == pytest.approx([0.45, 0.45])


def test_a_confidence_of_1_falls_into_the_last_bin_and_no_phantom_one() -> None:
    assert eces([(1.0, False), (0.95, True)])[0] == pytest.approx(0.475)


def test_a_confidence_of_0_is_binned() -> None:
    assert eces([(0.0, False), (0.0, True)]) == pytest.approx([0.5, 0.5])


@given(ITEMS)
def test_ece_equals_a_plain_loop(items: Items) -> None:
    assert eces(items)[0] == pytest.approx(slow_ece(items))


@given(ITEMS)
def test_every_ece_is_at_least_the_gap_between_accuracy_and_mean_confidence(items: Items) -> None:
    confidence, right = arrays(items)
    assert min(eces(items)) >= abs(right.mean() - confidence.mean()) - 1e-12


@given(CONFIDENCE, st.lists(st.booleans(), min_size=1, max_size=40))
def test_a_constant_confidence_errs_by_its_distance_from_accuracy(q: float, ys: list[bool]) -> None:
    expected = abs(sum(ys) / len(ys) - q)
    assert eces([(q, y) for y in ys]) == pytest.approx([expected, expected])


@given(ITEMS, st.randoms())
def test_order_and_duplication_leave_ece_alone(items: Items, random: object) -> None:
    other = items * 2
    random.shuffle(other)  # type: ignore[attr-defined]
    assert eces(other) == pytest.approx(eces(items))


def test_mass_bins_hold_equal_shares_and_keep_ties_together() -> None:
    spread = np.linspace(0, 1, 150)
    assert np.bincount(mass_bins(spread)).tolist() == [10] * 15
    tied = np.array([0.1] * 40 + [0.5] * 20 + [0.9] * 40)
    assert [len(set(mass_bins(tied)[tied == level])) for level in (0.1, 0.5, 0.9)] == [1, 1, 1]


def test_a_group_of_ties_goes_where_its_middle_rank_lies() -> None:
    # middle ranks 1.5 and 3.5 of 4, times 15: 5.6 and 13.1
    assert mass_bins(np.array([0.1, 0.9, 0.1, 0.1])).tolist() == [5, 13, 5, 5]


def test_brier_nll_and_mean_confidence_by_hand() -> None:
    metrics = calibrate(*arrays([(0.8, True), (0.4, False)]), seed=0)
    assert metrics["brier"].value == pytest.approx((0.04 + 0.16) / 2)
    assert metrics["nll"].value == pytest.approx(-(math.log(0.8) + math.log(0.6)) / 2)
    assert metrics["mean_confidence"].value == pytest.approx(0.6)


def test_certainty_in_a_wrong_answer_costs_a_finite_amount() -> None:
    found = confidence_nll(np.array([1.0, 0.0, 1.0]), np.array([False, True, True]))
    assert found == pytest.approx([24 * math.log(2), 708.396, 0], abs=1e-3)


def test_oracle_answers_have_no_loss_and_nothing_to_rank() -> None:
    metrics = calibrate(np.ones(20), np.ones(20, dtype=bool), seed=0)
    for name in ("ece_width", "ece_mass", "brier", "aurc", "excess_aurc"):
        assert metrics[name].value == 0
    assert metrics["accuracy_at_50"].value == 1
    assert metrics["nll"].value == pytest.approx(0, abs=1e-7)
    assert (metrics["auroc"].status, metrics["auroc"].n) == ("undefined", 20)


def test_calibrate_does_not_depend_on_the_order_of_the_items() -> None:
    rng = np.random.default_rng(0)
    confidence = rng.random(50).round(1)
    right = rng.random(50) < 0.6
    ahead, back = calibrate(confidence, right, 3), calibrate(confidence[::-1], right[::-1], 3)
    for name in MEASURES:
        assert ahead[name].as_json() == back[name].as_json()


def test_duplicated_items_keep_brier_nll_and_ece() -> None:
    confidence, right = arrays([(0.9, True), (0.7, False), (0.7, True), (0.2, False)])
    once = calibrate(confidence, right, 0)
    twice = calibrate(np.tile(confidence, 2), np.tile(right, 2), 0)
    for name in ("ece_width", "ece_mass", "brier", "nll", "mean_confidence"):
        assert twice[name].value == pytest.approx(once[name].value)


def test_intervals_hold_the_value_and_calibration_errors_have_a_null_band_instead() -> None:
    rng = np.random.default_rng(1)
    confidence = rng.random(100)
    metrics = calibrate(confidence, rng.random(100) < confidence, 0)
    for name in ("mean_confidence", "brier", "nll", "auroc", "aurc", "accuracy_at_80"):
        assert metrics[name].ci95 is not None
        assert metrics[name].ci95[0] < metrics[name].value < metrics[name].ci95[1]
    for name in ("ece_width", "ece_mass"):
        assert metrics[name].ci95 is None
        assert set(metrics[name].details) == {"null_mean", "null95", "null_p"}


def test_the_null_band_of_a_constant_confidence_is_the_binomials() -> None:
    confidence = np.full(100, 0.5)
    band = null_bands(confidence, {"w": width_bins(confidence)}, {"w": 0.0}, seed=0)["w"]
    assert band.mean == pytest.approx(math.sqrt(2 / math.pi) * 0.05, rel=0.1)
    assert band.band == pytest.approx((0, 0.1), abs=0.015)
    assert band.p == 1


def test_right_confidences_lie_in_the_null_band_and_boasts_do_not() -> None:
    rng = np.random.default_rng(5)
    confidence = rng.random(300)
    honest = calibrate(confidence, rng.random(300) < confidence, 0)["ece_width"]
    boast = calibrate(confidence, rng.random(300) < confidence / 2, 0)["ece_width"]
    assert honest.details["null95"][0] <= (honest.value or 0) <= honest.details["null95"][1]
    assert (boast.value or 0) > boast.details["null95"][1]
    assert boast.details["null_p"] == pytest.approx(1 / 1001)


def test_the_null_band_equals_a_plain_loop_over_the_same_draws() -> None:
    confidence = np.array([0.1, 0.4, 0.4, 0.97])
    band = null_bands(confidence, {"w": width_bins(confidence)}, {"w": 0.2}, seed=2)["w"]
    draws = np.random.default_rng(2).random((1_000, 4))
    errors = [
        slow_ece([(c, bool(u < c)) for c, u in zip(confidence, row, strict=True)]) for row in draws
    ]
    assert band.mean == pytest.approx(sum(errors) / 1_000)


def test_nothing_to_calibrate_is_undefined() -> None:
    metrics = calibrate(np.array([]), np.array([], dtype=bool), 0)
    assert list(metrics) == list(MEASURES)
    assert {metric.status for metric in metrics.values()} == {"undefined"}


def test_one_item_has_values_without_intervals() -> None:
    metrics = calibrate(np.array([0.7]), np.array([True]), 0)
    assert metrics["brier"].value == pytest.approx(0.09)
    assert metrics["brier"].ci95 is None


@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_a_confidence_outside_0_and_1_is_refused(value: float) -> None:
    with pytest.raises(InvalidFieldError):
        calibrate(np.array([value]), np.array([True]), 0)


def test_the_reliability_table_accounts_for_every_item() -> None:
    rows = reliability(*arrays([(1.0, True), (0.95, False), (0.5, True), (0.0, False)]))
    assert [row["n"] for row in rows] == [1, 1, 2]
    last = rows[-1]
    assert (last["accuracy"], last["confidence"], last["high"]) == (0.5, 0.975, 1)


@settings(deadline=None, max_examples=15)
@given(ITEMS)
def test_no_figure_is_ever_nan(items: Items) -> None:
    for metric in calibrate(*arrays(items), seed=0).values():
        numbers = [metric.value, *(metric.ci95 or ()), *metric.details.values()]
        assert all(math.isfinite(x) for x in numbers if isinstance(x, float))
        assert (metric.value is None) == (metric.status == "undefined")
