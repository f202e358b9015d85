"""Which records fit, calibrate and are evaluated: no record serves for two of these."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from mitools.evaluate.operating.roles import Roles, is_in_first_half
from mitools.evaluate.options import EvalOptions
from mitools.records import Record


def records(split: str | None, n: int = 200, **more: Any) -> list[Record]:
    return [{"id": f"{n}", "input": f"{split}-{n}", "split": split, **more} for n in range(n)]


def test_halves_are_about_equal_and_keep_groups_and_inputs_together() -> None:
    halves = [is_in_first_half(record) for record in records("test", 2_000)]
    assert 900 < sum(halves) < 1_100
    assert len({is_in_first_half(record) for record in records("test", 50, group="g")}) == 1
    assert len({is_in_first_half({"id": f"{n}", "input": "q"}) for n in range(50)}) == 1


@pytest.mark.parametrize(
    ("confidence", "calibrate_on", "fits_weight"),
    [*itertools.product(["label", "combined"], ["valid", "test"], [False, True])],
)
def test_no_record_has_two_roles(confidence: Any, calibrate_on: Any, fits_weight: bool) -> None:
    options = EvalOptions(
        target_accuracy=0.9,
        confidence=confidence,
        calibrate_on=calibrate_on,
        answer="both" if fits_weight else "predict",
    )
    roles = options.roles
    assert roles.fits_weight is fits_weight
    fits_any = fits_weight or confidence == "combined"
    for record in [*records("valid"), *records("test"), *records("train"), *records(None)]:
        evaluated = record["split"] in ("test", None) and not options.only_fits(record)
        fits = fits_any and roles.fits(record)
        assert evaluated + fits + roles.calibrates(record) <= 1
    chosen = sum(map(roles.calibrates, records(calibrate_on)))
    assert chosen == 200 if calibrate_on == "valid" and not fits_any else 70 < chosen < 130


def test_without_a_target_no_record_calibrates_and_all_valid_ones_fit() -> None:
    roles = EvalOptions(answer="both").roles
    assert not any(map(roles.calibrates, [*records("valid"), *records("test")]))
    assert all(map(roles.fits, records("valid")))
    assert not any(map(roles.fits, records("test")))


def test_valid_records_are_asked_about_only_where_something_is_fitted_on_them() -> None:
    def takes_valid(**more: Any) -> bool:
        options = EvalOptions(target_accuracy=0.9, calibrate_on="test", **more)
        return any(map(options.selects, records("valid", 9)))

    assert not takes_valid()
    assert not takes_valid(confidence="agreement")
    assert takes_valid(confidence="combined")
    assert takes_valid(answer="both")
    assert takes_valid(temperature=True)


def test_a_rationale_is_read_only_by_what_needs_one() -> None:
    assert Roles(True, "agreement", "valid", False).reads_rationale
    assert not Roles(True, "label", "valid", False).reads_rationale
    assert not Roles(False, "agreement", "valid", False).reads_rationale
